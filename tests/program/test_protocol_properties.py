"""Bytes printed -> Progress, against a splitter that is too simple to be wrong, and against what no one would print.

What test_protocol.py proves of a few lines is here proved line by line and call by call: with limits so small that
hypothesis passes them all the time, in whatever pieces, and with as many lines in one read as it likes.
"""

import itertools
import math
import random
import tracemalloc
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workqueue import Progress
from workqueue.program import lines as lines_module
from workqueue.program import protocol
from workqueue.program.lines import MAX_LINE_BYTES, LineSplitter, UniversalNewlines
from workqueue.program.protocol import OutputParser, parse_line

#: So small that the shortest examples pass them, and a good line still fits.
FEW_BYTES, FEW_LINES = 7, 3

#: What can break out of its line, or turn round what stands beside it, on somebody's page or terminal.
FORBIDDEN = set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: How many inputs the fuzzer makes: some two seconds.
N_INPUTS = 20_000


class Reference:
    """The same by brute force: all bytes ever fed, split anew each time."""

    def __init__(self, max_line_bytes: int, lines_looked_at: int) -> None:
        self.max_line_bytes = max_line_bytes
        self.lines_looked_at = lines_looked_at
        self.printed = b""
        self.n_lines = 0

    def lines(self) -> list[bytes]:
        """All lines so far; the last one when it has ended, or when it is too long already."""
        *lines, rest = [line[: self.max_line_bytes + 1] for line in self._split()]
        return [*lines, rest] if len(rest) > self.max_line_bytes else lines

    def unfinished(self) -> bytes:
        """The last line, unless it has ended or is too long."""
        rest = self._split()[-1]
        return b"" if len(rest) > self.max_line_bytes else rest

    def _split(self) -> list[bytes]:
        """The lines, byte by byte, and what has begun of the next one."""
        lines, before = [b""], ""
        for character in self.printed.removeprefix(b"\xef\xbb\xbf").decode("latin-1"):
            if character == "\r":
                lines += [b""] * bool(lines[-1])
            elif character != "\n":
                lines[-1] += character.encode("latin-1")
            elif before != "\r":
                lines.append(b"")
            before = character
        return lines

    def feed(self, data: bytes) -> list[bytes]:
        n_before, self.printed = self.n_lines, self.printed + data
        lines = self.lines()
        self.n_lines = len(lines)
        return lines[n_before:]

    def parse(self, data: bytes) -> tuple[Progress | None, list[bytes]]:
        """The newest progress, and the bad lines looked at on the way, from the last one back."""
        looked_at = list(reversed(self.feed(data)))
        good = [i for i, line in enumerate(looked_at) if parse_line(line) is not None]
        if not good:
            return None, looked_at
        end = max(good[0] + 1, self.lines_looked_at)
        return parse_line(looked_at[good[0]]), [line for line in looked_at[:end] if parse_line(line) is None]


