"""What people search for leads to the right page: the built search puts a page's main index entries first."""

import ast
import re
from collections import defaultdict

import pytest

from tests.readme import DOCS

_ENTRIES = re.compile(r"^\.\. index::\n((?:   .+\n)+)", re.MULTILINE)


def pages() -> dict[str, str]:
    """The table that a build of the pages holds its search index against."""
    tree = ast.parse((DOCS / "_ext" / "searches.py").read_text())
    [table] = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PAGES"
    ]
    found: dict[str, str] = ast.literal_eval(table)
    return found


def main_entries() -> dict[str, list[str]]:
    """Each word that is a main index entry, and the pages where it is."""
    found = defaultdict(list)
    for path in DOCS.glob("*.rst"):
        for lines in _ENTRIES.findall(path.read_text()):
            for line in lines.splitlines():
                assert line.startswith("   ! "), (path, line)
                found[line.removeprefix("   ! ").lower()].append(path.stem)
    return found


def test_no_word_is_the_main_entry_of_two_places() -> None:
    assert {word: places for word, places in main_entries().items() if len(places) > 1} == {}


@pytest.mark.parametrize(
    "word", ["quickstart", "tutorial", "docker", "systemd", "celery", "css", "concurrency", "troubleshooting"]
)
def test_what_newcomers_search_for_leads_to_its_page(word: str) -> None:
    assert main_entries()[word] == [pages()[word]]


def test_the_build_looks_for_words_that_are_there() -> None:
    entries = main_entries()
    assert {word: entries[word] for word in pages()} == {word: [page] for word, page in pages().items()}


def test_every_page_is_in_a_table_of_contents() -> None:
    texts = [path.read_text() for path in DOCS.glob("*.rst")]
    tables = [
        table for text in texts for table in re.findall(r"^\.\. toctree::\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    ]
    listed = {line.strip() for table in tables for line in table.splitlines()}
    assert {path.stem for path in DOCS.glob("*.rst")} - {"index"} <= listed
