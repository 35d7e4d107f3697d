"""A program whose runs have numbers, 1, 2, ...: each waits at its own gate, and its result says which one built it."""

import os
import shlex
import sys
import weakref
from pathlib import Path

from tests.servers.server import eventually

_MAX_RUNS = 9

_SCRIPT = """
import fcntl, os, signal, sys
here, output = os.path.dirname(os.path.abspath(__file__)), sys.argv[-1]
canary = os.open(os.path.join(here, "canary"), os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(canary, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open(os.path.join(here, "overlapped"), "w").close()

def wait(gate):
    fd = os.open(os.path.join(here, f"{gate}-{number}"), os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    os.read(fd, 1)

def stop(*_):
    os.mkdir(os.path.join(here, f"stopping-{number}"))
    wait("stop")
    os._exit(1)

for number in range(1, 99):
    try:
        os.mkdir(os.path.join(here, f"begun-{number}"))
        break
    except FileExistsError:
        pass
if os.path.exists(os.path.join(here, "lingers")):
    signal.signal(signal.SIGTERM, stop)
print(f"0.25\\tbegun {number}", flush=True)
wait("go")
print(f"0.75\\tgone on {number}", flush=True)
with open(output, "w") as file:
    file.write(f"{number}")
os.mkdir(os.path.join(here, f"ended-{number}"))
"""


class NumberedProgram:
    """The program.

    Args:
        directory: its own; made.
        lingers: whether a run that is told to stop waits at another gate before it does.
    """

    def __init__(self, directory: Path, *, lingers: bool = False) -> None:
        directory.mkdir()
        self._directory = directory
        self.path = directory / "program"
        (directory / "program.py").write_text(_SCRIPT)
        self.path.write_text(
            f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-S", str(directory / "program.py")])} "$@"\n'
        )
        self.path.chmod(0o755)
        if lingers:
            (directory / "lingers").touch()
        self._gates = {}
        for gate in [f"{kind}-{number}" for kind in ("go", "stop") for number in range(1, _MAX_RUNS + 1)]:
            os.mkfifo(directory / gate)
            self._gates[gate] = os.open(directory / gate, os.O_RDWR | os.O_CLOEXEC)
        weakref.finalize(self, _close_all, self._gates)

    @property
    def n_begun(self) -> int:
        """How many runs have begun."""
        return len(list(self._directory.glob("begun-*")))

    @property
    def has_overlapped(self) -> bool:
        """Whether two ran at once."""
        return (self._directory / "overlapped").exists()

    def wait_begun(self, number: int) -> None:
        """Until the run of this number has begun."""
        eventually((self._directory / f"begun-{number}").exists)

    def wait_ended(self, number: int) -> None:
        """Until the run of this number has built its output, and is about to end."""
        eventually((self._directory / f"ended-{number}").exists)

    def wait_stopping(self, number: int) -> None:
        """Until the run of this number was told to stop."""
        eventually((self._directory / f"stopping-{number}").exists)

    def release(self, number: int) -> None:
        """Let it build, now or when it begins."""
        os.write(self._gates[f"go-{number}"], b".")

    def let_stop(self, number: int) -> None:
        """Let it end, once it is told to stop."""
        os.write(self._gates[f"stop-{number}"], b".")


def _close_all(gates: dict[str, int]) -> None:
    while gates:
        os.close(gates.popitem()[1])
