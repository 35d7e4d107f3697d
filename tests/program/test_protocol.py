"""Bytes printed -> Progress: whatever is printed, however it is cut."""

import itertools
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue import Progress
from workqueue.program.lines import MAX_LINE_BYTES, LineSplitter, UniversalNewlines
from workqueue.program.protocol import LINES_LOOKED_AT, OutputParser, parse_line

SAMPLE = b"0.25\n0.5\thalf \xc3\xa9\r\njunk\n\n1e309\n0.75\tthree\tquarters\n\xff\n0.8"

#: What ends a line, and what does not, beside one another; and what can be cut: the mark, an end of a line, a sequence.
REDRAWN = b"\xef\xbb\xbf\r0.1\ta\r\r\n0.2\t\x1b]0;title\x07b\r\n\n\rjunk\r0.9\t\x1b(Bc\x1b\\\r\n\r\n\r0.95\td"


class Parsed:
    """What a parser made of some pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.bad: list[bytes] = []
        self.newest: Progress | None = None
        self.parser = OutputParser(self.bad.append)
        for piece in pieces:
            self.newest = self.parser.feed(piece) or self.newest

    def finish(self) -> "Parsed":
        """The program has ended."""
        self.newest = self.parser.finish() or self.newest
        return self


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces, cut at these places."""
    return [data[a:b] for a, b in itertools.pairwise([0, *sorted(places), len(data)])]


def model(data: bytes) -> Progress | None:
    """The newest progress, found without any care for memory or time."""
    lines = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    good = [progress for line in lines[:-1] if (progress := parse_line(line)) is not None]
    return good[-1] if good else None