@pytest.fixture(scope="module", name="small_limits")
def set_small_limits() -> Iterator[None]:
    """One for all examples: hypothesis runs them inside one test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "MAX_LINE_BYTES", FEW_BYTES)
        patch.setattr(lines_module, "MAX_LINE_BYTES", FEW_BYTES)
        patch.setattr(protocol, "LINES_LOOKED_AT", FEW_LINES)
        yield


# Newlines are likely, so that a piece has many lines; and so are lines as long as the limit, and a little longer.
WORDS = st.sampled_from(
    [
        b"\n",
        b"\n\n\n",
        b"0.5\n",
        b"1\n",
        b"0.25\tab\n",
        b"0.25\tabc\n",
        b"bad\n",
        b"0.5",
        b"\t",
        b"xxxx",
        b"\xff",
        b"\r",
        b"\r\n",
        b"\r0.75",
        b"1\tab\r",
        b"\x1b]",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
    ]
)
PIECES = st.lists(st.lists(WORDS | st.binary(max_size=3), max_size=12).map(b"".join), max_size=10)


@pytest.mark.usefixtures("small_limits")
@settings(max_examples=400)
@given(PIECES)
def test_each_piece_ends_the_lines_that_the_reference_ends(pieces: list[bytes]) -> None:
    newlines, splitter, reference = UniversalNewlines(), LineSplitter(), Reference(FEW_BYTES, FEW_LINES)
    for piece in pieces:
        expected = reference.feed(piece)
        if b"\xef\xbb\xbf".startswith(reference.printed):
            expected = []  # held back: it may be a mark
        assert splitter.feed(newlines.feed(piece)) == expected
        assert len(splitter.unfinished) <= FEW_BYTES
    splitter.feed(newlines.finish())
    assert splitter.unfinished == reference.unfinished()


@pytest.mark.usefixtures("small_limits")
@settings(max_examples=400)
@given(PIECES)
@example([b"0.5", b"\n" * FEW_LINES + b"1\n"])  # a line that began before the lines looked at
@example([b"x" * (FEW_BYTES + 1), b"0.5\n" * (FEW_LINES + 1)])  # the end of a line too long is not a line
@example([b"0.5\n" * FEW_LINES + b"x" * (FEW_BYTES + 1), b"1\n1\n"])
@example([b"1\n", b"bad\n" + b"\r\n" * FEW_LINES + b"0.5\r\n"])  # of the lines looked at, some are none
@example([b"0.5\r\n" * (FEW_LINES + 2) + b"\r", b"\n1\r", b"\n"])  # an end of a line between two reads
@example([b"\xef\xbb", b"\xbf0.5\n" * (FEW_LINES + 2)])
def test_each_piece_gives_the_newest_progress_and_the_bad_lines_that_the_reference_finds(pieces: list[bytes]) -> None:
    bad: list[bytes] = []
    parser, reference = OutputParser(bad.append), Reference(FEW_BYTES, FEW_LINES)
    for piece in pieces:
        bad.clear()
        assert (parser.feed(piece), bad) == reference.parse(piece)


@pytest.mark.usefixtures("small_limits")
@settings(max_examples=200)
@given(PIECES)
def test_the_end_of_the_program_ends_its_last_line(pieces: list[bytes]) -> None:
    bad: list[bytes] = []
    parser, reference = OutputParser(bad.append), Reference(FEW_BYTES, FEW_LINES)
    for piece in pieces:
        parser.feed(piece)
        reference.feed(piece)
    bad.clear()
    progress = parse_line(reference.unfinished())
    assert parser.finish() == progress
    assert set(bad) <= {reference.unfinished()}
    assert parser.finish() is None  # once


@settings(max_examples=400)
@given(st.lists(WORDS | st.binary(max_size=3), max_size=8).map(b"".join), st.lists(st.integers(0, 60), max_size=8))
def test_however_the_bytes_are_cut_the_last_progress_is_the_same(data: bytes, places: list[int]) -> None:
    def parse(*pieces: bytes) -> Progress | None:
        parser = OutputParser(lambda _: None)
        seen = [*(parser.feed(piece) for piece in pieces), parser.finish()]
        return next((progress for progress in reversed(seen) if progress is not None), None)

    cuts = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    assert parse(*(data[a:b] for a, b in itertools.pairwise(cuts))) == parse(data)


def check_harmless(progress: Progress | None) -> None:
    """Fail if a page that shows this progress as it comes could be surprised by it."""
    if progress is None:
        return
    assert math.isfinite(progress.fraction)
    assert 0.0 <= progress.fraction <= 1.0
    assert math.copysign(1.0, progress.fraction) == 1.0
    assert (progress.returncode, progress.error) == (None, None)
    for character in progress.message or "":
        assert unicodedata.category(character) not in ("Cc", "Cs"), progress
        assert character not in FORBIDDEN, progress


FRACTIONS = st.floats().map(repr) | st.sampled_from(["1", "0", "-0", "+1e-400", "1e400", " .5 "])
MESSAGES = st.text() | st.text(st.sampled_from([*FORBIDDEN, *"\x1b[]P(\\\x070;m\x90\x9b\x9c\x9d\x85\r\t\x00a"]))


@settings(max_examples=300)
@given(FRACTIONS, MESSAGES.map(lambda text: text.encode(errors="replace")) | st.binary())
def test_whatever_the_line_its_progress_is_between_0_and_1_and_its_message_has_no_controls(
    fraction: str, message: bytes
) -> None:
    line = fraction.encode() + b"\t" + message
    progress = parse_line(line)
    check_harmless(progress)
    assert (progress is not None) == (0.0 <= float(fraction) <= 1.0 and len(line) <= protocol.MAX_LINE_BYTES)


VALID = [
    b"0.25\n",
    b"1\n",
    b"-0.0\n",
    b"5e-1\tparsed 3 of 12\n",
    b"0.75\tcaf\xc3\xa9\r\n",
    b"0.5\t\x1b[1;31mred\x1b[0m\n",
    b"\r0.5\t\x1b]8;;http://x/y\x1b\\doc\x1b]8;;\x07\x1b(B\r",
    "0.5\tשל \u2067مر\u2069\n".encode(),
]
# What a number, a line, a character or an escape sequence can end in the middle of.
MARKS = [
    b"\n",
    b"\t",
    b"\r",
    b"\x00",
    b"\x1b[",
    b"\x1b]",
    b"\x1bP",
    b"\x07",
    b"\xef\xbb\xbf",
    b"e",
    b"-",
    b".",
    b"_",
    b"nan",
    b"inf",
    b"\xe2\x80",
    b"\xc2",
    b"\xf0\x9f",
]


def mutate(chance: random.Random, data: bytearray) -> None:
    """Damage some bytes: overwrite, insert, cut out, double, or make a run of them, rarely one beyond all limits."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(6):
        case 0:
            data[at : at + 1] = chance.randbytes(1)
        case 1:
            data[at:at] = chance.choice(MARKS)
        case 2:
            del data[at : at + chance.randrange(1, 6)]
        case 3:
            data[at:at] = data[: chance.randrange(64)]
        case 4:
            data[at:at] = chance.choice(VALID)
        case _:
            times = MAX_LINE_BYTES if chance.random() < 0.01 else chance.randrange(100)
            data[at:at] = chance.choice([b"0", b"9", b"\n", b"\x1b", b" ", b"x"]) * times


