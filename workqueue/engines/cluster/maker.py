"""4 cluster maker: a task whose key has no run -> a new run in the log, if the line has room for it."""

from typing import Final

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Refused
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.records import Job
from workqueue.engines.cluster.seal import Seal
from workqueue.engines.cluster.view import Run
from workqueue.engines.cluster.watch import Watch
from workqueue.engines.cluster.wire import to_wire
from workqueue.progress import failed

FULL: Final = "the queue is full; try again later"


class Maker:
    """Makes new runs for tasks. For the loop's thread.

    Args:
        member: whose view says whether there is room.
        seal: closes tasks.
    """

    def __init__(self, member: Member, seal: Seal) -> None:
        self._member = member
        self._seal = seal

    async def make(self, watch: Watch) -> Run | None:
        """A new run; None if it has ended by now, or the queue is full, of which the task was told.

        Raises:
            Refused: another process was first, or whoever is read from is behind; then it is to be looked again.
            Unreachable: it is not known whether it was made.
        """
        task, view = watch.task, self._member.view
        expect, on = 0, None
        if task.max_pending is not None:
            # Nobody else has made one since the look by which it is decided.
            on = records.job_subject("*")
            expect = await self._member.certain(on)
            view = self._member.view
            if (there := view.by_key.get(task.key)) is not None:
                return there
            if not view.has_room(task.max_pending, self._member.capacity or 0):
                watch.end(failed(FULL))
                return None
        job = Job(
            task.tenant,
            view.take_turn(task.tenant),
            task.name,
            task.version,
            watch.storage,
            to_wire(task, self._seal),
        )
        try:
            number = await self._member.moves.make(task.key, job, expect, on)
        except Refused:
            await self._look_who_was_first(task.key)
            raise
        return self._member.view.runs.get(number)

    async def _look_who_was_first(self, key: str) -> None:
        await self._member.read_on()
        there = await self._member.log.last(records.job_subject(key))
        if there.sequence:
            self._member.apply(there)  # it may be newer than what was read
            if there.sequence not in self._member.view.runs:
                await self._member.log.erase(there.sequence)  # it has ended; whoever ended it died before this