@pytest.mark.parametrize(
    ("line", "fraction", "message"),
    [
        (b"0", 0.0, None),
        (b"1", 1.0, None),
        (b"0.25", 0.25, None),
        (b".5", 0.5, None),
        (b"5e-1", 0.5, None),
        (b" 0.25 ", 0.25, None),
        (b"0.25\r", 0.25, None),
        (b"0.25\tparsed 3 of 12", 0.25, "parsed 3 of 12"),
        (b"0.25\tparsed\r", 0.25, "parsed"),
        (b"0.25\t", 0.25, ""),
        (b"0.25\ta\tb", 0.25, "a b"),
        (b"0.25\tcaf\xc3\xa9", 0.25, "café"),
        (b"0.25\tcaf\xe9", 0.25, "caf\N{REPLACEMENT CHARACTER}"),
        (b"0.25\t\x1b[1;31mred\x1b[0m", 0.25, "red"),
        (b"5e-05", 0.00005, None),  # as Python prints a small one
        (b"+1.", 1.0, None),
        (b"0.25\ta\x00b\x07c\x7fd\xc2\x85e", 0.25, "abcde"),
        ("0.25\ta\u202eb\u2066c\u2069d\u2028e\u2029f".encode(), 0.25, "abcdef"),
        ("0.25\t\u05e9\u05dc \u0645\u0631".encode(), 0.25, "\u05e9\u05dc \u0645\u0631"),  # right to left by itself
    ],
)
def test_a_good_line_is_read(line: bytes, fraction: float, message: str | None) -> None:
    assert parse_line(line) == Progress(fraction=fraction, message=message)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\t",
        b"\tmessage",
        b"junk",
        b"nan",
        b"NaN\tmessage",
        b"-nan",
        b"inf",
        b"-inf",
        b"Infinity",
        b"-0.1",
        b"-5e-324",
        b"1.1",
        b"1.0000000000000002",
        b"1e309",
        b"-1e309",
        b"_0.5",
        b"0._5",
        b"0.5_",
        b"1_0",
        b"0_1",
        b"0_0\tmessage",
        b"0.2_5",
        b"0e0_1",
        b"0,5",
        b"0x0.8p0",
        b"50%",
        b"0.5 message",
        b"\xff",
        b"\xef\xbb\xbf0.5",
        "\u0660".encode(),  # a zero, but not of ASCII
        "\u0660.\u0665\ta".encode(),
        "\uff10".encode(),
        "0.5\u00a0".encode(),
        "\u2212".encode() + b"0",
        b"0.5\x00",
        b"0.5\t" + b"x" * MAX_LINE_BYTES,
    ],
)
def test_a_bad_line_is_no_progress(line: bytes) -> None:
    assert parse_line(line) is None


ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (f"{ESC}[31mred{ESC}(B{ESC}[m plain", "red plain"),  # tput setaf 1, tput sgr0
        (f"a{ESC})0b{ESC}*Bc{ESC}-Ad{ESC}%Ge{ESC}#8f{ESC} Fg", "abcdefg"),  # character sets
        (f"{ESC}]0;title{BEL}text", "text"),
        (f"{ESC}]8;;http://x/y{ST}doc{ESC}]8;;{ST}", "doc"),  # a hyperlink
        (f"{ESC}]8;;http://x/y\x9cdoc{ESC}]8;;\x9c", "doc"),
        (f"{ESC}]0;tab\tin it{BEL}\ttext", " text"),
        (f"{ESC}]P0a0B1c2text{ESC}]R", "text"),  # the Linux console's palette, which nothing ends
        (f"{ESC}Pq#0;2;0;0;0{ST}picture", "picture"),  # DCS
        (f"{ESC}P{BEL}more{ST}text", "text"),  # only an OSC is ended by BEL
        (f"{ESC}_Gf=100;AAAA{ST}picture", "picture"),  # APC
        (f"{ESC}^private{ST}{ESC}Xstring{ST}text", "text"),  # PM, SOS
        (f"{ESC}kwindow{ST}text", "text"),  # a title of screen's
        (f"{ESC}Ptmux;{ESC}{ESC}]0;title{BEL}{ST}text", "text"),
        (f"{ESC}OPa{ESC}Nqb", "ab"),  # SS3, SS2
        (f"{ESC}7a{ESC}8b{ESC}=c{ESC}>d{ESC}Me{ESC}cf", "abcdef"),  # two characters
        (f"{ESC}[?25la{ESC}[2Kb{ESC}[38;2;1;2;3mc{ESC}[4:3md{ESC}[ qe{ESC}[!pf", "abcdef"),
        ("\x9b31mred\x9bm", "red"),  # of one character each
        ("\x9d0;title\x9ctext", "text"),
        ("\x9d0;title\x07text", "text"),
        ("\x90q\x9c\x98s\x9c\x9ep\x9c\x9fa\x9ctext", "text"),
        # Not ended, or broken off
        (f"text{ESC}", "text"),
        (f"text{ESC}[", "text"),
        (f"text{ESC}[31", "text"),
        (f"text{ESC}[31é", "texté"),
        (f"text{ESC}(", "text"),
        (f"text{ESC}]0;title", "text"),
        (f"text{ESC}Pq", "text"),
        (f"a{ESC}]0;title{ESC}[31mb", "ab"),  # the next sequence ends it
        (f"a{ESC}]0;title\x18b", "ab"),  # so does CAN
        ("text\x9b", "text"),
        # Text that was encoded twice, with what would begin a string
        ("gro\u00c3\u009f und schnell", "gro\u00c3 und schnell"),
        ("\u00e2\u0080\u009dquoted\u00e2\u0080\u009d twice", "\u00e2quoted\u00e2 twice"),
        # Nothing of this is one
        ("a [31m b ]0; c (B \\", "a [31m b ]0; c (B \\"),
    ],
)
def test_nothing_of_an_escape_sequence_is_left(printed: str, message: str) -> None:
    assert parse_line(b"0.1\t" + printed.encode()) == Progress(fraction=0.1, message=message)


