"""The directive ``json-schema``: a schema as the function that is named makes it, so that no page holds a copy."""

import json
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class JsonSchema(SphinxDirective):
    """``.. json-schema:: package.module.function``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A block of JSON."""
        module, _, function = self.arguments[0].rpartition(".")
        text = json.dumps(getattr(import_module(module), function)(), indent=2)
        return [nodes.literal_block(text, text, language="json")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive; called by Sphinx."""
    app.add_directive("json-schema", JsonSchema)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
