"""5 redaction: text -> the same without what its reader must not see; pure.

A program may print the token that it was given, and an error of the system names the file it is about. The log is the
operator's and keeps the paths; what goes to clients has neither.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

#: The directories of an absolute path; not the `//` of a URL or what follows it.
_DIRECTORIES: Final = re.compile(r"(?<![\w:/.])/(?:[^\s/:;'\"]+/)*")


#: What is shorter can be guessed, and taking it out would garble every text.
MIN_SECRET: Final = 4

#: What is decoded in place of a character of which a cut has left some bytes.
_HALF: Final = "\ufffd"


def without_secrets(
    text: str, secrets: Iterable[str], *, is_cut_before: bool = False, is_cut_after: bool = False
) -> str:
    """The text with each secret of at least MIN_SECRET characters replaced by three dots.

    Secrets that overlap, or of which one is a part of another, go as a whole. Take them out before a text is cut; of
    one that had to be cut first, to bound the memory, say at which end: there, the part of a secret that is left goes
    too.

    Args:
        text: what somebody is to read.
        secrets: what must not be in it.
        is_cut_before: whether the text went on before its beginning: it may begin in the middle of a secret.
        is_cut_after: whether the text went on behind its end.
    """
    spans: list[tuple[int, int]] = []
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            spans += _occurrences(text, secret)
            if is_cut_before:
                spans += _rest_at_start(text, secret)
            if is_cut_after:
                spans += _part_at_end(text, secret)
    return _without(text, spans) if spans else text


def _occurrences(text: str, secret: str) -> Iterator[tuple[int, int]]:
    # Those that overlap too: of "abab", three characters of "ababab" would be left.
    start = text.find(secret)
    while start >= 0:
        yield start, start + len(secret)
        start = text.find(secret, start + 1)


def _rest_at_start(text: str, secret: str) -> Iterator[tuple[int, int]]:
    start = len(text) - len(text.lstrip(_HALF))
    for i in range(1, len(secret)):
        if text.startswith(secret[i:], start):
            yield 0, start + len(secret) - i
            return


def _part_at_end(text: str, secret: str) -> Iterator[tuple[int, int]]:
    end = len(text.rstrip(_HALF))
    for i in range(len(secret) - 1, 0, -1):
        if text.endswith(secret[:i], 0, end):
            yield end - i, len(text)
            return


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    kept = []
    end = 0
    for start, stop in sorted(spans):
        if start >= end:
            kept += [text[end:start], "..."]
        end = max(end, stop)
    return "".join([*kept, text[end:]])


def without_directories(text: str, known: Iterable[str] = ()) -> str:
    """The text with each absolute path cut to its last part.

    Args:
        text: an error of ours or of the system.
        known: directories that may stand in it; without this, one with a blank in its name would be cut in the middle.
    """
    for directory in known:
        text = text.replace(directory.rstrip("/") + "/", "/")
    return _DIRECTORIES.sub("", text)
