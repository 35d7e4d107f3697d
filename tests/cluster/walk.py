"""Random moves of queues and of workers without programs, some of them late; each record that is put is checked.

A worker of this module takes runs, reports, ends them, gives them back; or goes away for longer than its lease, and
comes back late to do all that with runs that are others' by then. The log must refuse what is late. What is put is
heard by a checker that knows nothing but the records' order.
"""

import asyncio
import random
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.servers.server import TIMEOUT, eventually
from workqueue.engines.base import Task
from workqueue.engines.cluster import ClusterEngine, records
from workqueue.engines.cluster.base import Record, Refused, Unreachable
from workqueue.engines.cluster.loop import loop
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.options import access_to
from workqueue.engines.cluster.records import Beat, Own, Said, State, own_subject
from workqueue.engines.cluster.view import Run
from workqueue.progress import Cancelling, Progress, WaitsAgain, succeeded
from workqueue.storage.disk import DiskStorage

LEASE = 1.0
MAX_PER_TENANT = 2
MAX_HELD = 3
N_KEYS = 12


class Bystander:
    """A side of a member that does nothing; see `Side`."""

    def owned(self, number: int, sequence: int, own: Own) -> None:
        """Nothing."""

    def cancelled(self, number: int) -> None:
        """Nothing."""

    def failed(self, key: str, failure: object) -> None:
        """Nothing."""

    def moved(self) -> None:
        """Nothing."""

    def lost_all(self) -> None:
        """Nothing."""

    async def reloaded(self) -> None:
        """Nothing."""

    async def tick(self) -> None:
        """Nothing."""


class LateWorker(Bystander):
    """Makes moves at random, of runs that are its own, and of some that were."""

    def __init__(
        self, name: str, url: str, cluster: str, replicas: int, chosen: random.Random, moves: Counter[str]
    ) -> None:
        self.member = Member(cluster, access_to(url), replicas, LEASE, self)
        self.is_over = False
        self._name = name
        self._chosen = chosen
        self._moves = moves
        self._away_until = 0.0
        self._held: list[tuple[Run, int, int]] = []  # with the claim, and the attempt
        self._is_working = False

    async def tick(self) -> None:
        """Beat, unless it is away."""
        if time.monotonic() > self._away_until:
            await self.member.moves.beat(self._name, Beat(MAX_HELD, LEASE, "program", "", "disk", 0.0))
        if not self._is_working:
            self._is_working = True
            self.member.spawn(self._work())

    async def _work(self) -> None:
        while not self.is_over:
            await asyncio.sleep(self._chosen.uniform(0, 0.004))
            if time.monotonic() < self._away_until:
                continue
            try:
                await self._move()
            except Refused:
                self._moves["refused"] += 1
            except Unreachable:
                self._moves["unreachable"] += 1

    async def _move(self) -> None:
        if self._chosen.random() < 0.004:
            self._away_until = time.monotonic() + self._chosen.uniform(0.5, 3 * LEASE)
            self._moves["away"] += 1
        elif len(self._held) < MAX_HELD and (run := self.member.view.choose(self._has_share)):
            await self._claim(run)
        elif self._held:
            await self._go_on(self._chosen.randrange(len(self._held)))

    def _has_share(self, run: Run) -> bool:
        return self.member.view.running_tenants[run.tenant] < MAX_PER_TENANT

    async def _claim(self, run: Run) -> None:
        on = own_subject(run.tenant, "*")
        expect = await self.member.certain(on)
        there = self.member.view.runs.get(run.number)
        if there is not None and not there.is_running and self._has_share(there):
            claim = await self.member.moves.claim(there, self._name, expect, on)
            self._moves["claim"] += 1
            if await self.member.moves.is_wanted(there):
                self._held.append((there, claim, there.own.attempt))
            else:
                await self.member.moves.bury(there, claim)
                self._moves["bury"] += 1

    async def _go_on(self, i: int) -> None:
        run, claim, attempt = self._held[i]
        how = self._chosen.random()
        if how < 0.5:
            said = Said(attempt, self._chosen.randrange(1000), Progress(fraction=0.5))
            await self.member.moves.say(run, said, claim)
            self._moves["report"] += 1
            return
        del self._held[i]
        if how < 0.6:
            await self.member.moves.give_back(run, claim)
            self._moves["give back"] += 1
        else:
            await self.member.end(run, succeeded(), claim, worker=self._name)
            self._moves["end"] += 1


