"""`workqueue check`: each way to break the contract is named to the program's author."""

from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue.cli import main
from workqueue.cli.check import find_problems
from workqueue.cli.recording import Recording


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
        ('echo 0.5; echo 0.4; echo x >"$output"', "its fraction goes backwards, 1 times"),
        ('echo x >"$output"', "it printed no progress"),
        ('echo 0.5; printf 0.9; echo x >"$output"', "its last line, '0.9', has no newline"),
        ("echo 0.5; echo no such set >&2; exit 3", "it exited with status 3; its stderr: no such set"),
        ("echo 0.5; kill -9 $$", "it exited with status -9; its stderr: (empty)"),
        ("echo 0.5", "it should have written to its output file"),
        ('echo 0.5; rm "$output"', "Failed to stat output file"),
        ('echo 0.5; rm "$output"; mkdir "$output"', "its output file must be a regular file; it left a directory"),
    ],
)
def test_each_breach_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str) -> None:
    status, report = check(write_program(tmp_path / "program", text), capsys)
    assert status == 1
    assert problem in report
    assert report.endswith(" to mend.\n")


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
        assert any("it was silent for 1" in problem for problem in find_problems(silent))
    assert list(find_problems(recording(5, 14, duration=20))) == []


def test_output_that_was_held_back_is_named() -> None:
    assert list(find_problems(recording(4.9, 4.9, 4.9, duration=5))) == [
        "all 3 lines came in the last moment of 5.0 s: it must flush its stdout after each"
    ]
    assert list(find_problems(recording(0.05, 0.05, duration=0.05))) == []
    assert list(find_problems(recording(0.1, 4.9, duration=5))) == []
