"""5 guard: what the warden knows of one run, told by the thread that makes it, and again when it could not be told."""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from workqueue.errors import ProgramError, reason_of
from workqueue.program import warden_process
from workqueue.program.helper import send, socket_pair
from workqueue.program.tries import LONG_SECONDS, pause_seconds
from workqueue.system.descriptors import close_own

#: The word that a run is over is as good as never refused, and a warden that lacks it takes the run for an orphan.
_OVER_PAUSES: Final = (0.001, 0.002, 0.004, 0.008, 0.016)


class Listener(Protocol):
    """Who is told of runs: `workqueue.program.warden.Warden`."""

    def tell(self, line: bytes, descriptors: list[int]) -> float:
        """Take a run; return 0.0, or after how many seconds to try again, which may be inf."""
        ...

    def keep_unsaid(self, channel: int) -> None:
        """Take a channel over which it could not be said that its run is over."""
        ...


class Guard:
    """What the warden knows of one run. Used by the thread that makes the run."""

    def __init__(self, warden: Listener, directory: Path, lock: int | None) -> None:
        self._warden = warden
        self._directory = directory
        self._lock = lock
        self._pidfd: int | None = None
        self._pid: int | None = None
        self._channel = -1
        self._is_told = False  # all that there is to tell by now
        self._told_at = 0.0
        self._try_at = 0.0
        self._n_troubles = 0

    @contextlib.contextmanager
    def inherited(self) -> Iterator[tuple[int, ...]]:
        """The descriptors that the program must inherit: while it lives, its key is locked, whoever else has died.

        A copy, for the moment of the start. The lock itself is closed in forked children, and where a server has
        replaced `subprocess` (gevent) the program begins as one.

        Raises:
            ProgramError: on entering: there is no descriptor to spare.
        """
        if self._lock is None:
            yield ()
            return
        try:
            copy = os.dup(self._lock)
        except OSError as err:
            raise ProgramError(
                f"Cannot start the program: there is no descriptor to spare for its lock ({reason_of(err)})"
            ) from err
        try:
            yield (copy,)
        finally:
            os.close(copy)

    @property
    def channel(self) -> int | None:
        """A descriptor that becomes readable when the warden has died, until `renew`; None when there is none."""
        return None if self._channel < 0 else self._channel

    def started(self, pid: int) -> None:
        """The program runs: its number, which is its process group's too, and is not reaped before `over`."""
        self._pid = pid
        # What has no descriptors for processes (macOS) is told the number.
        with contextlib.suppress(AttributeError, OSError):
            self._pidfd = os.pidfd_open(pid)
        self._is_told = False
        self.pace(time.monotonic())

    def renew(self) -> None:
        """The warden was killed, or had no room for this run: with the next `pace`, tell another, or the same again."""
        close_own(self._channel)
        self._channel = -1
        self._is_told = False
        now = time.monotonic()
        self._n_troubles = 1 if now - self._told_at > LONG_SECONDS else self._n_troubles + 1
        # At once, thrice in a row: some may be killed, and one that is dying takes a message that it never reads.
        self._try_at = now + pause_seconds(self._n_troubles - 3)

    def pace(self, now: float) -> float | None:
        """Tell the warden what it was not told yet, if it is time; return the seconds until it is, or None.

        The `channel` may be another one afterwards.

        Args:
            now: of `time.monotonic`.
        """
        if self._is_told or self._try_at == math.inf:
            return None
        if now < self._try_at:
            return self._try_at - now
        try:
            seconds = self._tell()
        except OSError:
            self._n_troubles += 1
            seconds = pause_seconds(self._n_troubles)
        self._try_at = now + seconds
        return seconds if 0.0 < seconds < math.inf else None

    def __enter__(self) -> "Guard":
        self.pace(time.monotonic())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The program is dead, and what is left to do is its owner's."""
        if self._pidfd is not None:
            os.close(self._pidfd)
        if self._channel < 0:
            return
        for seconds in _OVER_PAUSES:
            if say_over(self._channel):
                close_own(self._channel)
                return
            time.sleep(seconds)
        self._warden.keep_unsaid(self._channel)

    def _tell(self) -> float:
        """Tell what there is to tell; return 0.0, or after how many seconds to try again."""
        if self._channel < 0 and (seconds := self._tell_run()) > 0.0:
            return seconds
        if self._pid is not None:
            with contextlib.suppress(ConnectionError):  # it has been killed; the reading thread sees that, and renews
                send(self._channel, warden_process.STARTED % self._pid, [] if self._pidfd is None else [self._pidfd])
        self._is_told = True
        self._told_at = time.monotonic()
        return 0.0

    def _tell_run(self) -> float:
        ours, theirs = socket_pair()
        descriptors = [theirs] if self._lock is None else [theirs, self._lock]
        line = b"%d %s\n" % (len(descriptors), os.fsencode(self._directory).hex().encode())
        seconds = math.inf
        try:
            seconds = self._warden.tell(line, descriptors)
            if seconds == 0.0:
                self._channel = ours
        finally:
            os.close(theirs)
            if self._channel < 0:
                close_own(ours)
        return seconds


def say_over(channel: int) -> bool:
    """Say that a run is over, if it can be said now; return whether nothing is left to say."""
    try:
        send(channel, warden_process.OVER, [])
    except ConnectionError:  # it has been killed, and there is nothing to guard any more
        return True
    except OSError:
        return False
    return True
