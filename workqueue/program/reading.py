"""5 reading: the pipes, the exit and the pace of one process -> one `poll`, until there is nothing left to wait for.

The end of the program is its exit, not the end of its pipes: a grandchild may hold those open for as long as it lives.
Once the program has exited its pipes get DRAIN_SECONDS.
"""

import math
import os
import time
from collections.abc import Callable
from typing import Final, ParamSpec, Protocol, TypeVar

from workqueue.errors import ProgramError, reason_of
from workqueue.program.child import Child
from workqueue.system.poll import make_poll
from workqueue.system.wake_pipe import WakePipe

#: Where the kernel has no descriptor for a process (pidfd_open, Linux 5.3), an exit is looked for this often; and so is
#: a wish to stop, where nothing can wake us.
LOOK_SECONDS: Final = 0.05

#: For output that comes through another process of the group, such as `tee`; felt only where a grandchild stays.
DRAIN_SECONDS: Final = 0.2

#: `poll` takes no more than 24 days of milliseconds, and a time limit may be any number.
MAX_WAIT_SECONDS: Final = 3600.0

_READ_BYTES: Final = 64 * 1024

P = ParamSpec("P")
T = TypeVar("T")


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
        """Let go of the channel: whoever had its other end is gone."""
        ...

    def pace(self, now: float) -> float | None:
        """Tell what is not told yet, if it is time by `now`; return the seconds until it is, or None.

        Afterwards there may be another channel.
        """
        ...


class Reading:
    """The poll loop over one process.

    Args:
        child: the process.
        sink: takes its output.
        wake: a pipe that wakes it when `keep_time` has something new to say.
        keep_time: does what is due; returns the seconds until something else is, or None.
        guard: who may have to be renewed.
    """

    def __init__(
        self,
        child: Child,
        sink: Sink,
        wake: WakePipe,
        keep_time: Callable[[], float | None],
        guard: Guard | None,
    ) -> None:
        self._child = child
        self._sink = sink
        self._wake = wake
        self._keep_time = keep_time
        self._guard = guard
        self._open = {child.stdout: sink.stdout, child.stderr: sink.stderr}
        self._poll = make_poll()
        self._watched_channel: int | None = None
        self._can_wake = True
        # The moment at which to stop reading, once the program has exited.
        self._deadline: float | None = None

    def run(self) -> None:
        """Read until the program has exited, and its pipes are drained.

        Raises:
            ProgramError: the system does not let us read or wait.
        """
        for fd in (self._wake.reader, *self._open, self._child.pidfd):
            if fd is not None:
                self._poll.register(fd)
        while self._read_once():
            pass

    def _read_once(self) -> bool:
        """Wait for something and handle it; return whether there is more to wait for."""
        waits = [self._sink.pace(time.monotonic()), self._pace_guard(), self._time_left()]
        if self._deadline is None:  # the program is there, as far as we know
            waits.append(self._keep_time())
        if self._child.pidfd is None or not self._can_wake:
            waits.append(LOOK_SECONDS)
        for fd, _ in _asked(self._poll.poll, _milliseconds(waits)):
            if fd in self._open:
                self._read(fd)
            elif fd == self._wake.reader:
                self._can_wake = _asked(self._wake.drain)
                if not self._can_wake:
                    self._poll.unregister(fd)
            elif fd == self._watched_channel:
                self._renew_guard()
            else:
                self._poll.unregister(fd)
                self._begin_end()
        if self._child.pidfd is None and self._child.has_exited():
            self._begin_end()
        time_left = self._time_left()
        return time_left is None or bool(self._open and time_left > 0)

    def _read(self, fd: int) -> None:
        data = _asked(os.read, fd, _READ_BYTES)
        if data:
            self._open[fd](data)
        else:
            self._poll.unregister(fd)
            del self._open[fd]

    def _pace_guard(self) -> float | None:
        if self._guard is None:
            return None
        seconds = self._guard.pace(time.monotonic())
        if self._watched_channel is None and (channel := self._guard.channel) is not None:
            self._poll.register(channel)
            self._watched_channel = channel
        return seconds

    def _renew_guard(self) -> None:
        assert self._guard is not None
        assert self._watched_channel is not None
        self._poll.unregister(self._watched_channel)
        self._watched_channel = None
        self._guard.renew()

    def _begin_end(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + DRAIN_SECONDS

    def _time_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())


def _asked(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Have the kernel do this; an error of its own is none of the sink's."""
    try:
        return call(*args, **kwargs)
    except OSError as err:
        raise ProgramError(f"Cannot read what the program says: {reason_of(err)}") from err


def _milliseconds(waits: list[float | None]) -> int | None:
    """The shortest wait for `poll`, rounded up: rounded down it would spin through the last millisecond."""
    seconds = [wait for wait in waits if wait is not None]
    return math.ceil(min(*seconds, MAX_WAIT_SECONDS) * 1000) if seconds else None
