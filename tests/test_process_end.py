"""A process that ends: by itself, and by a signal. Each test runs one, with real programs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workqueue.testing import ScriptedProgram

_FALLS_OFF = r"""
import os, sys
from concurrent.futures import ThreadPoolExecutor
from workqueue import WorkQueue
queue = WorkQueue(sys.argv[1], ThreadPoolExecutor(1), sys.argv[2])
for i in range(3):
    job = queue.ensure_run((str(i),))
    job.progress.subscribe(lambda progress, i=i: os.write(1, f"{i} {progress.returncode}\n".encode()))
print("falls off", flush=True)
"""

_SERVES = r"""
import os, signal, sys, time
from workqueue import WorkQueue
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2], max_running=1)
queue.handle_signals(drain=float(sys.argv[3]))
jobs = [queue.ensure_run((str(i),)) for i in range(3)]
for i, job in enumerate(jobs):
    job.progress.subscribe(lambda progress, i=i: os.write(1, f"{i} {progress.returncode}\n".encode()))
print("serves", flush=True)
try:
    while True:
        time.sleep(0.05)  # not signal.pause: a signal that comes just before it is not seen until the next
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


class Child:
    """A script that runs and is read line by line; as a context manager it is over at the end."""

    def __init__(self, script: str, program: ScriptedProgram, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(program.path), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error,ignore::DeprecationWarning"},
        )
        self.lines: list[str] = []

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_error: object) -> None:
        with self.process:
            self.process.kill()

    @property
    def ends(self) -> dict[str, str]:
        """Job -> its returncode, of those that it has told."""
        told = (line.split() for line in self.lines if line[0].isdigit())
        return {job: returncode for job, returncode in told if returncode != "None"}

    def read_until(self, is_enough: Callable[[], bool]) -> None:
        """Read lines until this is true."""
        assert self.process.stdout is not None
        while not is_enough():
            line = self.process.stdout.readline()
            assert line, f"it ended after {self.lines}"
            self.lines.append(line)

    def status(self) -> int:
        """Its exit status, once all its lines were read."""
        self.lines += self.process.communicate(timeout=20)[0].splitlines()
        return self.process.returncode


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return str(tmp_path / "storage")


def test_an_interpreter_that_ends_waits_for_what_runs_and_not_for_what_waits(
    program: ScriptedProgram, storage: str
) -> None:
    with Child(_FALLS_OFF, program, storage) as child:
        program.wait_reached("gate")
        child.read_until(lambda: len(child.ends) == 2)
        program.release("gate")
        assert child.status() == 0
    assert child.ends == {"0": "0", "1": "-999", "2": "-999"}
    assert len(program.runs) == 1


def signalled(program: ScriptedProgram, storage: str, drain: float, signum: signal.Signals) -> Child:
    """A server that was sent a signal while one job ran and two waited, and has told the end of those."""
    child = Child(_SERVES, program, storage, str(drain))
    program.wait_reached("gate")
    child.read_until(lambda: "serves\n" in child.lines)
    child.process.send_signal(signum)
    child.read_until(lambda: len(child.ends) == 2)
    return child


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_first_and_then_does_what_it_does(
    program: ScriptedProgram, storage: str, signum: signal.Signals
) -> None:
    with signalled(program, storage, 60.0, signum) as child:
        program.release("gate")  # within its drain time
        status = child.status()
    assert child.ends == {"0": "0", "1": "-999", "2": "-999"}
    if signum is signal.SIGTERM:
        assert status == -signal.SIGTERM
    else:
        assert (status, child.lines[-1]) == (0, "interrupted")


def test_a_second_signal_is_in_a_hurry(program: ScriptedProgram, storage: str) -> None:
    with signalled(program, storage, 3600.0, signal.SIGTERM) as child:
        child.process.send_signal(signal.SIGTERM)
        assert child.status() == -signal.SIGTERM
    assert child.ends == {"0": "-15", "1": "-999", "2": "-999"}
    assert list(Path(storage, ".tmp").iterdir()) == []


_FORKS = r"""
import os, sys
from workqueue import WorkQueue
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2])
job = queue.ensure_run(("a",))
pid = os.fork()
if pid == 0:
    sys.exit(7)  # as an interpreter ends, not with os._exit
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
job.wait()
"""


def test_a_forked_child_ends_without_waiting_for_its_parents_jobs(program: ScriptedProgram, storage: str) -> None:
    with Child(_FORKS, program, storage) as child:
        child.read_until(lambda: bool(child.lines))
        assert child.lines == ["child 7\n"]
        program.release("gate")
        assert child.status() == 0
