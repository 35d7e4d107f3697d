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
from collections.abc import Callable
from typing import Final, Protocol

from workqueue.errors import ProgramError

#: For output that comes through another process of the group, such as `tee`; felt only where a grandchild stays.
DRAIN_SECONDS: Final = 0.2

#: Where the kernel has no descriptor for a process (pidfd_open, Linux 5.3), an exit is looked for this often.
LOOK_SECONDS: Final = 0.05

#: What a program gets between SIGTERM and SIGKILL: the 10 s of `docker stop`, halved to fit within them.
TERMINATE_SECONDS: Final = 5.0

#: `poll` takes no more than 24 days of milliseconds, and a time limit may be any number.
MAX_WAIT_SECONDS: Final = 3600.0

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


class Guard(Protocol):
    """Who kills the program should this process die; see `workqueue.program.warden.Guard`."""

    @property
    def channel(self) -> int | None:
        """A descriptor that becomes readable when `renew` is to be called."""
        ...

    def started(self, pid: int) -> None:
        """Take the program's number."""
        ...

    def renew(self) -> None:
        """Replace whoever died."""
        ...


class Process:
    """A started program, until it is reaped. Any thread may stop it; one thread reads it.

    Args:
        popen: the program.
        guard: told of it, and kept alive while it is read; None: nobody.

    Raises:
        ProgramError: there is no descriptor left to watch it with; it is dead then.
    """

    def __init__(self, popen: "subprocess.Popen[bytes]", guard: Guard | None = None) -> None:
        self._popen = popen
        self._guard = guard
        self._lock = threading.Lock()  # guards all below, and with _is_over the meaning of the process group's number
        self._is_over = False
        self._kill_at: float | None = None
        self._timed_out = False
        try:
            # Wakes the reading thread, which keeps the time until SIGKILL: a timer would be a thread more.
            self._wake_reader, self._wake_writer = os.pipe()
        except OSError as err:
            with popen:
                self._kill_group(signal.SIGKILL)
            raise ProgramError(f"Cannot watch the program: {err.strerror}") from err
        os.set_blocking(self._wake_writer, False)
        if guard is not None:
            guard.started(popen.pid)

    @property
    def timed_out(self) -> bool:
        """Whether it was stopped because its time was over."""
        return self._timed_out

    def stop(self, grace: float) -> None:
        """Send SIGTERM to the process group now, and SIGKILL `grace` seconds later if the program is still there.

        Returns at once; callable from any thread, as often as one likes: the earliest time to kill counts. Nothing
        happens once the program is over.
        """
        with self._lock:
            kill_at = time.monotonic() + grace
            if self._is_over or (self._kill_at is not None and self._kill_at <= kill_at):
                return
            if self._kill_at is None and grace > 0:
                self._kill_group(signal.SIGTERM)
            self._kill_at = kill_at
            # A pipe that is full has woken it already.
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_writer, b".")

    def read_until_exit(self, sink: Sink, time_limit: float | None = None) -> int:
        """Feed the sink until the program has exited; return its exit status, negative for a signal.

        However this ends, by an error of the sink too: the process group is dead, the program reaped, its pipes closed.

        Args:
            sink: consumes the output.
            time_limit: seconds from now after which the program is stopped; None: never.
        """
        end = None if time_limit is None else time.monotonic() + time_limit
        with self._popen:
            try:
                _Reading(self._popen, sink, self._wake_reader, lambda: self._keep_time(end), self._guard).run()
            finally:
                with self._lock:
                    self._kill_group(signal.SIGKILL)
                    self._is_over = True
                    os.close(self._wake_reader)
                    os.close(self._wake_writer)
        return self._popen.returncode

    def _keep_time(self, end: float | None) -> float | None:
        """Stop or kill the program if it is time; return the seconds until it may be, or None."""
        now = time.monotonic()
        if end is not None and now >= end and self._kill_at is None:
            self._timed_out = True
            self.stop(TERMINATE_SECONDS)
        with self._lock:
            if self._kill_at is None:
                return None if end is None else end - now
            if now >= self._kill_at:
                # Again with each look: a group may have grown between two of them.
                self._kill_group(signal.SIGKILL)
                return LOOK_SECONDS
            return self._kill_at - now

    def _kill_group(self, signum: signal.Signals) -> None:
        # PermissionError: macOS says so of a group that has only zombies left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signum)


class _Reading:
    """The poll loop over one process.

    Args:
        popen: the process.
        sink: takes its output.
        wake: a descriptor that becomes readable when `keep_time` has something new to say.
        keep_time: does what is due; returns the seconds until something else is, or None.
        guard: who may have to be renewed.
    """

    def __init__(
        self,
        popen: "subprocess.Popen[bytes]",
        sink: Sink,
        wake: int,
        keep_time: Callable[[], float | None],
        guard: Guard | None,
    ) -> None:
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self._sink = sink
        self._wake = wake
        self._keep_time = keep_time
        self._guard = guard
        self._open = {popen.stdout.fileno(): sink.stdout, popen.stderr.fileno(): sink.stderr}
        self._poll = select.poll()
        # The moment at which to stop reading, once the program has exited.
        self._deadline: float | None = None

    def run(self) -> None:
        exit_fd = _open_exit_fd(self._popen.pid)
        try:
            for fd in (self._wake, *self._open, exit_fd, self._channel):
                if fd is not None:
                    self._poll.register(fd, select.POLLIN)
            while self._read_once(exit_fd):
                pass
        finally:
            if exit_fd is not None:
                os.close(exit_fd)

    def _read_once(self, exit_fd: int | None) -> bool:
        """Wait for something and handle it; return whether there is more to wait for."""
        waits = [self._sink.pace(time.monotonic()), self._time_left()]
        if self._deadline is None:  # the program is there, as far as we know
            waits.append(self._keep_time())
        if exit_fd is None:
            waits.append(LOOK_SECONDS)
        for fd, _ in self._poll.poll(_milliseconds(waits)):
            if fd in self._open:
                self._read(fd)
            elif fd == self._wake:
                os.read(fd, _READ_BYTES)
            elif fd == self._channel:
                self._renew_guard()
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

    @property
    def _channel(self) -> int | None:
        return None if self._guard is None else self._guard.channel

    def _renew_guard(self) -> None:
        assert self._guard is not None
        assert self._channel is not None
        self._poll.unregister(self._channel)
        self._guard.renew()
        if self._channel is not None:
            self._poll.register(self._channel, select.POLLIN)

    def _begin_end(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + DRAIN_SECONDS

    def _time_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())


def _milliseconds(waits: list[float | None]) -> int | None:
    """The shortest wait for `poll`, rounded up: rounded down it would spin through the last millisecond."""
    seconds = [wait for wait in waits if wait is not None]
    return math.ceil(min(*seconds, MAX_WAIT_SECONDS) * 1000) if seconds else None


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
