"""What is said in the log of the line: read as it was written, or not at all."""

import zlib

import pytest

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.record import MAX_LINE, NO_LIMIT, Record, decode, encode, tenant_of

A, KEY = "0123456789abcdef", "a" * 40

RECORDS: list[Record] = [
    said.Join(A, 2, NO_LIMIT, 1),
    said.Enter(A, 1, KEY, tenant_of(""), 0),
    said.Enter(A, NO_LIMIT, KEY, tenant_of("somebody@example.org"), NO_LIMIT),
    said.Begin(A, 1),
    said.Leave(A, 1),
    said.Dead(A),
    said.Stalled(A),
    said.Back(A),
    said.Seal(),
    said.Clock(3, 4),
    said.Waits(KEY, tenant_of("x"), 3, 4),
    said.Runs(A, 1, KEY, tenant_of("x"), 3),
    said.Time(1_800_000_000_000),
]


def line_of(record: Record) -> bytes:
    return encode(record).strip(b"\n")


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_it_is_read_as_it_was_written(record: Record) -> None:
    line = line_of(record)
    assert decode(line) == record
    assert len(line) < MAX_LINE
    assert encode(record).startswith(b"\n")
    assert encode(record).endswith(b"\n")


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_what_is_cut_short_or_changed_says_nothing(record: Record) -> None:
    line = line_of(record)
    assert not any(decode(line[:n_bytes]) for n_bytes in range(len(line)))
    assert not any(decode(line[:i] + bytes([line[i] ^ 1]) + line[i + 1 :]) for i in range(len(line)))


@pytest.mark.parametrize(
    "record",
    [
        said.Begin("0123", 1),
        said.Begin(A, -1),
        said.Begin(A, NO_LIMIT + 1),
        said.Begin(A, "1" * 200),  # type: ignore[arg-type]
        said.Begin(A, 1.5),  # type: ignore[arg-type]
        said.Begin(A, "\u0661"),  # type: ignore[arg-type]
        said.Enter(A, 1, "../x", "-", 1),
        said.Enter(A, 1, KEY, "somebody", 1),
        said.Enter(A, 1, KEY, "", 1),
        said.Dead(f"{A} {A}"),
        said.Dead(""),
        said.Time(-1),
        said.Time(10**14),
        said.Time("\u0661"),  # type: ignore[arg-type]
    ],
)
def test_what_has_another_form_says_nothing(record: Record) -> None:
    assert decode(line_of(record)) is None


@pytest.mark.parametrize("text", [b"", b" ", b"unknown 1", b"begin", b"seal 1", b"\xff\xfe"])
def test_what_is_no_record_says_nothing(text: bytes) -> None:
    assert decode(text) is None
    assert decode(b"%b %08x" % (text, zlib.crc32(text))) is None


def test_no_name_of_a_tenant_is_written() -> None:
    assert "somebody" not in tenant_of("somebody@example.org")
    assert tenant_of("x") != tenant_of("y")
    assert tenant_of("\udcff") == tenant_of("\udcff")  # names of files may hold such
