"""A program may be a path, Python's source, or a command; one that is not there is told when the queue is made."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import WorkQueue
from workqueue.errors import ProgramError
from workqueue.program.command import command_of, name_of, path_of

MakeQueue = Callable[..., WorkQueue]

BUILD = "import sys\nopen(sys.argv[-1], 'w').write(repr((sys.prefix, sys.argv[1:-1])))\n"


def built(queue: WorkQueue, *fields: str) -> str:
    job = queue.ensure_run(fields)
    assert job is not None
    assert job.wait(10).error is None
    with queue.open_result(fields) as path:
        return path.read_text()


def test_a_command(make_queue: MakeQueue, tmp_path: Path) -> None:
    (tmp_path / "build.py").write_text(BUILD)
    queue = make_queue([sys.executable, "-B", tmp_path / "build.py", "first"])
    assert queue.program_path == Path(sys.executable)
    assert built(queue, "a", "b") == repr((sys.prefix, ["first", "a", "b"]))


def test_a_name_is_looked_for_on_the_programs_path(make_queue: MakeQueue, tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "build-it", 'echo "$1 $2" > "$output"')
    queue = make_queue(("build-it", "x"), env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})
    assert built(queue, "a") == "x a\n"


def test_source_without_an_execute_bit_runs_by_this_interpreter(make_queue: MakeQueue, tmp_path: Path) -> None:
    path = tmp_path / "build.py"
    path.write_text(BUILD)
    path.chmod(0o644)
    queue = make_queue(path)
    assert queue.program_path == path
    assert built(queue, "a") == repr((sys.prefix, ["a"]))


def test_source_with_an_execute_bit_runs_by_what_its_first_line_names(make_queue: MakeQueue, tmp_path: Path) -> None:
    path = write_program(tmp_path / "build.py", 'echo a shell > "$output"')
    assert built(make_queue(path), "a") == "a shell\n"


def test_a_relative_path_in_a_command_is_resolved_when_the_queue_is_made(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path / "program", 'echo "$1" > "$output"')
    monkeypatch.chdir(tmp_path)
    queue = make_queue(["./program", "./x"], storage_dir=tmp_path / "results")
    monkeypatch.chdir("/")
    assert built(queue, "a") == "./x\n"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("missing", r"Cannot start the program .*/missing: there is no such file"),
        ("directory", r"Cannot start the program .*/directory: it is a directory"),
        ("plain", r"Cannot start the program .*/plain: it is not executable; chmod \+x it"),
        (["no-such-command-at-all"], "there is no no-such-command-at-all on PATH"),
        (["./missing", "x"], "there is no such file"),
    ],
)
def test_one_that_is_not_there_is_told_when_the_queue_is_made(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "plain").touch(mode=0o644)
    with pytest.raises(ProgramError, match=message):
        make_queue(program)


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ([], ValueError, "got an empty sequence"),
        (b"program", TypeError, "got bytes"),
        (3, TypeError, "got int"),
        (["a", 3], TypeError, "int"),
        ([b"a"], TypeError, "bytes"),
        ("a\0b", ValueError, "NUL"),
    ],
)
def test_what_can_be_no_program_is_refused(program: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        command_of(program)


def test_the_file_that_a_command_is_about(tmp_path: Path) -> None:
    assert path_of(command_of(tmp_path / "x" / ".." / "program")) == tmp_path / "program"
    assert path_of(command_of(["python3", "build.py"])) == Path("python3")
    assert command_of(os.fspath(tmp_path)) == (str(tmp_path),)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/srv/build"], "build"),
        (["/usr/bin/python3", "/srv/build.py", "--fast"], "build.py"),
        (["/srv/build.py", "--config", "settings.py"], "build.py"),
        (["/bin/sh", "-c", "make"], "sh"),
    ],
)
def test_what_people_call_a_command(command: list[str], name: str) -> None:
    assert name_of(command_of(command)) == name
