"""`workqueue run`, in this process and as the real command."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import pytest

from tests.conftest import write_program
from tests.descendants import Descendants
from workqueue import WorkQueue
from workqueue.cli import main
from workqueue.progress import Progress, failed, succeeded
from workqueue.terminal.bar import describe, draw
from workqueue.testing import ScriptedProgram, exit_with, output, print_error, say, wait


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "workqueue", *map(str, arguments)]


def test_it_prints_the_progress_for_people_and_the_path_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5, "half"), output(b"built"))
    assert main(["run", str(program.path), "a", "b", "--storage", str(tmp_path / "storage")]) == 0
    printed = capsys.readouterr()
    assert Path(printed.out.strip()).read_bytes() == b"built"
    assert printed.err.splitlines()[-2:] == ["program:  50%  half", "program: 100%  built"]
    assert program.runs[0][:-1] == ["a", "b"]


def test_what_is_built_is_not_built_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    arguments = ["run", str(program.path), "a", "--storage", str(tmp_path / "storage")]
    assert [main(arguments), main(arguments)] == [0, 0]
    printed = capsys.readouterr()
    first, second = printed.out.splitlines()
    assert first == second
    assert len(program.runs) == 1
    assert re.fullmatch(r"already built, \d+ s ago; --refresh builds it again", printed.err.splitlines()[-1])


def test_a_refresh_builds_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    arguments = ["run", str(program.path), "a", "--storage", str(tmp_path / "storage")]
    assert [main(arguments), main([*arguments, "--refresh"])] == [0, 0]
    assert "already built" not in capsys.readouterr().err
    assert len(program.runs) == 2


def test_a_name_and_a_version_say_whose_result_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the server was told; see `WorkQueue`."""
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    arguments = ["run", str(program.path), "a", "--storage", str(tmp_path / "storage")]
    with WorkQueue("/bin/sh", storage_dir=tmp_path / "storage", name="docsets", version="2") as queue:
        assert main([*arguments, "--name", "docsets", "--version", "2"]) == 0
        assert capsys.readouterr().out.strip() == str(queue.destination_path_for_params(("a",)))
        assert queue.ensure_run(("a",)) is None
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--name", "docsets", "--version", "\0"])
    assert "must not contain a NUL character" in capsys.readouterr().err


def test_a_result_may_be_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = write_program(tmp_path / "program", 'test -d "$output" && printf built > "$output/file"')
    arguments = ["run", "--result", "directory", str(program), "a", "--storage", str(tmp_path / "storage")]
    assert [main(arguments), main(arguments)] == [0, 0]
    first, second = map(Path, capsys.readouterr().out.splitlines())
    assert first == second
    assert (first / "file").read_text() == "built"


def test_a_failure_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = ScriptedProgram(tmp_path / "program", print_error("no such set"), exit_with(3))
    assert main(["run", str(program.path), "--storage", str(tmp_path / "storage")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Exited with code 3\nstderr:\nno such set" in printed.err


def test_bad_arguments_are_told_as_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "/bin/sh", "x" * 10_000, "--storage", str(tmp_path)]) == 2
    assert "field 0 must be at most 8192 bytes long" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["run", "program"])
    assert "--storage" in capsys.readouterr().err


def test_an_interrupt_stops_the_program_and_leaves_nothing(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", wait("for ever"))
    process = subprocess.Popen(
        command("run", program.path, "--storage", tmp_path / "storage"), stderr=subprocess.PIPE, text=True
    )
    program.wait_reached("for ever")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.endswith("Interrupted.\n")
    assert list((tmp_path / "storage" / ".tmp").iterdir()) == []


def test_ctrl_c_on_a_terminal_stops_the_program_and_leaves_nothing(tmp_path: Path) -> None:
    """The terminal sends it to all of its foreground; the program is not part of that, and is stopped by us."""
    program = ScriptedProgram(tmp_path / "program", say(0.5), wait("for ever"))
    to_foreground = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-c", to_foreground, *command("run", program.path, "--storage", tmp_path / "storage")],
            stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True, text=True,
        )  # fmt: skip
        os.close(theirs)
        program.wait_reached("for ever")
        descendants = Descendants(process.pid)
        terminal.write(b"\x03")
        _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.endswith("Interrupted.\n")
    assert "Traceback" not in error
    descendants.wait_gone()
    assert list((tmp_path / "storage" / ".tmp").iterdir()) == []


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5, "half [way]"), output(b"built"))
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            command("run", program.path, "--storage", tmp_path / "storage"),
            stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while data := terminal.read(65536):
                shown += data
        except OSError:  # Linux: the other end of the terminal was closed
            pass
        assert process.wait(timeout=20) == 0
    assert "━".encode() in shown
    assert b"100%" in shown
    assert b"built" in shown


