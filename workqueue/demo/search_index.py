"""A finished index + what a person typed -> hits. Knows the table that process-docset.py leaves."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

#: What encloses a matched word inside a snippet: control characters that a text has no use for.
_OPEN: Final = "\x02"
_CLOSE: Final = "\x03"

_COUNT: Final = "SELECT count(*) FROM documents WHERE documents MATCH ?"

#: A match in a title counts as much as ten in the text.
_BEST: Final = """
    SELECT rowid, title, snippet(documents, 1, char(2), char(3), '…', 32)
    FROM documents WHERE documents MATCH ? ORDER BY bm25(documents, 10.0, 1.0) LIMIT ?
"""


class Hit(NamedTuple):
    """One document that was found."""

    id: int
    title: str
    snippet: str
    """A passage around what was found."""

    parts: list[str]
    """The snippet cut up: plain, matched, plain, and so on."""

    @classmethod
    def from_row(cls, row_id: int, title: str, marked: str) -> "Hit":
        """Make a hit of what the index holds."""
        parts = marked.replace(_CLOSE, _OPEN).split(_OPEN)
        return cls(row_id, title, "".join(parts), parts)


class IndexUnreadableError(Exception):
    """The file is no index of ours; the text says what SQLite made of it."""


class Answer(NamedTuple):
    """What a search found."""

    total: int
    """How many documents match."""

    hits: list[Hit]
    """The best of them."""


def search_index(path: Path, words: str, limit: int = 20) -> Answer:
    """Find the documents that hold every word, or a word that begins so.

    Args:
        path: a finished index. It is opened as a file that never changes: no lock, no file beside it.
        words: as typed. Nothing in it is ever syntax.
        limit: how many hits to give, at most.

    Raises:
        FileNotFoundError: there is no index yet.
        IndexUnreadableError: the file holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    query = match_expression(words)
    try:
        with closing(_open(path)) as database:
            (total,) = database.execute(_COUNT, [query]).fetchone()
            return Answer(total, [Hit.from_row(*row) for row in database.execute(_BEST, [query, limit])])
    except sqlite3.Error as err:
        raise IndexUnreadableError(str(err)) from err


def match_expression(words: str) -> str:
    """What a person typed -> an FTS5 query: each word a quoted prefix, all of them wanted.

    Inside quotes only the quote itself is special, and NUL, where SQLite believes the query to end.
    """
    quoted = (word.replace('"', '""') for word in words.replace("\0", " ").split())
    return " ".join(f'"{word}"*' for word in quoted) or '""'


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
