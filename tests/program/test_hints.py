"""A bad line -> what to print instead."""

import time

import pytest

from workqueue.program.hints import is_tqdm, right_form
from workqueue.program.protocol import MAX_LINE_BYTES, parse_line


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (b"25%", "percentage", "print 0.25: "),
        (b" 12.5 %\tparsed", "percentage", "print 0.125: "),
        (b"12,5%", "percentage", "print 0.125: "),
        (b"Downloading:  40% of it", "percentage", "print 0.4: a fraction of 1, not a percentage; `workqueue adapt"),
        (b"##########    100.0%", "percentage", "print 1: "),
        (b" 40%[=====>     ]  1.20M  --.-KB/s    eta 2s", "percentage", "`workqueue adapt percent -- COMMAND`"),  # wget
        (b"  % Total    % Received % Xferd  Average Speed", "curl", "--progress-bar"),
        (b"                                 Dload  Upload   Total", "curl", "--progress-bar"),
        (b"  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0", "curl", "--progress-bar"),
        (b"100 28.6M  100 28.6M    0   0  375M     0  0:00:01  0:00:01 --:--:--  375M", "curl", "--progress-bar"),
        (b"1/4", "quotient", "print 0.25: "),
        (b"[3/12] Building", "quotient", "print 0.25: "),
        (b"3 of 12\tpages", "quotient", "print 0.25: "),
        (b"0/0", "quotient", "print 0: "),
        (b"0,25", "comma", "print 0.25: with a point"),
        (b"0,10\ta", "comma", "print 0.1: "),
        (b",5", "comma", "print 0.5: "),
        (b"0_1", "underscore", "without an underscore"),
        ("\u0660".encode(), "digits", "the digits of ASCII"),
        ("\uff10.\uff15".encode(), "digits", "the digits of ASCII"),
        (b"0.5\\thalf", "tab", "a tab between"),
        (b"0.5 half", "tab", "a tab between"),
        (b"0.5: half", "tab", "a tab between"),
        (b"0.5 - half", "tab", "a tab between"),
        (b"25", "range", "what is done divided by all there is to do"),
        (b"1.0000000000000002", "range", "min(1, fraction)"),
        (b"-0.1\ta", "range", "not a negative one"),
        (b"1e309", "range", "divided by"),
        (b"nan", "NaN", "a finite number"),
        (b"-Infinity\ta", "NaN", "a finite number"),
        (b"half\t0.5", "order", "the number first"),
        (b"", "empty", "no empty line"),
        (b"\x1b[K0.5\thalf", "escapes", "the number and nothing else"),
        (b"\xef\xbb\xbf0.5\thalf", "escapes", "the number and nothing else"),
        ("0.5\n".encode("utf-16-le").removesuffix(b"\n\x00"), "encoding", "print UTF-8"),
        (b"frame=  125 fps= 25 q=-1.0 time=00:00:05.00", "ffmpeg", "`workqueue adapt ffmpeg -- COMMAND`"),
        (b"out_time_us=1000000", "ffmpeg", "`workqueue adapt ffmpeg -- COMMAND`"),
        ("train:  10%|█         | 3/30 [00:00<00:00, 32.85it/s]".encode(), "tqdm", "`workqueue adapt tqdm -- COMMAND`"),
        (b"3it [00:00, 32.85it/s]", "tqdm", "from workqueue.builder import tqdm"),
        (b" 12%|#2        | 1.2M/10M [00:01<00:08, 1MB/s]", "tqdm", "`workqueue adapt tqdm -- COMMAND`"),
    ],
)  # fmt: skip
def test_a_line_of_a_known_kind_is_told_its_right_form(line: bytes, kind: str, words: str) -> None:
    assert parse_line(line) is None
    hint = right_form(line)
    assert hint is not None
    assert hint.kind == kind
    assert words in hint.text
    assert not hint.text.endswith(".")


@pytest.mark.parametrize("line", [b"junk", b"\xff", b"Traceback (most recent call last):", b"250%", b"9/3"])
def test_a_line_like_nothing_known_has_no_hint(line: bytes) -> None:
    assert right_form(line) is None


def test_the_number_that_a_hint_names_is_progress() -> None:
    for percent in range(101):
        hint = right_form(b"%d%%" % percent)
        assert hint is not None
        progress = parse_line(hint.text.removeprefix("print ").partition(":")[0].encode())
        assert progress is not None
        assert progress.fraction == percent / 100


@pytest.mark.parametrize("piece", [b"0", b"1 ", b"0.", b"|", b"1%|", b"\x1b]", b"a\t", b"1/", "\u0660".encode(), b"1_"])
def test_no_line_takes_long(piece: bytes) -> None:
    """Each is an expression's worst case: what might match goes on for ever."""
    before = time.thread_time()
    right_form(piece * (MAX_LINE_BYTES // len(piece)))
    right_form(piece * (MAX_LINE_BYTES // len(piece) + 1))
    assert time.thread_time() - before < 1.0


def test_the_bars_of_tqdm_are_known() -> None:
    assert is_tqdm("train:  10%|█         | 3/30 [00:00<00:00, 32.85it/s]")
    assert not is_tqdm("10% | 3/30")