def test_without_rich_a_terminal_gets_lines_and_a_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert draw([Progress(fraction=0.5), succeeded()], "label", sys.stderr) == succeeded()
    assert capsys.readouterr().err.splitlines() == [
        "For a progress bar: pip install 'overview-plugin-workqueue[cli]'",
        "label:  50%  running",
        "label: 100%  built",
    ]


def test_a_heartbeat_is_not_printed_again(capsys: pytest.CaptureFixture[str]) -> None:
    draw([Progress(fraction=0.5)] * 3, "label", sys.stderr)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(), "starting"),
        (Progress(n_ahead_in_queue=3), "waiting, 3 ahead in the queue"),
        (Progress(3, eta=0.0), "waiting, 3 ahead in the queue, starts in less than a minute"),
        (Progress(3, eta=50.0), "waiting, 3 ahead in the queue, starts in about 1 min"),
        (Progress(3, eta=150.1), "waiting, 3 ahead in the queue, starts in about 3 min"),
        (Progress(3, eta=1000.0), "waiting, 3 ahead in the queue, starts in about 15 min"),
        (Progress(3, eta=7300.0), "waiting, 3 ahead in the queue, starts in about 2 h"),
        (Progress(fraction=0.1), "running"),
        (Progress(fraction=0.1, message="step"), "step"),
        (succeeded(), "built"),
        (failed("why"), "failed"),
    ],
)
def test_every_event_has_words(progress: Progress, words: str) -> None:
    assert describe(progress) == words


def test_a_wait_behind_another_process_is_told_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is new, and has seen no run end; the durations are as somebody tells it who has."""
    monkeypatch.setattr("workqueue.jobs.recent_runs.RecentRuns.seconds", lambda _: (200.0,) * 10)
    program = ScriptedProgram(tmp_path / "program", say(0.5), wait("gate"), output(b"built"))
    told: list[str] = []

    def watch(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
        last = None
        for last in stream:
            if not told:
                program.release("gate", times=2)
            told.append(describe(last))
        return last

    monkeypatch.setattr("workqueue.cli.run.draw", watch)
    storage = tmp_path / "storage"
    with program, WorkQueue(program.path, storage_dir=storage, max_running=1) as queue:
        job = queue.ensure_run(("other",))
        assert job is not None
        program.wait_reached("gate")
        assert main(["run", str(program.path), "a", "--storage", str(storage)]) == 0
        assert job.wait(60).returncode == 0
    assert told[0] == "waiting, 1 ahead in the queue, starts in about 2 min"
    assert told[-1] == "built"


def test_the_bar_is_drawn_in_this_process_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    last = draw(
        [Progress(n_ahead_in_queue=1), Progress(fraction=0.5, message="[half]"), failed("why")], "label", sys.stderr
    )
    assert last == failed("why")
    assert "failed" in capsys.readouterr().err


def test_a_stream_without_events_has_no_last_one() -> None:
    assert draw([], "label", sys.stderr) is None


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("run ", "check ", "demo "))


def test_an_interrupt_in_a_command_has_the_usual_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workqueue.cli.run.draw", interrupt)
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    assert main(["run", str(program.path), "--storage", str(tmp_path / "storage")]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_reader_who_has_left_is_no_traceback(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5), output(b"built"))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command("check", program.path), stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_console_script_is_the_same_command() -> None:
    script = Path(sys.executable).with_name("workqueue")
    printed = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("usage: workqueue")