def fuzzed(chance: random.Random) -> bytes:
    """Valid lines with some damage; one time in five, noise."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(80))
    data = bytearray(b"".join(chance.choices(VALID, k=chance.randrange(1, 4))))
    for _ in range(chance.randrange(1, 6)):
        mutate(chance, data)
    return bytes(data)


def test_a_program_gone_mad_crashes_nothing_and_harms_no_reader() -> None:
    """One parser gets all the inputs, so each begins in whatever state the last one left it."""
    chance, n_bad, n_good = random.Random(20), 0, 0

    def count(line: bytes) -> None:
        nonlocal n_bad
        n_bad += 1
        assert len(line) <= MAX_LINE_BYTES + 1

    parser = OutputParser(count)
    for _ in range(N_INPUTS):
        progress = parser.feed(fuzzed(chance))
        check_harmless(progress)
        n_good += progress is not None
        assert len(parser._splitter.unfinished) <= MAX_LINE_BYTES
    assert min(n_good, n_bad) > N_INPUTS // 10  # else the fuzzer has lost its aim


@pytest.mark.parametrize("character", [b"0", b"\x1b", b" ", b"\xff"])
def test_50_megabytes_without_a_newline_take_no_more_memory_than_one_piece_or_two(character: bytes) -> None:
    """Whatever the line is made of: digits, which are a number, and what is taken out of messages."""
    piece = character * MAX_LINE_BYTES
    parser = OutputParser(lambda _: None)
    tracemalloc.start()
    try:
        parser.feed(b"0.5\t" if character != b"0" else b"0.")
        for _ in range(50_000_000 // len(piece)):
            parser.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 6 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert parser.feed(b"\n0.75\n") == Progress(fraction=0.75)
