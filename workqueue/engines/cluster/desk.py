"""4 cluster desk: the tasks of this process -> runs in the log, theirs or somebody's; what is said of those -> reports.

A task joins the run of its key, or makes one. A run that is being cancelled is nobody's to join: its end is awaited,
and a new one made. For the loop's thread.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Access, Refused, Unreachable
from workqueue.engines.cluster.maker import Maker
from workqueue.engines.cluster.marks import Marks
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.records import Own, State
from workqueue.engines.cluster.remembered import Remembered
from workqueue.engines.cluster.seal import Seal
from workqueue.engines.cluster.view import Run
from workqueue.engines.cluster.watch import Watch
from workqueue.engines.cluster.watched import Watched
from workqueue.progress import CANCELLED, failed

#: How long moves of the line are gathered before this process's places are told.
_GATHER_SECONDS: Final = 0.05
_RETRY_SECONDS: Final = 0.05

UNREACHABLE: Final = "The cluster cannot be reached; try again later."

logger = logging.getLogger("workqueue")


class Desk:
    """The side of those who want runs.

    Args:
        name, access, replicas, lease: see `Member`.
        process: names this process among those that watch.
        seal: closes tasks.
        give_up: seconds that a task waits for a server.
    """

    def __init__(
        self, name: str, access: Access, *, replicas: int, lease: float, process: str, seal: Seal, give_up: float
    ) -> None:
        self.member = Member(name, access, replicas, lease, self)
        self.remembered = Remembered()
        self._maker = Maker(self.member, seal)
        self._marks = Marks(self.member, process)
        self._give_up = give_up
        self._watched: dict[int, Watched] = {}
        self._ends: dict[int, asyncio.Event] = {}  # of cancelled runs whose key is wanted again
        self._unheard_cancels: set[Watch] = set()
        self._has_moved = False
        #: Called, on the loop's thread, when places may have changed.
        self.tell_moved: Callable[[], None] = lambda: None

    async def submit(self, watch: Watch) -> None:
        """Have this task watch a run; it never raises."""
        until = time.monotonic() + self._give_up
        while not watch.is_ended:
            try:
                if not await self.member.wait_until_up(until - time.monotonic()):
                    raise Unreachable(self.member.trouble)
                if await self._join(watch):
                    return
            except Refused:
                await asyncio.sleep(0)
            except Unreachable:
                if time.monotonic() >= until:
                    watch.end(failed(UNREACHABLE))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception as err:
                logger.exception("exception in workqueue", extra={"key": watch.task.key})
                watch.end(failed(f"Internal error in workqueue: {type(err).__name__}; its log has the details"))

    async def cancel(self, watch: Watch, *, for_all: bool) -> None:
        """Stop the run of this task, for all, or if nobody else watches it; it never raises."""
        watched = self._watched.get(watch.number)
        if watched is None or watch not in watched.watches:
            return  # it is being submitted, and looks again; or it has ended
        if for_all:
            # Before the log says so: whoever asks in this process from now on is not to join it.
            self.member.view.cancel(watch.number)
        try:
            if for_all:
                await self.member.moves.cancel(watch.number, for_all=True)
                await self._marks.end_if_it_waits(watch.number)
                return
            await self._drop(watched, watch)
            if not watched.watches:
                await self._marks.leave(watched)
        except Refused:
            pass  # others watch it; or it began, and its worker hears of the cancel
        except Unreachable as err:
            logger.warning("cannot cancel now: %s", err, extra={"key": watch.task.key})
            if for_all:
                self._unheard_cancels.add(watch)

    async def remember(self, key: str, failure: records.Failure | None) -> None:
        """How a run of this key failed; None: forget that. It never raises."""
        try:
            await self.member.moves.remember(key, failure)
        except Unreachable as err:
            logger.warning("cannot tell others of a failure: %s", err, extra={"key": key})

    async def leave(self) -> None:
        """Watch nothing any more, and leave the cluster."""
        for watched in list(self._watched.values()):
            await watched.stop()
            try:
                await self._marks.take_back(watched)
            except Unreachable:
                break
        self._watched.clear()
        await self.member.leave()

    async def _join(self, watch: Watch) -> bool:
        """Watch the run of its key, there or new; return False if that has ended before, or there can be none."""
        run = self.member.view.by_key.get(watch.task.key) or await self._maker.make(watch)
        if run is None:
            return False
        if run.is_cancelled:
            await self._wait_for_end(run)
            return False
        watched = self._watched.setdefault(run.number, Watched(self.member.log, run.number))
        watch.number, watch.last = run.number, 0
        watched.watches.append(watch)
        try:
            await watched.begin()
            if watched.mark is None:
                # This decides whether it watches: only what was cancelled after it ends its task, too.
                await self._marks.put(watched)
        except Refused:
            self.member.view.cancel(run.number)  # which this process has not heard yet
            await self._drop(watched, watch)
            return False
        except Unreachable:
            await self._drop(watched, watch)
            raise
        there = self.member.view.runs.get(run.number)
        if watch not in watched.watches and not watched.watches:
            await self._marks.leave(watched)  # its client left while that was put
        elif watched.is_ending:
            await self._marks.take_back(watched)
        elif there is None or there.key != watch.task.key:
            # It ended, or the log with it was lost, before we watched it.
            await self._leave(watched, watch)
            return False
        elif watch.is_ended:
            # By its client, meanwhile. Others of this process that join it have asked since: it goes on for them.
            is_alone = all(other.is_ended for other in watched.watches)
            await self.cancel(watch, for_all=watch.is_cancelled and is_alone)
        return True

    async def _wait_for_end(self, run: Run) -> None:
        ended = self._ends.setdefault(run.number, asyncio.Event())
        try:
            await asyncio.wait_for(ended.wait(), self.member.lease)
        except TimeoutError:
            await self.member.read_on()

    async def _drop(self, watched: Watched, watch: Watch) -> None:
        if watch in watched.watches:
            watched.watches.remove(watch)
        if not watched.watches and self._watched.get(watched.number) is watched:
            del self._watched[watched.number]
            await watched.stop()

    async def _leave(self, watched: Watched, watch: Watch) -> None:
        await self._drop(watched, watch)
        if not watched.watches:
            await self._marks.take_back(watched)

    # What the log says; see `Side`.

    def owned(self, number: int, sequence: int, own: Own) -> None:  # noqa: ARG002 - of no use to those who watch
        """See `Side`."""
        watched = self._watched.get(number)
        if own.state is State.END:
            if (ended := self._ends.pop(number, None)) is not None:
                ended.set()
            if watched is not None and not watched.is_ending and not self._was_too_late(watched, own):
                watched.is_ending = True
                self.member.spawn(self._end(watched, own))
        elif own.state is State.WAIT and watched is not None:
            for watch in list(watched.watches):
                watch.lost(own.attempt, self.member.view.n_ahead(number))

    def cancelled(self, number: int) -> None:
        """See `Side`."""
        if (watched := self._watched.get(number)) is not None:
            for watch in list(watched.watches):
                watch.cancelling()

    def failed(self, key: str, failure: records.Failure | None) -> None:
        """See `Side`."""
        self.remembered.heard(key, failure)

    def moved(self) -> None:
        """See `Side`."""
        if not self._has_moved:
            self._has_moved = True
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._tell_moved)

    def lost_all(self) -> None:
        """See `Side`."""
        self._marks.forget()
        for watched in list(self._watched.values()):
            if watched.mark is not None and not watched.is_ending:
                self._submit_again(watched)

    async def reloaded(self) -> None:
        """See `Side`."""
        for watched in list(self._watched.values()):
            if watched.number in self.member.view.runs:
                await watched.begin(anew=True)
            elif watched.mark is not None and not watched.is_ending:  # else it is being submitted still
                self._submit_again(watched)

    async def tick(self) -> None:
        """See `Side`."""
        watches, self._unheard_cancels = self._unheard_cancels, set()
        for watch in watches:
            await self.cancel(watch, for_all=True)
        await self._marks.tick(self._watched.values())

    def _was_too_late(self, watched: Watched, own: Own) -> bool:
        """Whether it was cancelled before this process watched it: its tasks, which are about to, get another run."""
        return watched.mark is None and own.outcome is not None and own.outcome.returncode == CANCELLED

    async def _end(self, watched: Watched, own: Own) -> None:
        await watched.end(own)
        if self._watched.get(watched.number) is watched:
            del self._watched[watched.number]

    def _submit_again(self, watched: Watched) -> None:
        logger.warning("the cluster has lost the run %d; it is asked for again", watched.number)
        self._watched.pop(watched.number, None)
        self.member.spawn(watched.stop())
        for watch in watched.watches:
            watch.starts_over()
            self.member.spawn(self.submit(watch))

    def _tell_moved(self) -> None:
        self._has_moved = False
        if any(not watch.has_begun for watched in self._watched.values() for watch in watched.watches):
            self.tell_moved()
