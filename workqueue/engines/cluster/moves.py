"""4 cluster moves: what a process can do to a run: each is one put on a condition, and nothing is decided elsewhere.

What was put is in the process's own view when a move returns. For the loop's thread. All raise `Refused`, when somebody
else moved first, and `Unreachable`, when nobody knows whether it was done.
"""

from collections.abc import Callable
from typing import Final

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Record, Refused
from workqueue.engines.cluster.log import Log
from workqueue.engines.cluster.records import Beat, Job, Own, Said, State
from workqueue.engines.cluster.view import Run
from workqueue.progress import Progress, cancelled

#: Seconds that the end of a run is kept for those who watch it and were not connected.
KEEP_SECONDS: Final = 120.0

#: ... its progress, beyond its end or the loss of everything else that knew of it.
HISTORY_SECONDS: Final = 3600.0

#: ... that somebody watches a run; put again by whoever still does.
WATCH_SECONDS: Final = 300.0


class Moves:
    """The moves of one process.

    Args:
        log: where they are made.
        apply: takes a record that this process has put, as if it had heard of it.
    """

    def __init__(self, log: Log, apply: Callable[[Record], None]) -> None:
        self._log = log
        self._apply = apply

    async def make(self, key: str, job: Job, expect: int, on: str | None = None) -> int:
        """A new run, if its key has none; return its number.

        Args:
            key: of its result.
            job: what it is.
            expect: the last record of `on`.
            on: None: of the key's own jobs.
        """
        return await self._put(records.job_subject(key), records.encode_job(job), expect, on)

    async def claim(self, run: Run, worker: str, expect: int, on: str | None = None) -> int:
        """It is this worker's, which may begin as soon as it hears so; return the sequence of the claim."""
        own = Own(State.RUN, worker, run.own.attempt + 1, run.own.lost)
        return await self._own(run, own, expect, on)

    async def give_back(self, run: Run, expect: int, *, is_lost: bool = False) -> None:
        """It waits again, since its worker stops, or was lost."""
        await self._own(run, Own(State.WAIT, "", run.own.attempt, run.own.lost + is_lost), expect)

    async def end(self, run: Run, outcome: Progress, expect: int, *, worker: str = "", last: int = 0) -> None:
        """It has ended; its key is free.

        Args:
            run: which.
            outcome: its last event.
            expect: the record by which it is ours to end.
            worker: who had it, and says so itself; "": it is lost, or was waiting.
            last: the sequence of what it said last.
        """
        own = Own(State.END, worker, run.own.attempt, run.own.lost, outcome, last)
        try:
            await self._own(run, own, expect, ttl=KEEP_SECONDS)
        except Refused:
            # It was ours, and its answer was lost?
            there = records.decode_own((await self._log.last(_own(run))).value)
            if not worker or there is None or there.state is not State.END:
                raise
            if (there.worker, there.attempt) != (worker, own.attempt):
                raise

    async def is_wanted(self, run: Run) -> bool:
        """Whether the leader knows of no cancel of this run; to be asked after a claim on a whole tenant.

        Of several servers the leader holds a condition with a wildcard against what is stored, not against what the
        servers are just agreeing on. So such a claim may be taken though the run has ended a moment before, or ends a
        moment later. While a run waits, only a cancel ends it: that is put before the end, and removed after the job.
        So one of the two shows it, looked for in this order.
        """
        if (await self._log.last(f"s.cancel.{run.number}")).sequence:
            return False
        return (await self._log.last(records.job_subject(run.key))).sequence == run.number

    async def bury(self, run: Run, claim: int) -> None:
        """End a run that this claim took although it is not wanted."""
        own = Own(State.END, "", run.own.attempt, run.own.lost, cancelled())
        await self._put(_own(run), records.encode_own(own), claim, ttl=KEEP_SECONDS, is_only=True)

    async def clear(self, number: int) -> None:
        """Remove what nobody needs of a run that has ended."""
        await self._log.erase(number)
        await self._log.purge(f"s.cancel.{number}")
        await self._log.purge(f"w.{number}.*")

    async def say(self, run: Run, said: Said, claim: int) -> int:
        """Its program says so, if this worker still has it; return the sequence."""
        return await self._log.put(f"p.{run.number}", records.encode_said(said), claim, _own(run), ttl=HISTORY_SECONDS)

    async def watch(self, number: int, process: str) -> int:
        """This process watches it, unless it is cancelled; return the sequence of the record."""
        return await self._log.put(f"w.{number}.{process}", 1, 0, f"s.cancel.{number}", ttl=WATCH_SECONDS, is_only=True)

    async def leave(self, mark: int) -> None:
        """It watches no more."""
        await self._log.erase(mark)

    async def cancel(self, number: int, *, for_all: bool) -> None:
        """It is to be stopped; if not `for_all`, only if nobody watches it."""
        expect, on = (None, None) if for_all else (0, f"w.{number}.*")
        await self._put(f"s.cancel.{number}", 1, expect, on, ttl=HISTORY_SECONDS)

    async def beat(self, worker: str, beat: Beat) -> None:
        """This worker lives."""
        await self._put(f"s.worker.{worker}", list(beat), ttl=4 * beat.lease, is_only=True)

    async def remember(self, key: str, failure: records.Failure | None) -> None:
        """How a run of this key failed; None: forget that."""
        value = None if failure is None else records.encode_failure(failure)
        await self._put(f"s.failed.{key}", value, ttl=1.0 if failure is None else failure.ttl, is_only=True)

    async def _own(self, run: Run, own: Own, expect: int, on: str | None = None, *, ttl: float = 0.0) -> int:
        if run.own.state is State.END:
            # It ended while the caller waited for something, and `expect`, if it is of the run, is that end's by now.
            raise Refused(run.number)
        return await self._put(_own(run), records.encode_own(own), expect, on, ttl=ttl, is_only=True)

    async def _put(
        self,
        subject: str,
        value: object,
        expect: int | None = None,
        on: str | None = None,
        *,
        ttl: float = 0.0,
        is_only: bool = False,
    ) -> int:
        sequence = await self._log.put(subject, value, expect, on, ttl=ttl, is_only=is_only)
        self._apply(Record(subject, sequence, value))
        return sequence


def _own(run: Run) -> str:
    return records.own_subject(run.tenant, run.number)
