"""The document sets of the page at `/`: the standard library's documentation, cut up by what it is about."""

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from workqueue.demo.texts import Text


class OfferedSet(NamedTuple):
    """One document set that a person may have indexed."""

    title: str
    texts: list[Text]

    words: tuple[str, ...]
    """What to type into the search box: each finds something in this very set."""

    seconds: float
    """How long the stand-in takes to send all of it."""

    breaks_once: bool = False
    """Whether the stand-in breaks off the first time, so that the program fails."""


class _Subject(NamedTuple):
    title: str
    packages: frozenset[str]
    """The first parts of the modules' names; empty: all texts."""

    words: tuple[str, ...]
    """Those that this Python's documentation does not have are left out."""

    seconds: float
    breaks_once: bool = False


#: What stands for the language reference, whose texts belong to no module.
_LANGUAGE: Final = "topic"

_SUBJECTS: Final = (
    _Subject("The language", frozenset({_LANGUAGE}), ("coroutine", "operator precedence", "unicode"), 14.0),
    _Subject(
        "Concurrency",
        frozenset(
            {"asyncio", "concurrent", "multiprocessing", "queue", "sched", "selectors", "signal", "subprocess"}
            | {"threading"}
        ),
        ("event loop", "semaphore", "timeout"),
        10.0,
    ),
    _Subject(
        "The internet",
        frozenset(
            {"email", "ftplib", "html", "http", "imaplib", "ipaddress", "mailbox", "netrc", "poplib", "smtplib"}
            | {"socket", "socketserver", "ssl", "urllib", "webbrowser", "wsgiref", "xml", "xmlrpc"}
        ),
        ("cookie", "redirect", "multipart message"),
        12.0,
    ),
    _Subject(
        "Files and data",
        frozenset(
            {"base64", "bz2", "codecs", "configparser", "copy", "csv", "dbm", "encodings", "filecmp", "fileinput"}
            | {"glob", "gzip", "hashlib", "io", "json", "lzma", "os", "pathlib", "pickle", "plistlib", "shelve"}
            | {"shutil", "sqlite3", "stat", "tarfile", "tempfile", "tomllib", "zipfile"}
        ),
        ("compress", "json", "temporary directory"),
        14.0,
        breaks_once=True,
    ),
    _Subject(
        "Testing and debugging",
        frozenset(
            {"ast", "bdb", "cProfile", "dis", "doctest", "inspect", "logging", "pdb", "profile", "pstats", "timeit"}
            | {"trace", "traceback", "tracemalloc", "unittest", "warnings"}
        ),
        ("breakpoint", "assert equal", "mock"),
        10.0,
    ),
    _Subject("All of it", frozenset(), ("queue", "thread safe", "regular expression"), 20.0),
)


def offered_sets(texts: list[Text]) -> list[OfferedSet]:
    """Cut the texts up into sets of different sizes, which share some of them.

    Args:
        texts: of `texts_from_standard_library()`.

    Returns:
        About six; a set that has no text in this Python is left out.
    """
    contents = {text.name: _words_of(text) for text in texts}
    return [
        OfferedSet(
            subject.title,
            chosen,
            tuple(_words_in([contents[text.name] for text in chosen], subject.words)),
            subject.seconds,
            subject.breaks_once,
        )
        for subject in _SUBJECTS
        if (chosen := [text for text in texts if not subject.packages or _package(text) in subject.packages])
    ]


def _package(text: Text) -> str:
    kind, _, name = text.name.partition(":")
    return _LANGUAGE if kind == _LANGUAGE else name.partition(".")[0]


def _words_in(contents: Collection[set[str]], candidates: Collection[str]) -> Iterator[str]:
    """Those that a search would find: some text has all their words, whole."""
    for candidate in candidates:
        if any(words.issuperset(candidate.split()) for words in contents):
            yield candidate


def _words_of(text: Text) -> set[str]:
    return set(re.findall(r"[^\W_]+", f"{text.title} {text.body}".lower()))
