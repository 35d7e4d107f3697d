"""What does it cost that clients come and go?

One subject has told of something, and nothing moves since. A client subscribes, is told the latest and leaves, while
others stay: as an observer, as a generator that a thread reads, as the same for a job that runs. Many observers leave,
the last to come first, or the first; a late one is told all of a history; asyncio's clients are all cancelled at once,
until the last has gone and the subject has no observer. What one thread does without a wait is counted in CPU time,
which neighbours move least; cancelling, by the clock. Run it with ``python -m benchmarks.churn``; it takes about 40 s.

Beside us: the stock ReplaySubject, with a queue for each client that its observer fills; a broadcast as one would write
it by hand for asyncio; and the predecessor, for a job's client. None of its clients is registered anywhere: each looks
for itself, four times a second, which `waiting` measures. Those that stay take no thread here.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from reactivex.subject import ReplaySubject

from benchmarks import stock
from benchmarks.answer import OURS, Answer, Plot, Target, run
from benchmarks.broadcast import Broadcast
from benchmarks.clock import median
from benchmarks.passing import N_CLIENTS, Leave, follow, passing_us, repeated
from benchmarks.peers import NAMES, called, python_of
from benchmarks.stock import STOCK
from workqueue.streams import ProgressSubject, to_async_iter, to_generator

BROADCAST = "by hand, asyncio"
ANCESTOR = NAMES["ancestor"]

N_OTHERS = (0, 1_000, 10_000)
N_LEAVING = (1_000, 2_000, 5_000, 10_000)
N_EVENTS = (64, 1_000, 10_000, 20_000)
N_TASKS = (1_000, 10_000)


def subject_of(way: str, history: int = 1) -> ReplaySubject[int]:
    """A subject that has told of so many events and keeps them all."""
    subject: ReplaySubject[int] = ProgressSubject(history) if way == OURS else ReplaySubject(history)
    for event in range(history):
        subject.on_next(event)
    return subject


def observer_of(subject: ReplaySubject[int]) -> Leave:
    """One more that subscribes."""
    told: deque[int] = deque(maxlen=1)
    subscription = subject.subscribe(told.append)
    assert told
    return subscription.dispose


def observe(way: str, n_others: int) -> float:
    """In a process of its own: microseconds of CPU for an observer that comes and goes."""
    subject = subject_of(way)
    return passing_us(lambda: observer_of(subject), n_others)


def read(way: str, n_others: int) -> float:
    """In a process of its own: microseconds of CPU for a generator that is read once and closed."""
    subject = subject_of(way)

    def come() -> Leave:
        reader = to_generator(subject) if way == OURS else stock.generate(subject)
        next(reader)
        return reader.close

    return passing_us(come, n_others)


def leave_last_first(way: str, n: int) -> float:
    """In a process of its own: microseconds of CPU for each of n observers to leave."""
    return repeated(lambda: _leave(way, n, -1))


def leave_first_first(way: str, n: int) -> float:
    """In a process of its own: the same, in the order in which they came."""
    return repeated(lambda: _leave(way, n, 1))


def _leave(way: str, n: int, step: int) -> float:
    subject = subject_of(way)
    leaves = [observer_of(subject) for _ in range(n)][::step]
    began = time.thread_time()
    for leave in leaves:
        leave()
    taken = time.thread_time() - began
    assert not n_observers(subject)
    return taken / n * 1e6


def n_observers(subject: ReplaySubject[int]) -> int:
    return subject.n_observers if isinstance(subject, ProgressSubject) else len(subject.observers)


def come_late(way: str, n: int) -> float:
    """In a process of its own: milliseconds of CPU until an observer is told all of a history."""
    subject = subject_of(way, n)

    def come() -> float:
        told: list[int] = []
        began = time.thread_time()
        subscription = subject.subscribe(told.append)
        taken = time.thread_time() - began
        assert len(told) == n
        subscription.dispose()
        return taken * 1e3

    return repeated(come)


def cancel(way: str, n: int) -> float:
    """In a process of its own: milliseconds until n tasks, all cancelled at once, are gone."""
    return repeated(lambda: asyncio.run(_cancel(way, n)))


async def _cancel(way: str, n: int) -> float:
    read_, n_left = _async_way(way)
    n_told = 0

    async def client() -> None:
        nonlocal n_told
        async for _ in read_():
            n_told += 1

    tasks = [asyncio.create_task(client()) for _ in range(n)]
    while n_told < n:  # noqa: ASYNC110 - clients that all wait are what is cancelled
        await asyncio.sleep(0.01)
    assert n_left()
    began = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    taken = time.perf_counter() - began
    assert not n_left()
    return taken * 1e3


def _async_way(way: str) -> tuple[Callable[[], AsyncIterator[int]], Callable[[], int]]:
    """How a client reads, and how many are registered."""
    if way == BROADCAST:
        broadcast = Broadcast(0)
        return broadcast.read, lambda: broadcast.n_clients
    subject = subject_of(way)
    return (lambda: to_async_iter(subject) if way == OURS else stock.read(subject)), lambda: n_observers(subject)


class Cost(NamedTuple):
    """What is measured of each of these ways, with each of these sizes."""

    what: str
    """The row's name, with a place for the size."""

    of: Callable[[str, int], float]
    sizes: tuple[int, ...]
    ways: tuple[str, ...] = (OURS, STOCK)
    n_turns: int = 1
    """How often ours is measured, its sizes by turns: where a target is about how one is to the next."""


