"""Records: read as they were written, and nothing else is taken for one."""

import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workqueue.engines.host.record import Framed, Mark, Record, decode, encode
from workqueue.progress import Progress, WaitsAgain, failed, succeeded

RUN = "0123456789abcdef"

SAID: list[Record] = [
    *Mark,
    Progress(3, 0.5, "half\n\t\u20ac"),
    failed("why", 3),
    succeeded(),
    WaitsAgain(2, "later"),
    WaitsAgain(),
]


def frame_of(content: object) -> bytes:
    """A frame with the right checksum, whatever is in it."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return b"%08x %08x\n" % (len(text), zlib.crc32(text)) + text


@pytest.mark.parametrize("record", SAID)
def test_a_record_is_read_as_it_was_written_whatever_follows(record: Record) -> None:
    assert decode(encode(RUN, record)) == Framed(RUN, record)
    assert decode(encode(RUN, record) + b"what a longer one left") == Framed(RUN, record)


@pytest.mark.parametrize("record", SAID)
def test_one_that_is_cut_short_or_damaged_says_nothing(record: Record) -> None:
    frame = encode(RUN, record)
    for i in range(len(frame)):
        assert decode(frame[:i]) is None
        assert decode(frame[:i] + bytes([frame[i] ^ 1]) + frame[i + 1 :]) is None


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60000,
        b"x",
        None,
        7,
        [],
        ["run", "start"],
        [RUN, "begin"],
        [RUN, None],
        [RUN, [-1, 0.5, None, None, None]],
        [RUN, [True, 0.5, None, None, None]],
        [RUN, [0, 1.5, None, None, None]],
        [RUN, [0, float("nan"), None, None, None]],
        [RUN, [0, None, None, None, None]],
        [RUN, [0, 0.5, 7, None, None]],
        [RUN, [0, 0.5, None, "0", None]],
        [RUN, [0, 0.5, None, False, None]],
        [RUN, [0, 0.5, None, 2**40, None]],
        [RUN, [0, 0.5, None, 1, ["why"]]],
        [RUN, [0, 0.5, None, 0, "why"]],
        [RUN, [0, 0.5, None, None, "why"]],
        [RUN, [0, 0.5, None, None, None, None]],
        [RUN, ["2", None]],
        [RUN, [2, 7]],
        [RUN, {"waits": [1]}],
    ],
)
def test_what_has_the_wrong_type_or_is_out_of_range_says_nothing(content: object) -> None:
    assert decode(frame_of(content)) is None


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(frame_of)))
def test_nothing_that_is_read_raises(data: bytes) -> None:
    decoded = decode(data)
    assert decoded is None or decode(encode(*decoded)) == decoded
