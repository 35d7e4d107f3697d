r"""program: a list of steps -> a real executable that takes them, and waits where the test wants it to.

A wait is two named pipes: the program writes a byte to one as it gets there, and reads a byte from the other to go on.
The test holds both open for reading and writing, so that neither side ever waits for the other to open its end.
"""

import json
import os
import shlex
import sys
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final

from workqueue.system.poll import make_poll
from workqueue.testing.steps import Step

_SCRIPT: Final = r"""
import json, os, sys

here = os.path.dirname(os.path.abspath(__file__))

def path(name):
    return os.path.join(here, name)

with open(path("runs"), "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\n")
with open(path("steps.json")) as file:
    steps = json.load(file)
for action, value in steps:
    data = value.encode("latin-1")
    if action in ("stdout", "stderr"):
        fd = 1 if action == "stdout" else 2
        while data:
            data = data[os.write(fd, data):]
    elif action == "output":
        with open(sys.argv[-1], "wb") as file:
            file.write(data)
    elif action == "wait":
        # Opened before the test is told, and without waiting: the test may close its ends at any moment.
        fd = os.open(path(value + ".release"), os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(fd, True)
        try:
            reached = os.open(path(value + ".reached"), os.O_WRONLY | os.O_NONBLOCK)
            os.write(reached, b".")
            os.close(reached)
        except OSError:
            pass
        os.read(fd, 1)
        os.close(fd)
    elif action == "exit":
        os._exit(int(value))
"""


class ScriptedProgram:
    """A program for a WorkQueue under test.

    ::

        program = ScriptedProgram(tmp_path / "program", say(0.5), wait("half"), output(b"built"))
        job = WorkQueue(program.path, storage_dir=tmp_path / "storage").ensure_run(("a",))
        program.wait_reached("half")
        ...  # the job stands at 0.5
        program.release("half")

    Args:
        directory: where its files go; made if it is missing. One program a directory.
        steps: what each run does. See `workqueue.testing.steps`.
    """

    def __init__(self, directory: Path, *steps: Step) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.path = directory / "program"
        (directory / "steps.json").write_text(json.dumps(steps))
        (directory / "program.py").write_text(_SCRIPT)
        # A shell in between: '#!' takes no path with blanks in it, and none longer than 127 bytes.
        command = shlex.join([sys.executable, "-I", "-S", str(directory / "program.py")])
        self.path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        self.path.chmod(0o755)
        self._pipes: dict[str, int] = {}
        for step in steps:
            if step.action == "wait":
                self._make_pipe(f"{step.value}.reached")
                self._make_pipe(f"{step.value}.release")
        self._close = weakref.finalize(self, _close_all, self._pipes)

    def close(self) -> None:
        """Close the pipes; a run that waits goes on. Also done by `with`, and when nobody uses the program any more."""
        self._close()

    def __enter__(self) -> "ScriptedProgram":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def runs(self) -> list[list[str]]:
        """The arguments of each run that has begun, the output file last."""
        log = self._directory / "runs"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def wait_reached(self, name: str, timeout: float = 10.0) -> None:
        """Return when a run has come to ``wait(name)``; each arrival is seen once.

        Raises:
            TimeoutError: none has after `timeout` seconds.
            LookupError: no step waits under this name.
        """
        fd = self._pipe(f"{name}.reached")
        poll = make_poll()
        poll.register(fd)
        if not poll.poll(timeout * 1000):
            raise TimeoutError(f"no run came to wait({name!r}) within {timeout} seconds; runs so far: {len(self.runs)}")
        os.read(fd, 1)

    def release(self, name: str, times: int = 1) -> None:
        """Let as many runs go on from ``wait(name)``, or pass it when they get there.

        Raises:
            LookupError: no step waits under this name.
        """
        os.write(self._pipe(f"{name}.release"), b"." * times)

    def _make_pipe(self, name: str) -> None:
        if name not in self._pipes:
            path = self._directory / name
            os.mkfifo(path)
            self._pipes[name] = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def _pipe(self, name: str) -> int:
        try:
            return self._pipes[name]
        except KeyError:
            raise LookupError(f"no step of this program makes the pipe {name}") from None


def _close_all(pipes: dict[str, int]) -> None:
    while pipes:
        os.close(pipes.popitem()[1])