@pytest.mark.parametrize(
    "piece", [f"{ESC}]", f"{ESC}P", f"{ESC}[0;", f"{ESC}[ ", ESC, "\x9d", "\x9b0", "\x90\x9d", f"{ESC}]\x9d", "\x9b  "]
)
def test_sequences_that_nobody_ends_take_no_time(piece: str) -> None:
    line = b"0.5\t" + piece.encode() * ((MAX_LINE_BYTES - 4) // len(piece.encode()))
    before = time.thread_time()
    assert parse_line(line) is not None
    assert time.thread_time() - before < 1.0


def test_minus_zero_is_zero() -> None:
    progress = parse_line(b"-0.0")
    assert progress is not None
    assert str(progress.fraction) == "0.0"


def test_nothing_printed_can_say_that_the_program_has_finished() -> None:
    progress = Parsed(b'1.0\t{"returncode": 0, "error": null}\n').newest
    assert progress is not None
    assert (progress.returncode, progress.error, progress.n_ahead_in_queue) == (None, None, 0)


def test_all_ways_to_cut_a_sample_in_three_give_the_same_result() -> None:
    whole = Parsed(SAMPLE)
    assert whole.newest == Progress(fraction=0.75, message="three quarters")
    assert sorted(whole.bad) == [b"", b"1e309", b"junk", b"\xff"]
    for places in itertools.combinations_with_replacement(range(len(SAMPLE) + 1), 2):
        parsed = Parsed(*cut(SAMPLE, list(places)))
        assert (parsed.newest, sorted(parsed.bad)) == (whole.newest, sorted(whole.bad)), places


def test_all_ways_to_cut_redrawn_lines_in_three_give_the_same_result() -> None:
    whole = Parsed(REDRAWN).finish()
    assert whole.newest == Progress(fraction=0.95, message="d")
    assert sorted(whole.bad) == [b"", b"junk"]
    for places in itertools.combinations_with_replacement(range(len(REDRAWN) + 1), 2):
        parsed = Parsed(*cut(REDRAWN, list(places))).finish()
        assert (parsed.newest, sorted(parsed.bad)) == (whole.newest, sorted(whole.bad)), places


@pytest.mark.parametrize(
    ("printed", "lines", "unfinished"),
    [
        (b"a\rb\rc\r", [b"a", b"b", b"c"], b""),  # drawn, then gone back: curl, ffmpeg
        (b"\ra\rb\n", [b"a", b"b"], b""),  # gone back, then drawn: tqdm, wget
        (b"\ra\rb", [b"a"], b"b"),
        (b"a\r\nb\r\n", [b"a", b"b"], b""),
        (b"a\r\n\r\nb", [b"a"], b"b"),
        (b"a\r\r\nb", [b"a"], b"b"),  # a newline made \r\n twice
        (b"\r\r\r\na", [], b"a"),
        (b"a\n\rb\r", [b"a", b"b"], b""),
        (b"a\n\n\nb", [b"a", b"", b""], b"b"),  # as ever
        (b"a\r\n\nb", [b"a", b""], b"b"),
        (b"\n\r\n\ra", [b""], b"a"),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [b"a", b"\xef\xbb\xbfb"], b""),  # a mark, and one that is none
        (b"\xef\xbb\xbf\n\xef\xbb", [b""], b"\xef\xbb"),
        (b"\xef\xbb\xbf\ra", [], b"a"),
        (b"\xef\xbba\r", [b"\xef\xbba"], b""),
        (b"\xef\xbb", [], b"\xef\xbb"),
        (b"\xef\xef\xbb\xbfa", [], b"\xef\xef\xbb\xbfa"),
        (b"", [], b""),
    ],
)
def test_a_line_ends_at_the_same_place_however_the_bytes_are_cut(
    printed: bytes, lines: list[bytes], unfinished: bytes
) -> None:
    for places in itertools.combinations_with_replacement(range(len(printed) + 1), 3):
        newlines, splitter = UniversalNewlines(), LineSplitter()
        found = [line for piece in cut(printed, list(places)) for line in splitter.feed(newlines.feed(piece))]
        splitter.feed(newlines.finish())
        assert (found, splitter.unfinished) == (lines, unfinished), places


def test_the_last_line_counts_without_its_end_once_the_program_has_ended() -> None:
    assert Parsed(b"0.25\n0.5").newest == Progress(fraction=0.25)
    assert Parsed(b"0.25\n0.5").finish().newest == Progress(fraction=0.5)
    assert Parsed(b"0.5\thalf").finish().newest == Progress(fraction=0.5, message="half")
    assert Parsed(b"0.25\n").finish().newest == Progress(fraction=0.25)
    assert Parsed().finish().newest is None


def test_a_bad_last_line_is_told_even_without_its_end() -> None:
    assert Parsed(b"0.5\njunk").finish().bad == [b"junk"]
    assert Parsed(b"0.5\n\xef\xbb").finish().bad == [b"\xef\xbb"]
    assert Parsed(b"\xef\xbb").finish().bad == [b"\xef\xbb"]


def test_a_last_line_on_which_nothing_is_to_be_seen_is_passed_over() -> None:
    """Programs show the cursor again, reset colours and go to the left margin before they end."""
    for end in (b"", b"\r", b"\x1b[?25h", b"\r\x1b(B\x1b[m", b" \t "):
        parsed = Parsed(b"0.5\n", end).finish()
        assert (parsed.newest, parsed.bad) == (Progress(fraction=0.5), [])


def test_an_endless_last_line_is_told_once() -> None:
    parsed = Parsed(b"0.1\t" + b"x" * MAX_LINE_BYTES, b"x" * 10).finish()
    assert parsed.newest is None
    assert [len(line) for line in parsed.bad] == [MAX_LINE_BYTES + 1]


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n", b"\r\r\n", b"\n\r"])
def test_a_flood_is_read_from_its_end_whatever_ends_its_lines(end: bytes) -> None:
    parsed = Parsed(b"junk" + end, (b"bad" + end) * 500 + b"0.5\tgood" + end, b"\n" if end == b"\r" else b"")
    assert parsed.newest == Progress(fraction=0.5, message="good")
    assert set(parsed.bad) == {b"junk", b"bad"}
    assert len(parsed.bad) <= LINES_LOOKED_AT + 1


