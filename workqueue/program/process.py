"""5 process: a started process -> what it prints, as it comes, and its exit status.

One thread, the one that calls `read_until_exit`, waits for everything at once in one `poll`: stdout, stderr, the exit,
and the pacing of whoever consumes the output. The end of the program is its exit, not the end of its pipes: a
grandchild may hold those open for as long as it lives. Once the program has exited its pipes get DRAIN_SECONDS, then
its process group is killed, whatever of it is left.

The group is signalled only while the program is not reaped: until then the kernel cannot give its number to another.
"""

import contextlib
import math
import os
import select
import signal
import subprocess
import threading
import time
from typing import Final, Protocol

#: For output that comes through another process of the group, such as `tee`; felt only where a grandchild stays.
DRAIN_SECONDS: Final = 0.2

#: Where the kernel has no descriptor for a process (pidfd_open, Linux 5.3), an exit is looked for this often.
LOOK_SECONDS: Final = 0.05

_READ_BYTES: Final = 64 * 1024


class Sink(Protocol):
    """Who consumes what the program prints; called by the reading thread alone."""

    def stdout(self, data: bytes) -> None:
        """Take the next bytes of stdout."""
        ...

    def stderr(self, data: bytes) -> None:
        """Take the next bytes of stderr."""
        ...

    def pace(self, now: float) -> float | None:
        """Do what is due by `now` (time.monotonic); return the seconds until something else is, or None."""
        ...


class Process:
    """A started program, until it is reaped. Any thread may signal it; one thread reads it."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen
        self._lock = threading.Lock()  # guards _is_over, and with it the meaning of the process group's number
        self._is_over = False

    def send_signal(self, signum: signal.Signals) -> None:
        """Send a signal to the process group; nothing happens once the program is over."""
        with self._lock:
            if not self._is_over:
                self._kill_group(signum)

    def read_until_exit(self, sink: Sink) -> int:
        """Feed the sink until the program has exited; return its exit status, negative for a signal.

        However this ends, by an error of the sink too: the process group is dead, the program reaped, its pipes closed.
        """
        with self._popen:
            try:
                _Reading(self._popen, sink).run()
            finally:
                with self._lock:
                    self._kill_group(signal.SIGKILL)
                    self._is_over = True
        return self._popen.returncode

    def _kill_group(self, signum: signal.Signals) -> None:
        # PermissionError: macOS says so of a group that has only zombies left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signum)


class _Reading:
    """The poll loop over one process."""

    def __init__(self, popen: "subprocess.Popen[bytes]", sink: Sink) -> None:
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self._sink = sink
        self._open = {popen.stdout.fileno(): sink.stdout, popen.stderr.fileno(): sink.stderr}
        self._poll = select.poll()
        # The moment at which to stop reading, once the program has exited.
        self._deadline: float | None = None

    def run(self) -> None:
        exit_fd = _open_exit_fd(self._popen.pid)
        try:
            for fd in (*self._open, *([] if exit_fd is None else [exit_fd])):
                self._poll.register(fd, select.POLLIN)
            while self._read_once(exit_fd):
                pass
        finally:
            if exit_fd is not None:
                os.close(exit_fd)

    def _read_once(self, exit_fd: int | None) -> bool:
        """Wait for something and handle it; return whether there is more to wait for."""
        waits = [self._sink.pace(time.monotonic()), self._time_left()]
        if exit_fd is None:
            waits.append(LOOK_SECONDS)
        for fd, _ in self._poll.poll(_milliseconds(waits)):
            if fd in self._open:
                self._read(fd)
            else:
                self._poll.unregister(fd)
                self._begin_end()
        if exit_fd is None and _has_exited(self._popen):
            self._begin_end()
        time_left = self._time_left()
        return time_left is None or bool(self._open and time_left > 0)

    def _read(self, fd: int) -> None:
        data = os.read(fd, _READ_BYTES)
        if data:
            self._open[fd](data)
        else:
            self._poll.unregister(fd)
            del self._open[fd]

    def _begin_end(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + DRAIN_SECONDS

    def _time_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())


def _milliseconds(waits: list[float | None]) -> int | None:
    """The shortest wait for `poll`, rounded up: rounded down it would spin through the last millisecond."""
    seconds = [wait for wait in waits if wait is not None]
    return math.ceil(min(seconds) * 1000) if seconds else None


def _open_exit_fd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process exits, which does not reap it; None without pidfd_open."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _has_exited(popen: "subprocess.Popen[bytes]") -> bool:
    try:
        return os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except AttributeError:  # macOS before Python 3.13: looking reaps, and a signal to the group may come too late
        return popen.poll() is not None
