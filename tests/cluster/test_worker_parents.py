"""A worker, whatever it was started by: a container, where it is the first process, a shell, a server, a daemon."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.numbered_program import NumberedProgram
from tests.cluster.scene import Scene
from tests.cluster.workers import WorkerProcess
from tests.program.hostile import CONDITIONS
from tests.servers.server import TIMEOUT, eventually
from tests.servers.test_workers import children
from workqueue.progress import succeeded

ISOLATED = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def program(tmp_path: Path) -> NumberedProgram:
    return NumberedProgram(tmp_path / "numbered")


@pytest.fixture
def scene(nats: NatsServers, cluster: str, tmp_path: Path, program: NumberedProgram) -> Iterator[Scene]:
    with Scene(tmp_path, nats.url, program.path, cluster) as scene:
        yield scene


def builds_and_drains(scene: Scene, program: NumberedProgram, worker: WorkerProcess, pid: int) -> None:
    """It makes a run, and ends the one that it has when it is told to stop."""
    first = scene.submit(1)
    program.release(1)
    assert first.hear_end() == succeeded()
    second = scene.submit(2)
    second.hear_message("begun 2")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: scene.capacity == 0)
    program.release(2)
    assert second.hear_end() == succeeded()
    assert worker.wait() == 0
    assert program.n_begun == 2


# One below a terminal of its own is no child of ours; all the others have none.
@pytest.mark.parametrize("condition", [name for name in CONDITIONS if name != "a terminal"])
def test_it_builds_and_drains(scene: Scene, program: NumberedProgram, condition: str) -> None:
    below = [sys.executable, "-m", "tests.program.hostile", condition]
    worker = scene.worker("--drain", str(TIMEOUT), below=below)
    builds_and_drains(scene, program, worker, worker.process.pid)


def test_as_the_first_process_of_a_container_it_builds_and_drains(scene: Scene, program: NumberedProgram) -> None:
    check_isolates()
    worker = scene.worker("--drain", str(TIMEOUT), below=ISOLATED)
    [pid] = children(worker.process.pid)
    builds_and_drains(scene, program, worker, pid)


def test_as_the_first_process_of_a_container_it_gives_back_what_it_has(scene: Scene, program: NumberedProgram) -> None:
    check_isolates()
    worker = scene.worker(below=ISOLATED)
    [pid] = children(worker.process.pid)
    reports = scene.submit()
    reports.hear_message("begun 1")
    os.kill(pid, signal.SIGTERM)
    assert worker.wait() == 0
    scene.worker()
    reports.hear_message("begun 2")
    program.release(2)
    assert reports.hear_end() == succeeded()
    reports.check()


def check_isolates() -> None:
    """Skip where nobody can be such a process."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare on PATH; Debian has it in the package util-linux")
    if subprocess.run([*ISOLATED, "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root may begin a new PID namespace here")
