"""One process of the demo's cluster: started, killed with SIGKILL, started again."""

import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.errors import ProgramError
from workqueue.program.environment import make_environment
from workqueue.program.process import Process
from workqueue.program.start import start
from workqueue.program.tail import Tail
from workqueue.program.warden import Warden
from workqueue.system.worker_thread import WorkerThread

#: What is kept of what a node prints: its last words, should it end by itself.
_TAIL_BYTES: Final = 8192

#: What a person reads of that.
_LINE_LENGTH: Final = 300


class Status(NamedTuple):
    """A node at one moment."""

    pid: int | None
    """Its number; None: it does not run."""

    last_words: str
    """What a node that ended without being told to has printed last; empty for any other."""


class Node:
    """One process, in a session of its own, that dies with this one. Callable from any thread.

    Args:
        name: as the page calls it.
        command: an absolute path, and arguments.
        warden: kills it when this process is killed.
        directory: what the warden removes then.
        environment: what is added to this process's.
    """

    def __init__(
        self, name: str, command: Sequence[str], warden: Warden, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._command = command
        self._warden = warden
        self._directory = directory
        self._environment = environment
        self._thread = WorkerThread(f"demo {name}", self._run)
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._is_wanted = False  # it is to be started, and that is not done yet
        self._is_told = False  # it is to end
        self._is_closed = False
        self._process: Process | None = None
        self._status = Status(None, "")

    @property
    def status(self) -> Status:
        """How it is."""
        with self._changed:
            return self._status

    def start(self) -> None:
        """Start it, unless it runs; return when it does, or has failed to."""
        with self._changed:
            if self._is_closed or self._is_wanted or self._process is not None:
                return
            self._is_wanted = True
        try:
            self._thread.start()
        except RuntimeError as err:  # the system has none to spare
            self._has_ended(str(err))
        with self._changed:
            self._changed.wait_for(lambda: not self._is_wanted)

    def kill(self) -> None:
        """Send SIGKILL, if it runs; return when it is dead."""
        process = self._stop(0.0)
        if process is not None:
            with self._changed:
                # Somebody may have started the node again before this thread wakes: then another process runs.
                self._changed.wait_for(lambda: self._process is not process)

    def close(self, grace: float) -> None:
        """Stop it for good, and return at once; `join` waits.

        Args:
            grace: seconds between SIGTERM and SIGKILL; 0: SIGKILL at once.
        """
        with self._changed:
            self._is_closed = True
        self._stop(grace)

    def join(self) -> None:
        """Wait until a node that was closed has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._process is None and not self._is_wanted)
        self._thread.join()

    def _stop(self, grace: float) -> Process | None:
        """Tell it to end -> the process that was told."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_wanted)
            process, self._status = self._process, self._status._replace(last_words="")
            self._is_told = True
        if process is not None:
            process.stop(grace)
        return process

    def _run(self) -> bool:
        """Run it once, on its own thread."""
        with self._changed:
            if not self._is_wanted:  # the turn before raised, and this one comes in its place
                return False
        last_words = ""
        try:
            last_words = self._run_once()
        except ProgramError as err:
            last_words = str(err)
        finally:
            self._has_ended(last_words)
        return False

    def _run_once(self) -> str:
        output = _Output()
        program, *arguments = self._command
        with self._warden.guard(self._directory) as guard:
            child = start((program,), arguments, environment=make_environment(self._environment))
            process = Process(child, guard)
            self._has_started(process, child.pid)
            returncode = process.read_until_exit(output)
        if returncode is not None and returncode < 0:
            return f"ended by {signal.Signals(-returncode).name}"
        return output.last_line()

    def _has_started(self, process: Process, pid: int) -> None:
        with self._changed:
            self._process, self._status = process, Status(pid, "")
            self._is_wanted = self._is_told = False
            self._changed.notify_all()

    def _has_ended(self, last_words: str) -> None:
        with self._changed:
            self._process, self._status = None, Status(None, "" if self._is_told else last_words)
            self._is_wanted = False
            self._changed.notify_all()


class _Output:
    """Keeps the end of what a node prints; see `workqueue.program.reading.Sink`."""

    def __init__(self) -> None:
        self._tail = Tail(_TAIL_BYTES)

    def stdout(self, data: bytes) -> None:
        self._tail.feed(data)

    def stderr(self, data: bytes) -> None:
        self._tail.feed(data)

    def pace(self, now: float) -> float | None:  # noqa: ARG002 - nothing is ever due
        return None

    def last_line(self) -> str:
        lines = self._tail.text().splitlines() or ["it said nothing"]
        return lines[-1][:_LINE_LENGTH]
