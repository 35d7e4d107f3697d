"""The documents beside the README: they render, and what they name is there."""

import re
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from tests.release.source import SOURCE, source_file

DOCUMENTS = ["CHANGELOG.rst", "CONTRIBUTING.rst", "SECURITY.rst"]

#: Where a path may begin, as a document's reader would write it.
PLACES = ("", "tests", "tests/conformance", "tests/servers", "workqueue", "workqueue/storage")

#: What is meant as a path; as a name in code: a constant, a class of two words, a function or a word of one.
PATH = r"[\w.]*/[\w/]*(\.\w+)?"
NAME = r"[A-Z][A-Z]+|[A-Z][a-z]+[A-Z]\w+|[a-z]+_[a-z]+"


def literals(name: str) -> list[str]:
    """The pieces of code in the text of a document; a warning is a mistake."""
    settings = {"halt_level": 2, "report_level": 2}
    tree = publish_doctree(source_file(name).read_text(), settings_overrides=settings)
    return [node.astext() for node in tree.findall(nodes.literal)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_renders(name: str) -> None:
    assert literals(name)


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    source_file("workqueue")
    paths = {text for text in literals("CONTRIBUTING.rst") if re.fullmatch(PATH, text)}
    assert len(paths) > 20
    if not (SOURCE / ".ci").exists():
        paths.remove(".ci/run")  # an sdist has no CI
    assert [path for path in sorted(paths) if not any(Path(SOURCE, place, path).exists() for place in PLACES)] == []


def test_every_name_that_contributors_are_sent_to_is_in_the_code() -> None:
    source_file("workqueue")
    code = "\n".join(path.read_text() for room in ("workqueue", "tests") for path in (SOURCE / room).rglob("*.py"))
    names = {text for text in literals("CONTRIBUTING.rst") if re.fullmatch(NAME, text)}
    assert {"ROOMS", "KINDS", "ENCODINGS", "ObjectStorage", "make_storage"} <= names
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", code)] == []
