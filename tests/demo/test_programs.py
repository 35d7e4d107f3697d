"""Programs of the demo: known by their numbers, killed, and no process of anybody else's."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.server import TIMEOUT
from workqueue import WorkQueue
from workqueue.demo.programs import Programs
from workqueue.testing import ScriptedProgram

Make = Callable[..., WorkQueue]
PARAMS = ("http://server", "7", "token")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "a directory"
    path.mkdir()
    return path


@pytest.fixture
def programs(directory: Path) -> Programs:
    return Programs(directory)


@pytest.fixture
def stranger() -> Iterator[int]:
    """The number of a process that is no child of this one, and is there until the test has ended."""
    # What is in the background has no stdin of its own, nor has every shell descriptors above 9.
    script = 'exec 3<&0; /bin/sh -c "echo \\$\\$; read _ <&3" & wait'
    with subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        yield int(parent.stdout.readline())
        parent.communicate()


@pytest.fixture(params=["pidfd", "no pidfd"])
def _either_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no pidfd":
        monkeypatch.delattr(os, "pidfd_open", raising=False)


@pytest.mark.usefixtures("_either_kernel")
def test_a_program_is_killed_and_its_files_go(
    programs: Programs, directory: Path, program: ScriptedProgram, make_queue: Make
) -> None:
    queue = make_queue(programs.command(program.path))
    job = queue.ensure_run(PARAMS)
    assert job is not None
    program.wait_reached("gate")
    pid = programs.pid("7")
    assert pid is not None
    assert [path.name for path in directory.iterdir()] == [str(pid)]
    assert programs.pid("8") is None
    assert not programs.kill("8")
    assert programs.kill("7")
    assert job.wait(TIMEOUT).returncode == -9
    assert programs.pid("7") is None
    assert not programs.kill("7")
    assert list(directory.iterdir()) == []


@pytest.mark.usefixtures("_either_kernel")
def test_a_number_that_is_anothers_is_passed_over(programs: Programs, directory: Path, stranger: int) -> None:
    for pid in (stranger, os.getpid(), 1):
        (directory / str(pid)).write_text("7\n")
    assert programs.pid("7") is None
    assert not programs.kill("7")
    assert list(directory.iterdir()) == []
    os.kill(stranger, 0)


@pytest.mark.usefixtures("_either_kernel")
def test_a_number_that_became_anothers_after_the_look(
    programs: Programs, stranger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = subprocess.Popen(["/bin/sh", "-c", "exit"])
    over.wait()
    monkeypatch.setattr(Programs, "_pids", lambda _, __: iter([stranger, over.pid]))
    assert not programs.kill("7")
    os.kill(stranger, 0)


@pytest.mark.usefixtures("_either_kernel")
def test_a_program_that_is_over_and_not_reaped_yet(programs: Programs, directory: Path) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", "exit 3"])
    (directory / str(child.pid)).write_text("7\n")
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert programs.pid("7") is None
    assert child.wait() == 3


def test_without_waitid_nothing_is_known_and_nothing_killed(
    programs: Programs, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "waitid")
    (directory / str(os.getpid())).write_text("7\n")
    assert programs.pid("7") is None
    assert not programs.kill("7")
