"""4 cluster watch: one task of this process, and the reports that are made of a run for it; the ticket, too.

What is said of a run comes on the loop's thread, and is delivered by the teller; what a caller of `cancel` or `close`
decides is delivered by his own thread. Whoever delivers, one report is made at a time, and in order.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from workqueue.engines.base import Report, Task
from workqueue.engines.cluster.records import Said
from workqueue.engines.cluster.teller import Teller
from workqueue.progress import Cancelling, Progress, WaitsAgain

#: Reports that an observer may be behind; of more, the oldest are left out: progress is state.
_MAX_UNSAID: Final = 64

#: In place of a report's number: none of this attempt comes after it.
_ALL: Final = 2**62

logger = logging.getLogger("workqueue")


class Watch:
    """A task. Callable from any thread, but for `number`, `last` and `said`, which are the loop's.

    Args:
        task: what is wanted.
        storage: the identity of its storage.
        report: told of it.
        teller: delivers what the loop's thread says.
        ended: called once its end was reported.
    """

    def __init__(
        self, task: Task, storage: str, report: Report, teller: Teller, ended: Callable[["Watch"], None]
    ) -> None:
        self.task = task
        self.storage = storage
        #: Of the run that it watches; 0: none yet.
        self.number = 0
        #: The sequence of what was told last.
        self.last = 0
        self._report = report
        self._teller = teller
        self._tell_ended = ended
        self._lock = threading.Lock()  # guards all below
        self._at = (0, 0)  # the attempt, and the number in it, of what was told last
        self._has_begun = False
        self._is_ended = False
        self._is_cancelled = False
        self._unsaid: deque[Progress | WaitsAgain | Cancelling] = deque()
        self._is_delivering = False

    @property
    def has_begun(self) -> bool:
        """Whether it runs, as far as is known here."""
        return self._has_begun

    @property
    def is_ended(self) -> bool:
        """Whether its end is known here."""
        return self._is_ended

    @property
    def is_cancelled(self) -> bool:
        """Whether this process has cancelled it, for all."""
        return self._is_cancelled

    def mark_cancelled(self) -> None:
        """This process cancels it, for all."""
        with self._lock:
            self._is_cancelled = True

    def said(self, said: Said) -> None:
        """A worker reports; what is old is left out."""
        with self._lock:
            at = (said.attempt, said.number)
            if self._is_ended or at <= self._at:
                return
            if self._has_begun and said.attempt > self._at[0]:
                self._post(WaitsAgain())  # nobody told us here, who were not connected then
            self._at = at
            self._has_begun = isinstance(said.report, Progress)
            self._post(said.report)
        self._teller.add(self)

    def lost(self, attempt: int, n_ahead: int) -> None:
        """Its worker has given it back, or was lost in this attempt."""
        with self._lock:
            if self._is_ended or attempt < self._at[0]:
                return
            self._at = (attempt, _ALL)
            if not self._has_begun:
                return
            self._has_begun = False
            self._post(WaitsAgain(n_ahead))
        self._teller.add(self)

    def starts_over(self) -> None:
        """The log was lost, and with it the run: another one is asked for."""
        with self._lock:
            self.number, self.last = 0, 0
            self._at = (0, 0)
            if self._has_begun and not self._is_ended:
                self._has_begun = False
                self._post(WaitsAgain())
        self._teller.add(self)

    def cancelling(self) -> None:
        """Somebody else cancels it."""
        with self._lock:
            if self._is_ended or self._is_cancelled:
                return
            self._post(Cancelling())
        self._teller.add(self)

    def end(self, outcome: Progress) -> bool:
        """It has ended so, says the loop's thread; return whether that is news."""
        is_news = self._end(outcome)
        if is_news:
            self._teller.add(self)
        return is_news

    def end_now(self, outcome: Progress) -> bool:
        """It has ended so, says another thread, which delivers it before this returns; unless another does."""
        is_news = self._end(outcome)
        if is_news:
            self.deliver()
        return is_news

    def deliver(self) -> None:
        """See `Told`."""
        with self._lock:
            if self._is_delivering:
                return
            self._is_delivering = True
        while (report := self._next()) is not None:
            try:
                self._report(report)
            except BaseException:
                logger.exception("exception in workqueue", extra={"key": self.task.key})
            if isinstance(report, Progress) and report.returncode is not None:
                self._tell_ended(self)

    def _next(self) -> Progress | WaitsAgain | Cancelling | None:
        with self._lock:
            if self._unsaid:
                return self._unsaid.popleft()
            self._is_delivering = False
            return None

    def _end(self, outcome: Progress) -> bool:
        with self._lock:
            if self._is_ended:
                return False
            self._is_ended = True
            self._post(outcome)
            return True

    def _post(self, report: Progress | WaitsAgain | Cancelling) -> None:
        assert self._lock.locked()
        if len(self._unsaid) >= _MAX_UNSAID:
            self._unsaid.popleft()
        self._unsaid.append(report)
