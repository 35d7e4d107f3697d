"""7 ranges: a Range header -> which bytes to send, and how they are framed (RFC 9110, section 14); pure."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

#: A request for more parts than that is answered with the whole: it is a broken client's, or an attack (section 14.2).
#: A reader of PDF files asks for some twenty at once.
MAX_RANGES: Final = 64

#: Ranges with less than this between them are sent as one: what frames a part takes more (section 15.3.7.2).
_GAP: Final = 80

#: Python refuses to read numbers of thousands of digits; no file has this many bytes.
_MAX_DIGITS: Final = 18

_SET: Final = re.compile(r"bytes=([0-9, \t-]+)", re.IGNORECASE)
_SPEC: Final = re.compile(r"([0-9]*)-([0-9]*)")


class Span(NamedTuple):
    """Some bytes of a file."""

    start: int
    stop: int
    """Behind the last byte."""

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """The header that says so, for a file of this size."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse_range(header: str, size: int) -> tuple[Span, ...] | None:
    """What a Range header asks for of a file.

    Args:
        header: its value.
        size: the file's, in bytes.

    Returns:
        The ranges to send, in the order of the request; those that overlap or nearly touch are one. Empty: none of them
        can be satisfied, which is 416. None: the header is to be ignored, and the whole to be sent, for another unit
        than bytes, for what is malformed, and for more ranges than a client has reason to ask for.
    """
    match = _SET.fullmatch(header.strip())
    texts = [text.strip(" \t") for text in match[1].split(",")] if match else []
    specs = [_SPEC.fullmatch(text) for text in texts if text]
    if not specs or len(specs) > MAX_RANGES:
        return None
    spans: list[Span] = []
    for spec in specs:
        if spec is None or not (spec[1] or spec[2]):
            return None
        first, last = _number(spec[1]), _number(spec[2])
        if first is None:  # the last so many bytes
            assert last is not None
            span = Span(max(0, size - last), size)
        elif last is not None and last < first:
            return None
        else:
            span = Span(first, size if last is None else min(last + 1, size))
        if span.start < size and span.length > 0:
            spans.append(span)
    if not size:
        return None  # there is no Content-Range of nothing
    return tuple(_coalesced(spans))


def _number(digits: str) -> int | None:
    return int(digits[: _MAX_DIGITS + 1] if len(digits.lstrip("0")) > _MAX_DIGITS else digits) if digits else None


def _coalesced(spans: Iterable[Span]) -> list[Span]:
    """None of them overlaps another, so that no request makes more of a file than it is."""
    # The order of the request is kept, as section 15.3.7.2 asks: each is where the first of its kind was.
    merged: list[Span] = []
    for new in spans:
        near = [old for old in merged if new.start <= old.stop + _GAP and old.start <= new.stop + _GAP]
        if not near:
            merged.append(new)
            continue
        place = merged.index(near[0])
        whole = Span(min(new.start, *(old.start for old in near)), max(new.stop, *(old.stop for old in near)))
        merged = [old for old in merged if old not in near]
        merged.insert(place, whole)
    return merged


def framed(spans: tuple[Span, ...], size: int, media_type: str, boundary: str) -> list[bytes | Span]:
    """The body of a multipart/byteranges (section 14.6): what frames the parts, and the parts.

    Args:
        spans: the parts, two or more.
        size: of the whole file.
        media_type: of each part.
        boundary: what none of the parts contains; that is left to chance.
    """
    pieces: list[bytes | Span] = []
    for i, span in enumerate(spans):
        head = f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {span.content_range(size)}\r\n\r\n"
        pieces += [(head if i == 0 else f"\r\n{head}").encode("latin-1"), span]
    return [*pieces, f"\r\n--{boundary}--\r\n".encode("latin-1")]


def length_of(pieces: Iterable[bytes | Span]) -> int:
    """How many bytes these are together."""
    return sum(piece.length if isinstance(piece, Span) else len(piece) for piece in pieces)
