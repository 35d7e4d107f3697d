"""Ranges, and the multipart that frames them."""

import email
import email.policy
import random
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.web.ranges import MAX_RANGES, Span, framed, length_of, parse_range

SIZE = 10_000


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        # RFC 9110, section 14.1.2, whose examples are of 10000 bytes.
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10_000)]),
        ("bytes=9500-", [(9500, 10_000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10_000)]),
        ("bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10_000)]),
        ("bytes=500-600,601-999", [(500, 1000)]),
        ("bytes=500-700,601-999", [(500, 1000)]),
        # The unit's name has no case; a list may have empty elements (section 5.6.1).
        ("BYTES=0-4", [(0, 5)]),
        ("bytes=,0-4 ,\t, 1000-1004,", [(0, 5), (1000, 1005)]),
        # A last position behind the end is the end.
        ("bytes=9990-20000", [(9990, 10_000)]),
        ("bytes=-20000", [(0, 10_000)]),
        ("bytes=0-" + "9" * 5000, [(0, 10_000)]),
        ("bytes=00000000000000000000000-0000000000000000000004", [(0, 5)]),
        # What cannot be satisfied is left out, if something else can.
        ("bytes=10000-,0-4", [(0, 5)]),
        ("bytes=-0,0-4", [(0, 5)]),
        # Parts are in the order of the request; what is merged stands where its first part was.
        ("bytes=5000-5009,0-9", [(5000, 5010), (0, 10)]),
        ("bytes=5000-5009,0-9,5010-5019", [(5000, 5020), (0, 10)]),
        ("bytes=0-9,180-189,90-99", [(0, 190)]),
    ],
)
def test_what_can_be_satisfied(header: str, spans: list[tuple[int, int]]) -> None:
    assert parse_range(header, SIZE) == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-10001,-0", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_what_cannot_be_satisfied(header: str) -> None:
    assert parse_range(header, SIZE) == ()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=--1",
        "bytes=1-0",
        "bytes=0-4,9-8",
        "bytes=0-4;5-9",
        "bytes=0 -4",
        "bytes=+0-4",
        "bytes=0-4 5-9",
        "bytes=0-٤",
        "bytes 0-4",
        "bytes =0-4",
        "items=0-4",
        "bytes=0-4, items=0-4",
        "bytes=" + ",".join(f"{i * 100}-{i * 100}" for i in range(MAX_RANGES + 1)),
    ],
)
def test_what_is_to_be_ignored(header: str) -> None:
    """Section 14.2: other units, what is malformed, and what no honest client asks for."""
    assert parse_range(header, SIZE) is None


def test_of_nothing_there_is_no_part() -> None:
    assert parse_range("bytes=-5", 0) is None
    assert parse_range("bytes=0-", 0) is None


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), min_size=1, max_size=MAX_RANGES))
def test_no_byte_is_sent_twice_and_none_is_missing(pairs: list[tuple[int, int]]) -> None:
    pairs = [(min(pair), max(pair)) for pair in pairs]
    spans = parse_range("bytes=" + ",".join(f"{first}-{last}" for first, last in pairs), 1500)
    assert spans is not None
    sent = [i for span in spans for i in range(*span)]
    assert len(sent) == len(set(sent))
    assert set(sent) >= {i for first, last in pairs for i in range(first, min(last + 1, 1500))}
    assert all(0 <= span.start < span.stop <= 1500 for span in spans)


@given(st.text(alphabet="bytes=0123456789-, \t", max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    spans = parse_range(text, SIZE)
    assert spans is None or all(0 <= span.start < span.stop <= SIZE for span in spans)


def test_a_mail_reader_finds_the_parts() -> None:
    """A parser of multipart that is not ours."""
    data = random.Random(18).randbytes(SIZE)
    spans = (Span(0, 10), Span(500, 1500), Span(9999, 10_000))
    pieces = framed(spans, SIZE, "application/octet-stream", "boundary")
    body = b"".join(piece if isinstance(piece, bytes) else data[slice(*piece)] for piece in pieces)
    assert len(body) == length_of(pieces)
    head = b"Content-Type: multipart/byteranges; boundary=boundary\r\n\r\n"
    message = email.message_from_bytes(head + body, _class=EmailMessage, policy=email.policy.HTTP)
    for part, span in zip(message.iter_parts(), spans, strict=True):
        assert part.get_content_type() == "application/octet-stream"
        assert part["Content-Range"] == span.content_range(SIZE) == f"bytes {span.start}-{span.stop - 1}/{SIZE}"
        assert part.get_payload(decode=True) == data[slice(*span)]
