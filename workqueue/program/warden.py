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

import errno
import functools
import logging
import threading
import time
from pathlib import Path
from typing import Final

from workqueue.errors import reason_of
from workqueue.program import warden_process
from workqueue.program.guard import Guard, say_over
from workqueue.program.helper import Helper, source_of
from workqueue.program.tries import Tries
from workqueue.system.descriptors import close_own

__all__ = ("Guard", "Warden")

logger = logging.getLogger("workqueue")

#: What a process lacks for a while, and has again: memory, descriptors, numbers for processes.
_PASSING: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.ENFILE})


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
        self._refused: str | None = None  # why the last message could not be sent

    @property
    def unguarded(self) -> str | None:
        """Why programs are not killed when this process dies, in words; None: they are, as far as is known."""
        if self._tries.why is None:
            return self._refused
        with self._lock:
            if self._helper is not None and warden_process.HEARD in self._helper.said():
                self._tries.served()
            return self._tries.why or self._refused

    def guard(self, directory: Path, lock: int | None = None) -> Guard:
        """Guard one run, from before its program starts; a context for the thread that makes the run.

        Args:
            directory: what is removed when this process dies.
            lock: the descriptor that is locked for the run, to be kept until then; its program must inherit it.
        """
        return Guard(self, directory, lock)

    def close(self) -> None:
        """End the process, once nothing runs, waiting no longer than `Helper.end`; a later run starts another."""
        with self._lock:
            helpers = self._cut_off if self._helper is None else [*self._cut_off, self._helper]
            self._helper, self._cut_off = None, []
            unsaid, self._unsaid = self._unsaid, []
        for channel in unsaid:
            say_over(channel)
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
        was_refused = self._refused
        try:
            return self._tell(line, descriptors)
        except OSError as err:
            self._refused = reason_of(err)
            if was_refused is None:  # once, however many programs wait to be told of
                logger.warning("cannot tell the warden of a program now: %s; trying again", self._refused)
            raise

    def _tell(self, line: bytes, descriptors: list[int]) -> float:
        while True:
            with self._lock:
                seconds = 0.0 if self._helper is not None else self._tries.wait(time.monotonic())
                if seconds > 0.0:
                    return seconds
                helper, why_not = self._started()
                if helper is not None and self._sent(helper, line, descriptors):
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

    def _sent(self, helper: Helper, line: bytes, descriptors: list[int]) -> bool:
        """Send it, with the lock held; return whether there was somebody to send it to."""
        try:
            helper.send(line, descriptors)
        except ConnectionAbortedError:
            # It guards what it knows of until that is over; but the rest of this line, or another, would confuse it.
            self._helper = None
            self._cut_off.append(helper)
            raise
        except ConnectionError:
            self._helper = None
            return False
        self._refused = None
        return True

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

    def _say_unsaid(self) -> None:
        if not self._unsaid:
            return
        with self._lock:
            unsaid, self._unsaid = self._unsaid, []
        for channel in unsaid:
            if say_over(channel):
                close_own(channel)
            else:
                self.keep_unsaid(channel)


@functools.cache
def _source() -> str:
    return source_of(warden_process)
