"""What other programs print -> progress: recorded output, however it is cut, and hostile output."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.cli.adapters import ADAPTERS, MAX_BYTES
from workqueue.cli.redraws import Redraws
from workqueue.progress import Progress

Told = tuple[float, str | None]


def told(name: str, *pieces: bytes) -> tuple[list[Told], bytes]:
    """What is told, without repetitions, and what is let through."""
    redraws = Redraws(ADAPTERS[name]())
    results = [*map(redraws.feed, pieces), redraws.close()]
    found = [(round(progress.fraction, 4), progress.message) for progress, _ in results if progress is not None]
    return [value for value, _ in itertools.groupby(found)], b"".join(rest for _, rest in results)


def one(name: str, text: str) -> Progress | None:
    return ADAPTERS[name]().read(text, is_whole=True, is_new_row=False)


@pytest.mark.parametrize(
    ("line", "fraction", "message"),
    [
        ("  0%|          | 0/12 [00:00<?, ?it/s]", 0.0, "0/12"),
        (" 25%|##5       | 3/12 [00:01<00:03,  2.99it/s]", 0.25, "3/12"),
        (
            "Reading:  25%|██▌       | 3/12 [00:01<00:03, 2.99it/s, loss=0.1, a=b]",
            0.25,
            "Reading: 3/12, loss=0.1, a=b",
        ),
        ("a: b:  33%|###3 | 1/3 [00:01<00:02,  1.00s/it]", 1 / 3, "a: b: 1/3"),
        ("model.bin:  35%|███▌ | 1.20M/3.40M [00:01<00:01, 1.2MB/s]", 0.35, "model.bin: 1.20M/3.40M"),
        ("100%|\x1b[31m█████\x1b[0m| 12/12 [00:04<00:00,  2.99it/s]   ", 1.0, "12/12"),
        ("Counting: 7it [00:02,  2.99it/s, x=1]", 0.0, "Counting: 7it, x=1"),
        ("7files [00:02,  2.99files/s]", 0.0, "7files"),
    ],
)
def test_bars_of_tqdm(line: str, fraction: float, message: str) -> None:
    assert one("tqdm", line) == Progress(fraction=fraction, message=message)


@pytest.mark.parametrize(
    ("line", "fraction"),
    [
        ("42%", 0.42),
        ("Receiving objects:  42% (123/292), 1.2 MiB | 2 MiB/s", 0.42),
        ("  1,234,567  45%  1.23MB/s    0:00:01", 0.45),
        (" 50K .......... .......... 10% 1.2M 3s", 0.10),
        ("[ 12%] Building CXX object a.o", 0.12),
        ("12,5 %", 0.125),
        ("99.9%", 0.999),
        ("[3/12] Compiling a.c", 0.25),
        ("Indexed 3 of 12 documents", 0.25),
        ("\x1b[1m3/12\x1b[0m", 0.25),
        ("250% faster, 50%", 0.5),
    ],
)
def test_percentages_and_counts(line: str, fraction: float) -> None:
    progress = one("percent", line)
    assert progress is not None
    assert progress.fraction == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        *itertools.product(
            ADAPTERS,
            ["", "hello", "nan%", "-nan%", "inf%", "1e309%", "-5%", "٤٢%", "%", "9" * 5000 + "%", "\ufffd\x00"],
        ),
        *(
            ("percent", line)
            for line in ("250%", "1/2/2024", "/usr/3/4", "13/12", "0/0", "3.5/7", "v1/2", "a-1%", "3 of 2", "1234%")
        ),
        *(("tqdm", line) for line in ("42%", "3/12", "25%|##", "25%| 3/12", "7it", "[00:02, 1it/s]")),
        *(("ffmpeg", line) for line in ("time=00:00:01", "size of it", "frame=", "x=1", "progress", "Duration: N/A")),
    ],
)
def test_what_tells_no_progress(name: str, line: str) -> None:
    progress = one(name, line)
    assert progress is None or (name, line) == ("ffmpeg", "frame=")


NESTED = (
    b"\router:   0%|    | 0/2 [00:00<?, ?it/s]"
    b"\n\rinner:   0%|    | 0/2 [00:00<?, ?it/s]\x1b[A"
    b"\n\rinner:  50%|##  | 1/2 [00:00<00:00,  9.00it/s]\x1b[A"
    b"\n\r                                              \x1b[A"
    b"\n\r\x1b[A"
    b"\router:  50%|##  | 1/2 [00:00<00:00,  4.00it/s]"
    b"\n\rinner:  50%|##  | 1/2 [00:00<00:00,  9.00it/s]\x1b[A"
    b"\router: 100%|####| 2/2 [00:00<00:00,  4.00it/s]\n"
)


def test_a_bar_below_another_refines_it() -> None:
    pieces = [b"a warning\n", *(NESTED[i : i + 1] for i in range(len(NESTED))), b"done\n"]
    found, rest = told("tqdm", *pieces)
    assert [fraction for fraction, _ in found] == sorted(fraction for fraction, _ in found)
    assert {0.0, 0.25, 0.5, 0.75, 1.0} == {fraction for fraction, _ in found}
    assert rest == b"a warning\ndone\n"


def test_a_bar_is_told_before_its_line_has_ended() -> None:
    redraws = Redraws(ADAPTERS["tqdm"]())
    progress, rest = redraws.feed(b"\r 25%|##5       | 3/12 [00:01<00:03,  2.99it/s]")
    assert (progress, rest) == (Progress(fraction=0.25, message="3/12"), b"")


def test_a_number_that_may_go_on_is_waited_for() -> None:
    redraws = Redraws(ADAPTERS["percent"]())
    assert redraws.feed(b"5/10") == (None, b"")
    assert redraws.feed(b"0\r") == (Progress(fraction=0.05, message="5/100"), b"")


FFMPEG = (
    b"Input #0, mov, from 'a.mov':\n  Duration: 00:01:40.00, start: 0.000000, bitrate: 8 kb/s\n"
    b"Press [q] to stop, [?] for help\n"
    b"frame=    0 fps=0.0 q=0.0 size=       0kB time=N/A bitrate=N/A speed=N/A    \r"
    b"frame=  250 fps= 25 q=28.0 size=     256kB time=00:00:25.00 bitrate= 524.3kbits/s speed=1.2x    \r"
    b"frame= 1000 fps= 25 q=-1.0 Lsize=    1024kB time=00:01:40.00 bitrate= 524.3kbits/s speed=1.25x    \n"
    b"video:1000kB audio:0kB\n"
)

BLOCK = (
    b"frame=%d\nfps=25.00\nstream_0_0_q=28.0\nbitrate= 524.3kbits/s\ntotal_size=262144\nout_time_us=%d\n"
    b"out_time_ms=%d\nout_time=00:00:25.000000\ndup_frames=0\ndrop_frames=0\nspeed=%s\nprogress=%s\n"
)


def test_what_ffmpeg_prints_by_itself() -> None:
    redraws = Redraws(ADAPTERS["ffmpeg"]())
    found = [redraws.feed(line)[0] for line in FFMPEG.splitlines(keepends=True)]
    assert [(progress.fraction, progress.message) for progress in found if progress] == [
        (0.0, "00:00:00 of 00:01:40"),
        (0.25, "00:00:25 of 00:01:40 at 1.2x"),
        (1.0, "00:01:40 of 00:01:40 at 1.25x"),
    ]
    _, rest = told("ffmpeg", FFMPEG)
    assert rest.splitlines() == [line for line in FFMPEG.splitlines() if b"time=" not in line]


def test_what_ffmpeg_prints_for_programs() -> None:
    adapter = ADAPTERS["ffmpeg"]()
    stderr, stdout = Redraws(adapter), Redraws(adapter)
    stderr.feed(b"  Duration: 00:01:40.00, start: 0\n  Duration: N/A, start: 0\n  Duration: 00:00:10.00, start: 0\n")
    for block, expected in (
        (BLOCK % (0, -1, -1, b"N/A", b"continue"), (0.0, "00:00:00 of 00:01:40")),
        (BLOCK % (250, 25_000_000, 25_000_000, b" 1.2x", b"continue"), (0.25, "00:00:25 of 00:01:40 at 1.2x")),
        (BLOCK % (990, 99_000_000, 99_000_000, b"1.2x", b"end"), (1.0, "00:01:40 of 00:01:40 at 1.2x")),
    ):
        progress, rest = stdout.feed(block)
        assert progress is not None
        assert ((progress.fraction, progress.message), rest) == (expected, b"")


def test_without_a_duration_the_time_moves() -> None:
    [*_, last], _ = told("ffmpeg", BLOCK % (250, 25_000_000, 25_000_000, b"1.2x", b"continue"))
    assert last == (0.0, "00:00:25 at 1.2x")


def test_a_return_and_a_newline_are_one_end_however_they_come() -> None:
    for pieces in ([b"42%\r\nhello\r\n"], [b"42%\r", b"\nhello\r", b"\n"]):
        assert told("percent", *pieces) == ([(0.42, "42%")], b"hello\r\n")


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("sample", [NESTED, FFMPEG, BLOCK, b"1%\r2%\rhello\r\n\n3/12\nend"])
def test_all_ways_to_cut_a_sample_in_two_end_alike(name: str, sample: bytes) -> None:
    whole, rest = told(name, sample)
    for i in range(len(sample)):
        cut, cut_rest = told(name, sample[:i], sample[i:])
        assert (cut[-1:], cut_rest) == (whole[-1:], rest), i


@pytest.mark.parametrize("name", ADAPTERS)
@given(
    pieces=st.lists(st.binary(max_size=200) | st.sampled_from([NESTED, FFMPEG, b"\r", b"\n", b"1e999%"]), max_size=8)
)
def test_any_bytes_crash_nothing_and_give_fractions(name: str, pieces: list[bytes]) -> None:
    found, _ = told(name, *pieces)
    assert all(0.0 <= fraction <= 1.0 for fraction, _ in found)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("unit", [b" ", b"1", b"1/", b"1%|", b"\x1b[", b"Duration: 1:", b"| 1/1 [", b"frame=", b"\xff"])
def test_a_line_without_end_is_let_through_and_costs_little(name: str, unit: bytes) -> None:
    redraws = Redraws(ADAPTERS[name]())
    data = unit * (1_000_000 // len(unit))
    rest = b"".join(redraws.feed(data[i : i + 65536])[1] for i in range(0, len(data), 65536))
    assert len(redraws._partial) <= 65536
    progress, last = redraws.feed(b"\n")
    assert (progress, rest + last) == (None, data + b"\n")
    for line in (data[:MAX_BYTES], data[: MAX_BYTES // 2] + b" 3/12 [x]", data[: MAX_BYTES // 2] + b"x"):
        redraws.feed(line + b"\n")
