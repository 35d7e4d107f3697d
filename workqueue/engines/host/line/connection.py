"""4 host line connection: this process's lifeline, its log, and the line that the log makes.

Whoever uses it has `files`, so that all that is read is applied in order. Nothing of a user's is called with it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.log import Log, Lost, sweep
from workqueue.engines.host.line.member import Lifeline, bury_if_dead, member_of
from workqueue.engines.host.line.record import NO_LIMIT, Record
from workqueue.engines.host.line.state import Line, Task
from workqueue.system.own_files import make_directory

#: How often the log may be lost, or this process be taken for dead, in one call.
_MAX_TURNS: Final = 100

#: How late a time may be that is told of a task, in milliseconds.
_TIME_MS: Final = 100

Restate = Callable[[Line, str, str], list[Record]]
"""What one that joins anew has in the line: the line before, its name there, its name now."""

logger = logging.getLogger("workqueue")


class Connection:
    """One queue's connection to the line. Used by whoever holds `files`, but for `line` and `member`.

    Args:
        directory: where the log is.
        limits: the three of `record.Join`, with NO_LIMIT for none.
        restate: see `Restate`; called with `lock` held.
        lock: held while `line` and `member` change, by whoever holds `files`; who holds it may look at them.
    """

    def __init__(self, directory: Path, limits: tuple[int, int, int], restate: Restate, lock: threading.Lock) -> None:
        self.directory = directory
        self.files = threading.Lock()
        self.line = Line()
        self.member = ""
        #: Whether a place may have changed since somebody set it to False.
        self.has_moved = False
        #: What is still to be said, with the next that is.
        self.unsaid: list[Record] = []
        #: Called when another log is read from now on.
        self.gone_on: Callable[[], None] = lambda: None
        self._limits = limits
        self._restate = restate
        self._lock = lock
        self._log: Log | None = None
        self._lifeline: Lifeline | None = None

    @property
    def is_open(self) -> bool:
        """Whether this process is one of those that share the line."""
        return self._lifeline is not None

    @property
    def log_name(self) -> str:
        """The log's file."""
        return self._open_log().name

    def is_in(self, number: int) -> bool:
        """Whether this task of ours waits in the line, or runs."""
        task = Task(self.member, number)
        return self.line.waits(task) or task in self.line.running

    def ready(self) -> list[int]:
        """The tasks of ours that may begin, in order."""
        ready = (task for _, task in self.line.ready(self.member) if task.member == self.member)
        return [task.number for task in ready]

    @property
    def may_begin_at_once(self) -> bool:
        """Whether a task that comes now may begin, as far as is known without reading."""
        return not self.line.n_waiting and len(self.line.running) < self._limits[0]

    @property
    def is_stalled(self) -> bool:
        """Whether we are passed over."""
        me = self.line.members.get(self.member)
        return me is not None and me.is_stalled

    def join(self) -> None:
        """Be there, with all that this queue has in the line.

        Raises:
            OSError: it cannot be.
        """
        make_directory(self.directory)
        log = self._log = self._log or Log(self.directory)
        lifeline = Lifeline(self.directory)
        if self._lifeline is not None:
            self._lifeline.close()
        self._lifeline = lifeline
        with self._lock:
            records: list[Record] = [said.Join(lifeline.member, *self._limits)]
            records += self._restate(self.line, self.member, lifeline.member)
            self.member, self.line = lifeline.member, log.line
        self.unsaid.clear()
        log.append(records)
        self.gone_on()
        self._apply()
        self._sweep(log.number)

    def say(self, *records: Record) -> None:
        """Say it, and read on to it; once more where it came behind a seal. What is said twice counts once.

        Raises:
            OSError: it was not said.
        """
        telling, member = [*self._time(records), *self.unsaid, *records], self.member
        for _ in range(_MAX_TURNS):
            log = self._open_log()
            if self.member != member:  # joined anew
                telling = [_by(record, member, self.member) for record in telling]
                member = self.member
            log.append(telling)
            self.read()
            if self._log is log and self.member == member:
                self.unsaid.clear()
                return
        raise Lost

    def _time(self, records: tuple[Record, ...]) -> list[Record]:
        """The time of day, before a task that enters; one for all that enter within a moment."""
        now = round(time.time() * 1000)
        is_wanted = any(isinstance(record, said.Enter) for record in records)
        return [said.Time(now)] if is_wanted and abs(now - self.line.time) > _TIME_MS else []

    def read(self) -> None:
        """Read what was said, and seal a log that has grown.

        Raises:
            OSError: it cannot be read.
        """
        for _ in range(_MAX_TURNS):
            try:
                log = self._open_log()
                self._apply()
                if log.is_long:
                    log.append([said.Seal()])
                    self._apply()
                me = self.line.members.get(self.member)
                if me is not None and not me.is_dead:
                    return
                self.join()  # somebody took our file away, and others took us for dead
            except Lost:
                logger.warning("the log of the line in %s was removed or moved; it is made anew", self.directory)
                if self._log is not None:
                    self._log.close()
                self._log = None
        raise Lost

    def close(self) -> None:
        """Be out of it. Idempotent."""
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.append([said.Dead(self.member)])
            self._log.close()
        if self._lifeline is not None:
            self._lifeline.close()
        self._log = self._lifeline = None

    def _open_log(self) -> Log:
        if self._log is None:
            self.join()
        assert self._log is not None
        return self._log

    def _apply(self) -> None:
        assert self._log is not None
        while True:
            log = self._log
            records = log.read()
            with self._lock:
                for record in records:
                    self.has_moved |= self.line.apply(record)
            if not log.is_sealed:
                return
            log = log.go_on()
            with self._lock:
                self._log, self.line, self.has_moved = log, log.line, True
            self.gone_on()

    def _sweep(self, number: int) -> None:
        """Remove what killed processes left that nobody knows any more."""
        sweep(self.directory, number)
        for member in filter(None, (member_of(path.name) for path in self.directory.iterdir())):
            if member not in self.line.members:
                with contextlib.suppress(OSError):
                    bury_if_dead(self.directory, member)


def _by(record: Record, before: str, member: str) -> Record:
    """The same, said by one that has joined anew."""
    if isinstance(record, said.Enter | said.Begin | said.Leave | said.Back) and record.member == before:
        return record._replace(member=member)
    return record


def entry(member: str, number: int, key: str, tenant: str, max_pending: int | None = None) -> said.Enter:
    """That a task comes."""
    limit = NO_LIMIT if max_pending is None else min(max_pending, NO_LIMIT)
    return said.Enter(member, number, key, tenant, limit)
