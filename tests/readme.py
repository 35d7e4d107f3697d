"""The README's examples, by name, as its readers would copy them."""

from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree

README = Path(__file__).parent.parent / "README.rst"


def block(name: str) -> str:
    """The text of the code block with this name."""
    return _blocks()[name] + "\n"


def _blocks() -> dict[str, str]:
    # Warnings of the parser raise: what does not render on a package index is a mistake.
    tree = publish_doctree(README.read_text(), settings_overrides={"halt_level": 2, "report_level": 2})
    return {name: node.astext() for node in tree.findall(nodes.literal_block) for name in node["names"]}
