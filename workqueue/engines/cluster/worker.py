"""4 cluster worker: runs from the log -> the local engine of this host.

It claims the first run in the line that it can make, as long as it has room. A claim begins a program when it is heard,
so it does not matter whether its own answer came. What it can make is a run of its program's name and version, for its
storage, sealed with its secret; why it leaves one alone is said once.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from typing import Final

from workqueue.engines.base import Task
from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Access, Refused, Unreachable
from workqueue.engines.cluster.fence import FencedStorage
from workqueue.engines.cluster.held import Held
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.offer import Offer
from workqueue.engines.cluster.records import Beat, Own, State, own_subject
from workqueue.engines.cluster.view import Run
from workqueue.engines.local.engine import LocalEngine
from workqueue.program.process import TERMINATE_SECONDS

#: Claims of which a second record may still come.
_BEGUN_KEPT: Final = 10_000

_RETRY_SECONDS: Final = 0.2

#: How long a worker that stops waits for the servers to take back what it had, once its programs have ended.
_LEAVE_SECONDS: Final = 5.0

logger = logging.getLogger("workqueue")


class Worker:
    """One process that makes runs. For the loop's thread, but for `run_out` and what it says of how things stand.

    Args:
        name, access, replicas, lease: see `Member`.
        worker: names this one among all.
        offer: what it can make.
        max_running: how many at once.
        max_running_per_tenant: of one tenant, in the whole cluster; None: any number.
    """

    def __init__(
        self,
        name: str,
        access: Access,
        *,
        replicas: int,
        lease: float,
        worker: str,
        offer: Offer,
        max_running: int,
        max_running_per_tenant: int | None = None,
    ) -> None:
        self.member = Member(name, access, replicas, lease, self)
        self.engine = LocalEngine(max_running=max_running, exit_drain=None)
        self.held: dict[int, Held] = {}
        self._worker = worker
        self._offer = offer
        self._max_running = max_running
        self._max_per_tenant = max_running_per_tenant
        self._since = time.time()
        self._is_stopping = False
        self._gives_back = False
        self._has_room = asyncio.Event()
        self._idle = asyncio.Event()
        self._begun: OrderedDict[int, int] = OrderedDict()  # run -> the claim by which it was begun: each once
        self._is_claiming = False

    async def stop(self, drain: float | None) -> None:
        """Take no more runs; those that are there have `drain` seconds to end, and are then given back.

        Args:
            drain: None: as long as they take.
        """
        self._is_stopping = True
        await self._beat_if_up()
        await self._wait_idle(drain)
        self._gives_back = True
        for held in list(self.held.values()):
            held.give_back()
        await self._wait_idle(TERMINATE_SECONDS + _LEAVE_SECONDS)
        for held in list(self.held.values()):
            held.lose()  # no server takes it back; it will be others' when the lease is over
        await self.member.leave()

    def freed(self, held: Held) -> None:
        """A run has ended, and that is known, or it is another's."""
        if self.held.get(held.number) is held:
            del self.held[held.number]
        if not self.held:
            self._idle.set()
        self._has_room.set()

    # What the log says; see `Side`.

    def owned(self, number: int, sequence: int, own: Own) -> None:
        """See `Side`: what is ours begins, however it was heard; what is ours no longer stops."""
        held = self.held.get(number)
        if held is not None and sequence > held.claim and not held.is_ending:
            held.lose()
        run = self.member.view.runs.get(number)
        if own.state is not State.RUN or own.worker != self._worker or run is None or run.own_sequence != sequence:
            return
        if sequence > self._begun.get(number, 0):
            self._begin(run, sequence)

    def cancelled(self, number: int) -> None:
        """See `Side`."""
        if (held := self.held.get(number)) is not None:
            held.cancel()

    def failed(self, key: str, failure: records.Failure | None) -> None:
        """See `Side`: it is for those who ask."""

    def moved(self) -> None:
        """See `Side`."""
        self._has_room.set()

    def lost_all(self) -> None:
        """See `Side`: sequences mean something else from now on."""
        for held in list(self.held.values()):
            held.lose()
        self._begun.clear()
        self._offer.forget()

    async def reloaded(self) -> None:
        """See `Side`."""
        for held in list(self.held.values()):
            run = self.member.view.runs.get(held.number)
            if not held.is_ending and (run is None or run.own_sequence != held.claim):
                held.lose()

    async def tick(self) -> None:
        """See `Side`."""
        if not self._is_claiming:
            self._is_claiming = True
            self.member.spawn(self._claim_all())
        self._has_room.set()
        await self._beat()

    async def _beat(self) -> None:
        capacity = 0 if self._is_stopping else self._max_running
        offer = self._offer
        beat = Beat(capacity, self.member.lease, offer.name, offer.version, offer.storage.identity, self._since)
        await self.member.moves.beat(self._worker, beat)

    async def _beat_if_up(self) -> None:
        try:
            await self._beat()
        except Unreachable:
            logger.debug("others will notice that this worker has left when its lease is over")

    async def _claim_all(self) -> None:
        while True:
            await self._has_room.wait()
            self._has_room.clear()
            refused: set[int] = set()  # what others claimed first, of which the view has not heard yet
            try:
                while await self._claim_one(refused):
                    pass
            except Unreachable as err:
                logger.warning("cannot claim a run now: %s", err)
                await asyncio.sleep(_RETRY_SECONDS)
                self._has_room.set()
            except Exception:  # a storage that cannot say which it is, say; the next move, or tick, tries again
                logger.exception("exception in workqueue")

    async def _claim_one(self, refused: set[int]) -> bool:
        """Claim the first run that this worker can make; return whether to look for another."""
        if not self.member.is_up or self._is_stopping or len(self.held) >= self._max_running:
            return False
        run = self.member.view.choose(lambda run: run.number not in refused and self._may_take(run))
        if run is None:
            return False
        try:
            await self._claim(run)
        except Refused:
            refused.add(run.number)
        except Unreachable:
            raise
        except Exception:  # of this run: others must not wait for it
            logger.exception("exception in workqueue", extra={"key": run.key})
            refused.add(run.number)
        return True

    def _may_take(self, run: Run) -> bool:
        return self._has_share(run) and self._offer.fits(run)

    def _has_share(self, run: Run) -> bool:
        most = self._max_per_tenant
        return most is None or self.member.view.running_tenants[run.tenant] < most

    async def _claim(self, run: Run) -> None:
        expect, on = run.own_sequence, None
        if self._max_per_tenant is not None:
            # Nothing of this tenant has changed since the view by which it is decided.
            on = own_subject(run.tenant, "*")
            expect = await self.member.certain(on)
            there = self.member.view.runs.get(run.number)
            if there is None or there.is_running or not self._has_share(there):
                raise Refused(run.number)
            run = there
        claim = await self.member.moves.claim(run, self._worker, expect, on)
        if run.number not in self.member.view.runs:  # its end was heard, which came a moment before; see `is_wanted`
            await self._bury(run, claim)

    def _begin(self, run: Run, claim: int) -> None:
        self._begun[run.number] = claim
        if len(self._begun) > _BEGUN_KEPT:
            self._begun.popitem(last=False)
        held = Held(self, run, claim)
        task = self._task(run, held)
        self.held[run.number] = held
        self._idle.clear()
        if self._gives_back:  # it was claimed a moment before
            held.give_back()
        if self._max_per_tenant is None:
            held.begin(task)
        else:
            self.member.spawn(self._begin_if_wanted(held, run, task))

    async def _begin_if_wanted(self, held: Held, run: Run, task: Task) -> None:
        is_begun = False
        try:
            while held.is_ours:
                with contextlib.suppress(Unreachable):
                    if not await self.member.moves.is_wanted(run):
                        await self._bury(run, held.claim)
                        return
                    is_begun = True
                    held.begin(task)
                    return
                await asyncio.sleep(_RETRY_SECONDS)
        finally:
            if not is_begun:
                self.freed(held)

    async def _bury(self, run: Run, claim: int) -> None:
        await self.member.moves.bury(run, claim)
        self.member.clear(run.number)

    def _task(self, run: Run, held: Held) -> Task:
        return self._offer.task(run, FencedStorage(self._offer.storage, held.is_still_ours))

    async def _wait_idle(self, seconds: float | None) -> None:
        if self.held:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), seconds)
            except TimeoutError:
                return
