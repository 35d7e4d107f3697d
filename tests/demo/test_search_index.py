"""Searching a finished index."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from workqueue.demo.search_index import IndexUnreadableError, match_expression, search_index


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Three documents, in a file with a hostile name."""
    path = tmp_path / "a ?#%41.db"
    rows = [(1, "Queue", "First in, first out"), (2, "Stack", "unlike a queue: last in"), (3, "Übung", "naïve 😀")]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE VIRTUAL TABLE documents USING fts5(title, text)")
        database.executemany("INSERT INTO documents (rowid, title, text) VALUES (?, ?, ?)", rows)
    path.chmod(0o400)
    return path


def test_the_best_come_first_with_the_match_marked(index: Path) -> None:
    answer = search_index(index, "queue")
    assert answer.total == 2
    assert [hit.title for hit in answer.hits] == ["Queue", "Stack"]
    assert answer.hits[1].snippet == "unlike a queue: last in"
    assert answer.hits[1].parts == ["unlike a ", "queue", ": last in"]
    assert list(index.parent.iterdir()) == [index]


@pytest.mark.parametrize(("words", "ids"), [("FIRST out", [1]), ("que la", [2]), ("ubung NAIVE", [3]), ("no", [])])
def test_every_word_is_wanted_or_one_that_begins_so(index: Path, words: str, ids: list[int]) -> None:
    assert [hit.id for hit in search_index(index, words).hits] == ids


def test_there_are_no_more_hits_than_wanted(index: Path) -> None:
    answer = search_index(index, "queue", limit=1)
    assert (answer.total, len(answer.hits)) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [
        '"',
        '""',
        "*",
        "NEAR(",
        "a AND",
        "title:",
        "- + ^",
        "(",
        "\0",
        "a\0b",
        "{x} : y",
        "'; DROP",
        "\ud83d\ude00",
        "😀",
    ],
)
def test_nothing_that_is_typed_is_syntax(index: Path, words: str) -> None:
    words = words.encode("utf-16", "surrogatepass").decode("utf-16")
    assert search_index(index, words).total <= 3


def test_each_word_is_a_quoted_prefix() -> None:
    assert match_expression('say "hi"\0 NOT') == '"say"* """hi"""* "NOT"*'


def test_no_index_and_no_index_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        search_index(tmp_path / "missing", "x")
    (tmp_path / "junk").write_text("junk" * 1000)
    with pytest.raises(IndexUnreadableError, match="not a database"):
        search_index(tmp_path / "junk", "x")
