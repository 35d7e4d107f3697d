"""The directive ``job-moves``: a picture of `workqueue.jobs.lifecycle.MOVES`, drawn from the table itself."""

from typing import Any

from docutils import nodes
from moves_picture import sentences, svg
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from workqueue.jobs.lifecycle import MOVES


class JobMoves(SphinxDirective):
    """The picture in a page, a list of sentences elsewhere."""

    def run(self) -> list[nodes.Node]:
        """The nodes for this kind of output."""
        if self.env.app.builder.format == "html":
            return [nodes.raw("", svg(MOVES), format="html")]
        items = (nodes.list_item("", nodes.paragraph(text=sentence)) for sentence in sentences(MOVES))
        return [nodes.bullet_list("", *items)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive; called by Sphinx."""
    app.add_directive("job-moves", JobMoves)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
