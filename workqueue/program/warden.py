"""5 warden: no program outlives the process that started it, however that dies.

A small process of ours, one for each queue, started with its first program. For each program it holds one end of a
socket pair, whose other end is held by the owner alone: when that closes without a word, the owner is dead. The warden
then kills the program's process group, removes the run's directory, and only then closes its copy of the run's lock.
See `warden_process` for its side.

It is told of a run before the program starts: there is no moment at which the owner's death leaves a program that
nobody knows of. The run's other end tells the owner in turn when the warden was killed; then another is started, and
told of all that run. Not PR_SET_PDEATHSIG, which fires when the thread ends that started the program, and not numbers
of processes, which are given to others: what is passed are descriptors.

Nothing waits for it. A message that cannot be sent now (no memory, too many descriptors on their way, a warden that is
stopped) is sent again by the thread that reads the program. A warden that cannot run is given up after some tries, and
programs run without one; `Warden.unguarded` says why.
"""

import contextlib
import errno
import functools
import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from workqueue.errors import reason_of
from workqueue.program import warden_process
from workqueue.program.helper import Helper, send, socket_pair, source_of
from workqueue.program.tries import LONG_SECONDS, Tries, pause_seconds
from workqueue.system.descriptors import close_own

logger = logging.getLogger("workqueue")

#: What a process lacks for a while, and has again: memory, descriptors, numbers for processes.
_PASSING: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.ENFILE})

#: The word that a run is over is as good as never refused, and a warden that lacks it takes the run for an orphan.
_OVER_PAUSES: Final = (0.001, 0.002, 0.004, 0.008, 0.016)


class Warden:
    """Starts the process when it is needed, and again when it was killed. Callable from any thread."""

    def __init__(self) -> None:
        # Guards all below, and is held while the process is started: two threads must not start two, and whoever waits
        # needs that process. It is not held while a process ends.
        self._lock = threading.Lock()
        self._helper: Helper | None = None
        self._cut_off: list[Helper] = []
        self._tries = Tries()
        self._unsaid: list[int] = []

    @property
    def unguarded(self) -> str | None:
        """Why programs are not killed when this process dies, in words; None: they are, as far as is known."""
        if self._tries.why is None:
            return None
        with self._lock:
            self._look_whether_it_serves()
            return self._tries.why

    def guard(self, directory: Path, lock: int | None = None) -> "Guard":
        """Guard one run, from before its program starts; a context for the thread that makes the run.

        Args:
            directory: what is removed when this process dies.
            lock: the descriptor that is locked for the run, to be kept until then; its program must inherit it.
        """
        return Guard(self, directory, lock)

    def close(self) -> None:
        """End the process, once nothing runs; a later run starts another. It takes a second at most."""
        with self._lock:
            helpers = self._cut_off if self._helper is None else [*self._cut_off, self._helper]
            self._helper, self._cut_off = None, []
            unsaid, self._unsaid = self._unsaid, []
        for channel in unsaid:
            _say_over(channel)
        for helper in helpers:
            helper.end()
        for channel in unsaid:  # last: to one that lives they would say that we are dead
            close_own(channel)

    def tell(self, line: bytes, descriptors: list[int]) -> float:
        """Pass it on, to a new process if need be; it never waits for the process to hear.

        Returns:
            0.0 when it is told; else after how many seconds to try again; inf: never.

        Raises:
            OSError: it cannot be sent now.
        """
        self._say_unsaid()
        while True:
            with self._lock:
                seconds = 0.0 if self._helper is not None else self._tries.wait(time.monotonic())
                if seconds > 0.0:
                    return seconds
                helper, why_not = self._started()
                if helper is not None:
                    try:
                        helper.send(line, descriptors)
                    except ConnectionError as err:
                        self._helper = None
                        if isinstance(err, ConnectionAbortedError):  # it guards what it knows of, until that is over
                            self._cut_off.append(helper)
                            continue
                    else:
                        return 0.0
            if helper is not None:
                self._bury(helper)
            elif why_not is not None:
                name = "" if why_not.filename is None else f": {why_not.filename}"
                self._failed(f"{reason_of(why_not)}{name}", is_passing=why_not.errno in _PASSING)

    def keep_unsaid(self, channel: int) -> None:
        """Say later, over this channel, that its run is over, and close it: closed now, it would say another thing."""
        with self._lock:
            self._unsaid.append(channel)

    def _started(self) -> tuple[Helper | None, OSError | None]:
        """The process, started if there is none, or why not; with the lock held."""
        if self._helper is None:
            try:
                self._helper = Helper(_source())
            except OSError as err:
                return None, err
        return self._helper, None

    def _bury(self, helper: Helper) -> None:
        """It is dead: reap it, and note what that means for the next. Not with the lock held."""
        has_served, lived = warden_process.HEARD in helper.said(), helper.lived_seconds
        how = helper.end()
        if not has_served:
            self._failed(how)
            return
        with self._lock:
            self._tries.killed(time.monotonic(), lived)
        logger.warning("the warden of running programs has died (%s); starting another", how)

    def _failed(self, why: str, *, is_passing: bool = False) -> None:
        with self._lock:
            is_to_tell = self._tries.failed(time.monotonic(), why, is_passing=is_passing)
            is_last = self._tries.is_given_up
        if is_to_tell:
            logger.warning(
                "programs will outlive this process if it is killed: the warden, which would end them, cannot run (%s);"
                " %s",
                why,
                "it is not tried again" if is_last else "it is tried again",
            )

    def _look_whether_it_serves(self) -> None:
        if self._helper is not None and warden_process.HEARD in self._helper.said():
            self._tries.served()

    def _say_unsaid(self) -> None:
        if not self._unsaid:
            return
        with self._lock:
            unsaid, self._unsaid = self._unsaid, []
        for channel in unsaid:
            if _say_over(channel):
                close_own(channel)
            else:
                self.keep_unsaid(channel)


class Guard:
    """What the warden knows of one run. Used by the thread that makes the run."""

    def __init__(self, warden: Warden, directory: Path, lock: int | None) -> None:
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
        """
        if self._lock is None:
            yield ()
            return
        copy = os.dup(self._lock)
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
        except OSError as err:
            self._n_troubles += 1
            seconds = pause_seconds(self._n_troubles)
            if self._n_troubles == 1:
                logger.warning("cannot tell the warden of a program now: %s; trying again", reason_of(err))
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
            if _say_over(self._channel):
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


@functools.cache
def _source() -> str:
    return source_of(warden_process)


def _say_over(channel: int) -> bool:
    """Say that a run is over, if it can be said now; return whether nothing is left to say."""
    try:
        send(channel, warden_process.OVER, [])
    except ConnectionError:  # it has been killed, and there is nothing to guard any more
        return True
    except OSError:
        return False
    return True