class Checker(Bystander):
    """Hears each record of who has what, and holds it against what was before."""

    def __init__(self, url: str, cluster: str, replicas: int) -> None:
        self.member = Member(cluster, access_to(url), replicas, 600.0, self)
        self._may_cross = replicas > 1
        self.crossed: set[int] = set()  # claimed a moment after their end; buried next, or it is a violation
        self.violations: list[str] = []
        self.n_heard = 0
        self._live: dict[str, int] = {}
        self._runs: dict[int, tuple[str, str, State, int]] = {}  # key, tenant, state, attempts
        self._running: Counter[str] = Counter()

    async def hear(self) -> None:
        """From now on."""
        await self.member.log.hear(records.STATE, self._heard)

    async def _heard(self, record: Record) -> None:
        self.n_heard += 1
        _, kind, name = record.subject.split(".", 2)
        if kind == "job":
            self._job(name, record)
        elif kind == "own":
            own = records.decode_own(record.value)
            assert own is not None
            self._own(int(name.rpartition(".")[2]), own)

    def _job(self, key: str, record: Record) -> None:
        job = records.decode_job(record.value)
        assert job is not None
        if key in self._live:
            self.violations.append(f"two live runs of {key}: {self._live[key]}, {record.sequence}")
        self._live[key] = record.sequence
        self._runs[record.sequence] = (key, job.tenant, State.WAIT, 0)

    def _own(self, number: int, own: Own) -> None:
        key, tenant, was, attempts = self._runs.get(number, ("", "", State.END, 0))
        if number in self.crossed and own.state is State.END:
            self.crossed.discard(number)
            return
        if self._may_cross and was is State.END and key and (own.state, own.attempt) == (State.RUN, attempts + 1):
            self.crossed.add(number)
            return
        if was is State.END:
            self.violations.append(f"{own} of {number}, which has ended")
        if own.state is State.RUN and (was is not State.WAIT or own.attempt != attempts + 1):
            self.violations.append(f"{number} was taken wrongly: {own} after {was}, {attempts}")
        if own.state is State.WAIT and was is not State.RUN:
            self.violations.append(f"{number} was given back by nobody")
        self._running[tenant] += (own.state is State.RUN) - (was is State.RUN)
        if self._running[tenant] > MAX_PER_TENANT:
            self.violations.append(f"{self._running[tenant]} runs of {tenant!r} at once")
        if own.state is State.END and self._live.get(key) == number:
            del self._live[key]
        self._runs[number] = (key, tenant, own.state, max(attempts, own.attempt))


class Walk:
    """Three queues and four workers on one cluster; as a context manager all leave at the end.

    Args:
        url: of the servers.
        cluster: its name.
        directory: of the results that nobody builds.
        seed: of all choices.
        replicas: how many servers keep each record.
    """

    def __init__(self, url: str, cluster: str, directory: Path, seed: int, replicas: int = 1) -> None:
        self.moves: Counter[str] = Counter()
        self.checker = Checker(url, cluster, replicas)
        self.ends: Counter[int] = Counter()
        self._n_tasks = 0
        self._chosen = random.Random(seed)
        self._storage = DiskStorage(directory)
        self._engines = [ClusterEngine(url, cluster, lease=LEASE, replicas=replicas) for _ in range(3)]
        self._workers = [
            LateWorker(f"worker-{i}", url, cluster, replicas, random.Random(f"{seed} {i}"), self.moves)
            for i in range(4)
        ]
        self._serving: list[Any] = []
        self._cancelling = ThreadPoolExecutor(4)

    def __enter__(self) -> "Walk":
        loop.start()
        for side in (self.checker, *self._workers):
            self._serving.append(loop.do(side.member.run()))
            assert loop.do(side.member.wait_until_up(TIMEOUT)).result()
        loop.do(self.checker.hear()).result(TIMEOUT)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.is_over = True
        for side in (self.checker, *self._workers):
            loop.do(side.member.leave()).result(TIMEOUT)
        for serving in self._serving:
            serving.result(TIMEOUT)
        for engine in self._engines:
            engine.close(0.0)
        self._cancelling.shutdown()

    def go(self, n_moves: int, patience: float = 3 * TIMEOUT) -> None:
        """Until so many moves were made, and each task has an end.

        Args:
            n_moves: how many.
            patience: seconds that the last ends may take.
        """
        tickets: deque[Any] = deque(maxlen=20)
        while sum(self.moves.values()) < n_moves:
            engine, key = self._chosen.choice(self._engines), f"{self._chosen.randrange(N_KEYS):040x}"
            task = Task(key, ("program",), (), self._storage, tenant=self._chosen.choice("abc"), name="program")
            tickets.append(engine.submit(task, self._reporter(self._n_tasks)))
            self._n_tasks += 1
            self.moves["ask"] += 1
            if self._chosen.random() < 0.3:
                ticket, for_all = self._chosen.choice(tickets), self._chosen.random() < 0.4
                self._cancelling.submit(ticket.cancel, for_all=for_all)
                self.moves["cancel or leave"] += 1
            threading.Event().wait(self._chosen.uniform(0, 0.02))  # a walk at random, not an order of things
        eventually(lambda: len(self.ends) == self._n_tasks, patience)

    def wrong(self) -> list[str]:
        """What is not as it has to be."""
        found = list(self.checker.violations)
        if self.checker.crossed:
            found.append(f"claimed after their end, and not buried: {self.checker.crossed}")
        if self.ends != dict.fromkeys(range(self._n_tasks), 1):
            found.append(f"not one end each: {Counter(self.ends.values())}")
        try:
            eventually(lambda: self._views() == {(0, 0)})
        except AssertionError:
            found.append(f"runs are left in views: {self._views()}")
        if not self.moves["refused"] or self.checker.n_heard <= sum(self.moves.values()) / 4:
            found.append(f"it shows nothing: {self.moves}, {self.checker.n_heard} records heard")
        return found

    def _views(self) -> set[tuple[int, int]]:
        """How many runs there are, and how many of them run, in each one's view."""
        views = [side.member.view for side in (self.checker, *self._workers)]
        return {(len(view.runs), view.n_running) for view in views}

    def _reporter(self, number: int) -> Any:
        def report(report: Progress | WaitsAgain | Cancelling) -> None:
            if isinstance(report, Progress) and report.returncode is not None:
                self.ends[number] += 1

        return report
