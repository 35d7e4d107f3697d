"""The directive ``command-line``: a section for each subcommand, made from the parsers that read its options."""

from typing import Any

import parsers
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from workqueue.cli.parser import build_parser


class CommandLine(SphinxDirective):
    """``.. command-line::``."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        lines: list[str] = []
        for name, (summary, parser) in parsers.commands(build_parser()).items():
            lines += parsers.section(name, summary, parser)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive; called by Sphinx."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