LINES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"0.5", b"0.25\thello", b"-0.0", b"nan", b"", b"1.1", b"0.75\t\xff", b"\xe2\x80\xae"]),
)


@given(st.lists(LINES, max_size=LINES_LOOKED_AT - 1), st.lists(st.integers(0, 400), max_size=8))
def test_any_lines_in_any_pieces_give_the_newest_progress(lines: list[bytes], places: list[int]) -> None:
    data = b"\n".join(lines)[:400]
    assert Parsed(*cut(data, [min(place, len(data)) for place in places])).newest == model(data)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_in_any_pieces_crash_nothing(pieces: list[bytes]) -> None:
    Parsed(*pieces)


@given(st.lists(st.tuples(st.sampled_from([b"x", b"0.5", b"\n", b"\t"]), st.integers(1, 50_000)), max_size=12))
def test_what_a_splitter_keeps_and_returns_of_a_line_is_bounded(runs: list[tuple[bytes, int]]) -> None:
    splitter = LineSplitter()
    for data, times in runs:
        assert all(len(line) <= MAX_LINE_BYTES + 1 for line in splitter.feed(data * times))
        assert len(splitter.unfinished) <= MAX_LINE_BYTES


@given(
    st.lists(st.integers(0, 3 * MAX_LINE_BYTES), min_size=1, max_size=4), st.lists(st.integers(0, 10**6), max_size=6)
)
def test_lines_are_cut_alike_in_whatever_pieces_they_come(lengths: list[int], places: list[int]) -> None:
    data = b"".join(b"x" * length + b"\n" for length in lengths)
    splitter = LineSplitter()
    pieces = cut(data, [min(place, len(data)) for place in places])
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    assert [len(line) for line in lines] == [min(length, MAX_LINE_BYTES + 1) for length in lengths]


def test_the_longest_line_is_read_and_one_byte_more_is_not() -> None:
    line = b"0.5\t" + b"x" * (MAX_LINE_BYTES - 4)
    assert Parsed(line, b"\n").newest == Progress(fraction=0.5, message="x" * (MAX_LINE_BYTES - 4))
    assert Parsed(line, b"x\n").newest is None


@pytest.mark.parametrize("size", [1_000, 65_536, 200_000])
def test_an_endless_line_is_skipped_counted_once_and_a_good_line_follows(size: int) -> None:
    endless = b"0.1\t" + b"x" * 300_000
    parsed = Parsed(*(endless[i : i + size] for i in range(0, len(endless), size)), b"xxx\n0.5\tgood\n")
    assert parsed.newest == Progress(fraction=0.5, message="good")
    assert [len(line) for line in parsed.bad] == [MAX_LINE_BYTES + 1]


def test_an_endless_line_takes_no_memory_to_speak_of() -> None:
    parsed = Parsed(b"0.25\n")
    piece = b"x" * 65_536
    tracemalloc.start()
    try:
        for _ in range(300):
            parsed.parser.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert parsed.parser.feed(b"\n0.5\n") == Progress(fraction=0.5)


def test_a_line_that_has_not_ended_is_not_progress_yet() -> None:
    parsed = Parsed(b"0.25\n0.")
    assert parsed.newest == Progress(fraction=0.25)
    assert parsed.parser.feed(b"5") is None
    assert parsed.parser.feed(b"\n") == Progress(fraction=0.5)


def test_the_last_lines_of_a_read_are_looked_at_all() -> None:
    parsed = Parsed(b"bad\n" * (LINES_LOOKED_AT - 1) + b"0.5\n")
    assert parsed.newest == Progress(fraction=0.5)
    assert len(parsed.bad) == LINES_LOOKED_AT - 1


def test_lines_before_those_looked_at_are_passed_over_once_there_is_progress() -> None:
    assert Parsed(b"bad\n" * 500 + b"0.5\n").bad == [b"bad"] * (LINES_LOOKED_AT - 1)


def test_a_read_is_searched_back_to_its_last_good_line_however_far() -> None:
    parsed = Parsed(b"0.25\n0.5\n" + b"bad\n" * 500)
    assert parsed.newest == Progress(fraction=0.5)
    assert len(parsed.bad) == 500


def test_a_bad_line_does_not_take_back_the_progress_before_it() -> None:
    parsed = Parsed(b"0.5\n", b"bad\n")
    assert (parsed.newest, parsed.bad) == (Progress(fraction=0.5), [b"bad"])
