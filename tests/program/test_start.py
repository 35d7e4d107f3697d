"""Programs that cannot start: the job ends with an error that names the program and the reason."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import State, WorkQueue
from workqueue.errors import ProgramError
from workqueue.program.command import command_of
from workqueue.program.start import start
from workqueue.testing import ScriptedProgram, collect, output

MakeQueue = Callable[..., WorkQueue]


def fail_to_start(make_queue: MakeQueue, program: Path) -> str:
    """The error of a job whose program cannot start; then the program is mended, and the same parameters run.

    The program becomes what it is after the queue was made, which looks for it.
    """
    aside = program.with_name("aside")
    if os.path.lexists(program):
        program.rename(aside)
    write_program(program, "exit 0")
    queue = make_queue(program)
    program.unlink()
    if os.path.lexists(aside):
        aside.rename(program)
    job = queue.ensure_run(("a",))
    assert job is not None
    events = collect(job)
    assert job.state is State.FAILED
    assert job.n_watchers == 0
    assert list(queue.storage_dir.glob(".tmp/*")) == []
    assert events[-1].returncode == -999
    assert events[-1].error is not None
    prefix = f"Cannot start the program {program.name}: "
    assert events[-1].error.startswith(prefix)

    again = queue.ensure_run(("a",))
    assert again is not None
    assert again.wait(10) == events[-1]
    if program.is_dir():
        program.rmdir()
    write_program(program, 'echo built > "$output"')
    again = queue.ensure_run(("a",))
    assert again is not None
    assert again.wait(10).returncode == 0
    assert queue.ensure_run(("a",)) is None
    return events[-1].error.removeprefix(prefix)


def make_file(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_program_that_is_missing(make_queue: MakeQueue, tmp_path: Path) -> None:
    assert fail_to_start(make_queue, tmp_path / "missing") == "there is no such file"


def test_a_link_to_nothing(make_queue: MakeQueue, tmp_path: Path) -> None:
    (tmp_path / "program").symlink_to(tmp_path / "target")
    assert fail_to_start(make_queue, tmp_path / "program") == "there is no such file"


def test_a_program_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProgramError, match=r"Cannot start the program .*/file/program: there is no such file"):
        start(command_of(tmp_path / "file" / "program"), [])


def test_a_program_without_execute_permission(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = make_file(tmp_path / "program", "#!/bin/sh\n", 0o644)
    assert fail_to_start(make_queue, program) == "it is not executable; chmod +x it"


def test_a_program_without_a_first_line_that_names_its_interpreter(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = make_file(tmp_path / "program", "echo 0.5\n")
    assert (
        fail_to_start(make_queue, program)
        == "it neither begins with '#!' and an interpreter nor is it a binary of this machine"
    )


def test_an_empty_program(make_queue: MakeQueue, tmp_path: Path) -> None:
    reason = fail_to_start(make_queue, make_file(tmp_path / "program", ""))
    assert reason == "it neither begins with '#!' and an interpreter nor is it a binary of this machine"


def test_an_interpreter_that_is_missing(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = make_file(tmp_path / "program", "#!/no/such/python3 -u\n")
    assert (
        fail_to_start(make_queue, program) == "its first line names the interpreter python3, and there is no such file"
    )


def test_a_first_line_that_ends_as_on_windows(make_queue: MakeQueue, tmp_path: Path) -> None:
    """The kernel looks for an interpreter whose name ends with a carriage return."""
    program = make_file(tmp_path / "program", "#!/bin/sh\r\necho 0.5\r\n")
    assert "its first line names the interpreter" in fail_to_start(make_queue, program)


def test_an_interpreter_that_cannot_be_executed(make_queue: MakeQueue, tmp_path: Path) -> None:
    interpreter = make_file(tmp_path / "interpreter", "", 0o644)
    program = make_file(tmp_path / "program", f"#! {interpreter}\n")
    assert (
        fail_to_start(make_queue, program)
        == f"its first line names the interpreter {interpreter.name}, and that cannot be executed"
    )


def test_a_directory_in_place_of_a_program(make_queue: MakeQueue, tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    assert fail_to_start(make_queue, tmp_path / "program") == "it is a directory"


def test_a_link_that_leads_to_itself(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.symlink_to(program)
    with pytest.raises(ProgramError, match=os.strerror(errno.ELOOP)):
        start(command_of(program), [])


def test_a_name_that_is_too_long(make_queue: MakeQueue, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=os.strerror(errno.ENAMETOOLONG)):
        start(command_of(tmp_path / ("x" * 300)), [])


def test_arguments_and_environment_that_are_too_long(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TOO_LONG", "x" * 3_000_000)
        program = ScriptedProgram(tmp_path / "program", output(b"built"))
        queue = make_queue(program.path)
        job = queue.ensure_run(("a",))
        assert job is not None
        reason = f"Cannot start the program {program.path.name}: {os.strerror(errno.E2BIG)}"
        assert job.wait(10).error == reason
    again = queue.ensure_run(("a",))
    assert again is not None
    assert again.wait(10).returncode == 0


def test_the_reason_is_given_also_when_the_first_line_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may be executable and not readable; then its interpreter stays unknown."""
    program = make_file(tmp_path / "program", "#!/no/such/interpreter\n")

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ProgramError, match=os.strerror(errno.ENOENT)):
        start(command_of(program), [])


def test_a_relative_path_is_resolved_when_the_queue_is_made(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path / "here" / "program", 'echo built > "$output"')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    queue = make_queue("./program", storage_dir="storage")
    assert queue.program_path == tmp_path / "here" / "program"
    monkeypatch.chdir(tmp_path / "elsewhere")
    job = queue.ensure_run(("a",))
    assert job is not None
    assert job.wait(10).returncode == 0
    assert (tmp_path / "here" / "storage" / job.key).is_file()


def test_a_program_starts_in_a_group_of_its_own_with_nothing_to_read_and_unbuffered(tmp_path: Path) -> None:
    text = 'echo "$PYTHONUNBUFFERED"; readlink /proc/self/fd/0; cut -d " " -f 5 /proc/$$/stat; echo $$'
    child = start(command_of(write_program(tmp_path / "program", text)), ["a"])
    with open(child.stdout, closefd=False) as stdout:
        unbuffered, stdin, group, pid = stdout.read().split()
    assert (unbuffered, stdin) == ("1", "/dev/null")
    assert int(group) == int(pid) == child.pid != os.getpgrp()
    assert child.reap() == 0
    child.close()


def test_a_program_inherits_no_descriptor(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        program = write_program(tmp_path / "program", f"[ ! -e /dev/fd/{file.fileno()} ]")
        child = start(command_of(program), [])
        assert child.reap() == 0
        child.close()
    assert stat.S_ISREG((tmp_path / "file").stat().st_mode)