PASSING = Cost("an observer comes and goes beside {:,}, CPU us", observe, N_OTHERS)
READING = Cost("a generator comes and goes beside {:,}, CPU us", read, N_OTHERS)
LEAVING = Cost("{:,} leave, the last first, CPU us each", leave_last_first, N_LEAVING, n_turns=3)
IN_ORDER = Cost("{:,} leave, the first first, CPU us each", leave_first_first, N_LEAVING[-1:])
HISTORY = Cost("a history of {:,} events, CPU ms", come_late, N_EVENTS, n_turns=3)
CANCELLED = Cost("{:,} asyncio clients are cancelled, ms", cancel, N_TASKS, (OURS, STOCK, BROADCAST))

FOLLOWING = "a job's client comes and goes beside {:,}, CPU us"

Found = dict[tuple[str, int], dict[str, float]]
"""What, and with how many, as the table has it -> who -> the figure."""


def measure() -> Answer:
    """Each way and size in a process of its own."""
    found: Found = {}
    for cost in (PASSING, READING):
        found |= figures_of(cost)
    for n in N_OTHERS:
        pythons = {OURS: sys.executable, ANCESTOR: python_of("ancestor")}
        found[FOLLOWING, n] = {who: called(python, follow, n) for who, python in pythons.items()}
    for cost in (LEAVING, IN_ORDER, HISTORY, CANCELLED):
        found |= figures_of(cost)
    who = (OURS, STOCK, BROADCAST, ANCESTOR)
    return Answer(
        ["what", *who],
        [[what.format(n), *(figures.get(w) for w in who)] for (what, n), figures in found.items()],
        targets(found),
        plots(found),
        [
            f"Medians of several rounds in one process; in a round {N_CLIENTS} come and go, one after the other.",
            "CPU is that of the one thread that does it; cancelling is timed by the clock.",
            f"Of {OURS} leaving and history are medians of {LEAVING.n_turns} processes for each size, by turns.",
            f"A history is as long as its subject keeps: 64 events at most in a job of {OURS}.",
            f"{ANCESTOR} keeps no history, and registers no client.",
        ],
    )


def figures_of(cost: Cost) -> Found:
    taken: dict[tuple[str, int], list[float]] = {(way, n): [] for way in cost.ways for n in cost.sizes}
    for turn in range(cost.n_turns):
        for (way, n), figures in taken.items():
            if way == OURS or not turn:
                figures.append(called(sys.executable, cost.of, way, n))
    return {(cost.what, n): {way: median(taken[way, n]) for way in cost.ways} for n in cost.sizes}


def targets(found: Found) -> list[Target]:
    def ours(cost: Cost, n: int) -> float:
        return found[cost.what, n][OURS]

    return [
        Target("10,000 asyncio clients are cancelled, until all are gone, ms", ours(CANCELLED, 10_000), 250.0),
        Target(
            "10,000 observers leave, the last first, over 5,000: CPU for all",
            10_000 * ours(LEAVING, 10_000) / (5_000 * ours(LEAVING, 5_000)),
            2.2,
        ),
        Target("a history of 20,000 events over 10,000: CPU", ours(HISTORY, 20_000) / ours(HISTORY, 10_000), 2.2),
        Target(
            "an observer comes and goes beside 10,000 over beside 1,000: CPU",
            ours(PASSING, 10_000) / ours(PASSING, 1_000),
            2.2,
        ),
    ]


def plots(found: Found) -> list[Plot]:
    return [
        Plot(
            "All observers leave, the last to come first",
            "observers",
            "CPU, ms for all",
            {way: [(n, n * found[LEAVING.what, n][way] / 1e3) for n in LEAVING.sizes] for way in LEAVING.ways},
        ),
        Plot(
            "A late observer is told a history",
            "events",
            "CPU, ms",
            {way: [(n, found[HISTORY.what, n][way]) for n in HISTORY.sizes] for way in HISTORY.ways},
        ),
    ]


if __name__ == "__main__":
    run(measure)
