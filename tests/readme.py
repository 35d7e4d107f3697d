"""The examples of the README and of the documentation's pages, by name, as their readers would copy them."""

from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree

ROOT = Path(__file__).parent.parent
README = ROOT / "README.rst"
DOCS = ROOT / "docs"

#: Of docutils' five levels. A warning stops the reading of the README: what does not render on a package index is a
#: mistake. A page of docs/ has directives that only Sphinx knows; `sphinx-build -W` looks after those.
_WARNING, _NOTHING = 2, 5


def block(name: str, page: Path = README) -> str:
    """The text of the page's code block with this name."""
    return blocks(page)[name] + "\n"


@cache
def blocks(page: Path) -> dict[str, str]:
    """The page's named code blocks, in its order."""
    level = _WARNING if page == README else _NOTHING
    tree = publish_doctree(page.read_text(), settings_overrides={"halt_level": level, "report_level": level})
    return {name: node.astext() for node in tree.findall(nodes.literal_block) for name in node["names"]}
