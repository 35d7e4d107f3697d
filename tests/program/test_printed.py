"""What real programs print, below a real queue: each line that a person would read becomes an event."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.program.ordeal import wait_for
from workqueue import Progress, WorkQueue
from workqueue.testing import ScriptedProgram, collect, exit_with, output, print_bytes, wait

MakeQueue = Callable[..., WorkQueue]


def read_one_by_one(make_queue: MakeQueue, directory: Path, *pieces: tuple[bytes, Progress]) -> Progress:
    """Print each piece once the one before it was seen as this progress; return the last event."""
    steps = [step for i, (piece, _) in enumerate(pieces) for step in (print_bytes(piece), wait(f"piece{i}"))]
    program = ScriptedProgram(directory / "program", *steps, output(b"built"))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    for i, (_, expected) in enumerate(pieces):
        program.wait_reached(f"piece{i}")
        assert wait_for(job, lambda progress, expected=expected: progress == expected) == expected
        program.release(f"piece{i}")
    return collect(job)[-1]


@pytest.mark.parametrize(
    "pieces",
    [
        (b"0.1\ta\r", b"0.2\tb\r", b"0.9\tc\n"),  # curl, ffmpeg
        (b"\r0.1\ta\r0.", b"2\tb\r0.9\tc", b"\n"),  # wget, tqdm: a line ends when the next one is drawn
        (b"0.1\ta\r\n", b"0.2\tb\r\n", b"0.9\tc\r\n"),
        (b"\xef\xbb\xbf0.1\ta\n", b"0.2\tb\n", b"0.9\tc\n"),
        (b"0.1\t\x1b[31ma\x1b(B\x1b[m\n", b"0.2\t\x1b]8;;http://x/y\x1b\\b\x1b]8;;\x1b\\\n", b"0.9\t\x1b]0;t\x07c\n"),
    ],
)
def test_each_line_is_seen_when_it_has_ended(make_queue: MakeQueue, tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    expected = [
        Progress(fraction=fraction, message=message) for fraction, message in ((0.1, "a"), (0.2, "b"), (0.9, "c"))
    ]
    last = read_one_by_one(make_queue, tmp_path, *zip(pieces, expected, strict=True))
    assert last == Progress(fraction=1.0, returncode=0)


def test_a_last_line_without_its_end_counts_when_the_program_has_ended(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = ScriptedProgram(tmp_path / "program", print_bytes(b"\r0.25\ta\r0.75\tb"), wait("gate"), output(b"built"))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    assert wait_for(job, lambda progress: progress.fraction > 0).message == "a"
    program.wait_reached("gate")
    assert job.current_progress.message == "a"
    program.release("gate")
    assert collect(job)[-2:] == [Progress(fraction=0.75, message="b"), Progress(fraction=1.0, returncode=0)]
    assert caplog.records == []


def test_the_last_line_of_a_program_that_fails_is_told_before_its_end(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", print_bytes(b"0.25\n0.5\treading"), exit_with(3))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    assert [(event.fraction, event.message, event.returncode) for event in collect(job)][-2:] == [
        (0.5, "reading", None),
        (1.0, None, 3),
    ]


@pytest.mark.parametrize(
    ("printed", "shown", "hint"),
    [
        (b"25%\n", "25%", "print 0.25: a fraction of 1, not a percentage"),
        (b"0_1\ta\n", "0_1\\ta", "print the number without an underscore"),
        (
            b"0,10\ta",
            "0,10\\ta",
            "print 0.1: with a point, whatever the locale (LC_ALL=C makes printf and awk print one)",
        ),
    ],
)
def test_the_log_names_the_right_form_behind_the_warning(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture, printed: bytes, shown: str, hint: str
) -> None:
    """The warning itself stays as it was in 1.0.1."""
    program = ScriptedProgram(tmp_path / "program", print_bytes(printed), output(b"built"))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    assert collect(job) == [Progress(), Progress(fraction=1.0, returncode=0)]
    assert [record.getMessage() for record in caplog.records] == [
        f"invalid program: stdout must look like '0.25\\tmessage'; got '{shown}'",
        f"invalid program: {hint}",
    ]


def test_tput_leaves_nothing_in_a_message(make_queue: MakeQueue, tmp_path: Path) -> None:
    """The utility of POSIX, for each terminal that it knows here."""
    if shutil.which("tput") is None:
        pytest.skip("there is no tput on PATH; Debian has it in the package ncurses-bin")
    draw = '"$(tput -T $1 setaf 1; tput -T $1 bold)" "$(tput -T $1 sgr0)" "$(tput -T $1 el; tput -T $1 op)"'
    text = f"printf '0.5\\t%sred%s plain%s\\n' {draw} 2>/dev/null; echo built >\"$output\""
    queue = make_queue(write_program(tmp_path / "program", text))
    for terminal in ("xterm", "xterm-256color", "screen", "vt100", "linux", "ansi", "dumb"):
        job = queue.ensure_run((terminal,))
        assert job is not None
        assert collect(job)[-2] == Progress(fraction=0.5, message="red plain"), terminal
