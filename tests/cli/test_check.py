"""`workqueue check`: each way to break the contract is named to the program's author."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue.cli import main
from workqueue.cli.findings import find_problems, find_warnings
from workqueue.cli.recording import Recording
from workqueue.program.exit_status import STATUS_LOST
from workqueue.program.hints import TQDM_FIX


def check(program: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    return main(["check", str(program), "a"]), capsys.readouterr().out


def test_a_good_program_has_nothing_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = write_program(tmp_path / "program", r'printf "0.5\thalf\n1\n"; echo built >"$output"')
    status, report = check(program, capsys)
    assert status == 0
    assert "printed 2 lines of progress, wrote 6 bytes" in report
    assert report.endswith("It keeps the contract.\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'echo junk; echo 0.5; echo x >"$output"',
            r"stdout must look like '0.25\tmessage', 0 to 1; got 'junk'",
        ),
        ('echo 1.5; echo x >"$output"', "got '1.5'"),
        ('head -c 70000 /dev/zero; echo x >"$output"', "line 1 of stdout is longer than 65536 bytes: '\\x00"),
        ('seq 2 100; echo x >"$output"', "and 79 more such lines"),
        ('echo 0.5; echo 0.4; echo x >"$output"', "its fraction goes backwards 1 time; it must only grow"),
        ('echo x >"$output"', "it printed no progress"),
        ('echo 25%; echo x >"$output"', "got '25%'; print 0.25: a fraction of 1, not a percentage"),
        ('echo 1/4; echo x >"$output"', "got '1/4'; print 0.25: the quotient, not its two numbers"),
        ('echo 0,25; echo x >"$output"', "got '0,25'; print 0.25: with a point, whatever the locale"),
        ('echo 0_1; echo x >"$output"', "got '0_1'; print the number without an underscore"),
        ('echo 0.5; printf junk; echo x >"$output"', "line 2 of stdout must look like"),
        (
            "printf 'x:  10%%|#   | 3/30 [00:00<00:00, 32.85it/s]\\r'; echo x >\"$output\"",
            f"tqdm draws its bars for people: {TQDM_FIX}",
        ),
        (
            "printf '\\rx:  10%%|#   | 3/30 [00:00<00:00, 32.85it/s]' >&2; echo x >\"$output\"",
            f"it printed no progress; tqdm draws its bars on stderr, for people: {TQDM_FIX}",
        ),
        ("echo 0.5; echo no such set >&2; exit 3", "it exited with status 3; its stderr: no such set"),
        ("echo 0.5; exit 75", "it exited with status 75, which means that it should be run again later; its stderr"),
        ("echo 0.5; kill -9 $$", "it was ended by SIGKILL; its stderr: (empty)"),
        ("echo 0.5", "it should have written to its output file"),
        ("echo 0.5; { echo no such command >&2; exit 3; } | cat", "its output file; its stderr: no such command"),
        ('echo 0.5; rm "$output"', "Failed to stat output file"),
        ('echo 0.5; rm "$output"; mkdir "$output"', "its output file must be a regular file; it left a directory"),
    ],
)
def test_each_breach_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str) -> None:
    status, report = check(write_program(tmp_path / "program", text), capsys)
    assert status == 1
    assert problem in report
    assert report.endswith(" to mend.\n")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('echo 1; printf x >"$output"', "printed 1 line of progress, wrote 1 byte."),
        ('echo 0; echo 1; echo x >"$output"', "printed 2 lines of progress, wrote 2 bytes."),
        (
            'echo x >"$output"',
            "printed 0 lines of progress, wrote 2 bytes.\n- it printed no progress\n1 problem to mend.",
        ),
        ('echo 1; echo 0; echo 1; echo 0; echo x >"$output"', "- its fraction goes backwards 2 times;"),
        ("seq 2 22; echo 1", "- and 1 more such line\n"),
        (
            "exit 1",
            "left no result.\n- it printed no progress\n- it exited with status 1; its stderr: (empty)\n2 problems",
        ),
    ],
)
def test_one_thing_and_several_are_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, summary: str
) -> None:
    assert summary in check(write_program(tmp_path / "program", text), capsys)[1]


def test_an_end_by_a_signal_without_a_name_is_told_by_its_number() -> None:
    ended = Recording(lines=[(0.1, b"1")], returncode=-40, duration=0.1)
    assert list(find_problems(ended)) == ["it was ended by signal 40; its stderr: (empty)"]


def test_a_program_that_cannot_start_is_told_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = check(tmp_path / "missing", capsys)
    assert (status, report) == (1, f"Cannot start the program {tmp_path / 'missing'}: there is no such file\n")


def recording(*moments: float, duration: float) -> Recording:
    """A run that printed a good line at each of these moments, in seconds."""
    return Recording(lines=[(at, b"0.5") for at in moments], duration=duration)


def test_silence_is_named_wherever_it_is() -> None:
    for silent in (recording(11, duration=12), recording(1, 13, duration=14), recording(1, duration=12)):
        assert any("it printed nothing for 1" in problem for problem in find_problems(silent))
    assert list(find_problems(recording(5, 14, duration=20))) == []


def test_output_that_was_held_back_is_named() -> None:
    assert list(find_problems(recording(4.9, 4.9, 4.9, duration=5))) == [
        "all 3 lines came in the last moment of 5.0 s; flush stdout after each line"
    ]
    assert list(find_problems(recording(0.05, 0.05, duration=0.05))) == []
    assert list(find_problems(recording(0.1, 4.9, duration=5))) == []


def test_the_hint_of_many_lines_of_a_kind_is_given_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'for i in 1 2 3; do echo $i%; echo $i/3; done; echo x >"$output"'
    _, report = check(write_program(tmp_path / "program", text), capsys)
    assert report.count("not a percentage") == report.count("the quotient") == 1
    assert report.count("must look like") == 6


WARNED = [
    ('echo 0.5; printf 0.95; echo x >"$output"', "its last line, '0.95', has no newline"),
    (
        'echo 0.25; echo x >"$output"',
        "it exited with status 0, but its last fraction was 0.25; has it done",
    ),
    (
        'echo 1; (exit 3) | cat; echo x >"$output"',
        "line 3 of the program, 'echo 1; (exit 3) | cat; echo x >\"$output\"', is a pipe: its exit status is that",
    ),
]


@pytest.mark.parametrize(("text", "warning"), WARNED)
def test_what_may_be_a_mistake_is_a_warning_and_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, warning: str
) -> None:
    status, report = check(write_program(tmp_path / "program", text), capsys)
    assert status == 0
    [line] = [line for line in report.splitlines() if line.startswith("- ")]
    assert line.startswith("- warning: ")
    assert warning in line
    assert report.endswith("It keeps the contract.\n")


def test_a_program_that_fails_is_not_warned_of_its_fraction_or_its_pipes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = check(write_program(tmp_path / "program", "echo 0.25; exit 3 | cat; exit 3"), capsys)
    assert status == 1
    assert "warning" not in report


def test_a_loop_that_prints_before_each_of_ten_items_is_not_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'for i in 0 1 2 3 4 5 6 7 8 9; do echo 0.$i; done; echo x >"$output"'
    assert "warning" not in check(write_program(tmp_path / "program", text), capsys)[1]


def test_a_lost_exit_status_is_to_be_mended() -> None:
    lost = Recording(lines=[(0.1, b"1")], returncode=None, duration=0.1)
    assert list(find_problems(lost)) == [STATUS_LOST]
    assert list(find_warnings(lost, None)) == []


def test_a_program_that_may_be_run_and_not_read_is_checked_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No script may: a copy of the shell, which finds no script named "a"."""
    shell = shutil.which("sh")
    assert shell is not None
    program = Path(shutil.copyfile(shell, tmp_path / "program"))
    program.chmod(0o111)
    status, report = check(program, capsys)
    assert status == 1
    assert "it exited with status" in report


def test_a_last_line_on_which_nothing_is_to_be_seen_is_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sequence that shows the cursor again."""
    program = write_program(tmp_path / "program", r"""printf '1\n\033[?25h'; echo x >"$output" """)
    assert check(program, capsys)[1].splitlines()[1:] == ["It keeps the contract."]
