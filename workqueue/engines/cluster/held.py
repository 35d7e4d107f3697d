"""4 cluster held: a run that this worker has: what the local engine reports of it -> the log, while it is ours.

The engine reports on its threads; the loop's thread puts one report after the other. A report that is refused says that
the run is another's: the program is stopped, and nothing is said of it any more.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Final, Protocol, TypeGuard

from workqueue.engines.base import Task, Ticket
from workqueue.engines.cluster.base import Refused, Unreachable
from workqueue.engines.cluster.loop import loop
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.records import Said, decode_own, own_subject
from workqueue.engines.cluster.view import Run
from workqueue.engines.local.engine import LocalEngine
from workqueue.progress import CANCELLED, Progress, WaitsAgain

#: Reports that are kept while the servers cannot be reached; the oldest go first: progress is state.
_MAX_UNSAID: Final = 64

_RETRY_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 5.0

logger = logging.getLogger("workqueue")


class Holder(Protocol):
    """Who has a run; see `Worker`."""

    member: Member
    engine: LocalEngine

    def freed(self, held: "Held") -> None:
        """A run has ended, and that is known, or it is another's."""
        ...


class Held:
    """One run. For the loop's thread, but for `report` and `is_still_ours`.

    Args:
        worker: that has it.
        run: as it is in the view.
        claim: the sequence of the record by which it is ours.
    """

    def __init__(self, worker: Holder, run: Run, claim: int) -> None:
        self.number = run.number
        self.claim = claim
        self.is_ours = True
        self._worker = worker
        self._name = run.own.worker
        self._run = run
        self._attempt = run.own.attempt
        self._ticket: Ticket | None = None
        self._is_cancelled = run.is_cancelled
        self._is_given_back = False
        self._last = 0
        self._n_said = 0
        self._unsaid: deque[tuple[int, Progress | WaitsAgain]] = deque()
        self._has_news = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        """Whether the program has ended, and that is being put."""
        return any(_is_end(report) for _, report in self._unsaid)

    def begin(self, task: Task) -> None:
        """Run it."""
        self._worker.member.spawn(self._say_all())
        self._ticket = self._worker.engine.submit(task, self.report)
        if self._is_cancelled or self._is_given_back or not self.is_ours:
            self._ticket.cancel()

    def cancel(self) -> None:
        """Somebody wants it stopped."""
        self._is_cancelled = True
        self._stop()

    def give_back(self) -> None:
        """Stop it; once its program has ended, others may begin it."""
        self._is_given_back = True
        self._stop()

    def lose(self) -> None:
        """It is another's by now: stop, and say nothing any more."""
        if self.is_ours:
            logger.warning("the run %d is another worker's by now; its program is stopped here", self.number)
        self.is_ours = False
        self._stop()

    def report(self, report: Progress | WaitsAgain) -> None:
        """Take what the engine reports; callable from any thread."""
        loop.call(lambda: self._take(report))

    def is_still_ours(self) -> bool:
        """Ask the leader whose it is; callable from any thread but the loop's. It waits for the servers."""
        subject = own_subject(self._run.tenant, self.number)
        while self.is_ours:
            try:
                last = loop.do(self._worker.member.log.last(subject)).result(_ANSWER_SECONDS)
                own = decode_own(last.value)
                # Not by its sequence alone: in a stream that was made anew another record may have it.
                return last.sequence == self.claim and own is not None and own.worker == self._name
            except (Unreachable, TimeoutError):
                time.sleep(_RETRY_SECONDS)
        return False

    def _stop(self) -> None:
        if self._ticket is not None:
            self._ticket.cancel()

    def _take(self, report: Progress | WaitsAgain) -> None:
        self._n_said += 1
        if len(self._unsaid) >= _MAX_UNSAID:
            self._unsaid.popleft()
        self._unsaid.append((self._n_said, report))
        self._has_news.set()

    async def _say_all(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._unsaid:
                number, report = self._unsaid[0]
                try:
                    if self.is_ours:
                        await self._say(number, report)
                except Refused:
                    self.lose()
                except Unreachable:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                if self._unsaid and self._unsaid[0][0] == number:
                    self._unsaid.popleft()
                if _is_end(report):
                    self._worker.freed(self)
                    return

    async def _say(self, number: int, report: Progress | WaitsAgain) -> None:
        member = self._worker.member
        if not _is_end(report):
            self._last = await member.moves.say(self._run, Said(self._attempt, number, report), self.claim)
        elif self._is_given_back and not self._is_cancelled and report.returncode == CANCELLED:
            await member.moves.give_back(self._run, self.claim)
        else:
            await member.end(self._run, report, self.claim, worker=self._name, last=self._last)


def _is_end(report: Progress | WaitsAgain) -> TypeGuard[Progress]:
    return isinstance(report, Progress) and report.returncode is not None
