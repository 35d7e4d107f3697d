"""How long until one event has reached everybody?

A thread publishes an event that all clients wait for: tasks of one event loop, threads, or plain observers. Told are
the medians of several events: when the last client had it, for how long the publisher was held up, and the longest
time for which the loop did nothing else.

Beside us: the stock ReplaySubject, with a queue for each client that its observer fills, on a loop by
call_soon_threadsafe; a broadcast as one would write it by hand for asyncio; and threads that wait for a lock each. The
predecessor has no events: its clients look four times a second.
"""

import asyncio
import itertools
import math
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple

from reactivex.subject import ReplaySubject, Subject

from benchmarks import stock
from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.bare_locks import BareLocks
from benchmarks.broadcast import Broadcast
from benchmarks.clock import median
from benchmarks.peers import called
from benchmarks.stock import STOCK
from workqueue.streams import ProgressSubject, to_async_iter, to_generator

N_TASKS = (100, 1_000, 5_000, 10_000)
N_THREADS = (100, 1_000, 2_000, 4_000)
N_OBSERVERS = 10_000

#: An event each, after one that is not counted.
N_EVENTS = 7
N_TURNS = 3

#: Between two events, so that all wait again.
REST_SECONDS = 0.05

BROADCAST = "hand-written broadcast"
LOCKS = "bare locks"

Figures = dict[str, list[float]]


class Crowd:
    """Clients that say when they have an event; knows when the last one has it. Any thread may call it."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._told = itertools.count(1)  # next() of it is atomic
        self.last_at = 0.0
        self.all_told = threading.Event()

    def told(self) -> None:
        if next(self._told) % self._n == 0:
            self.last_at = time.perf_counter()
            self.all_told.set()


class Lag:
    """The longest time between two ticks of a task that does nothing else, less the pause between them."""

    PAUSE = 0.001

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(self.PAUSE)
            now = time.perf_counter()
            self.worst = max(self.worst, now - before - self.PAUSE)
            before = now


def publish_all(publish: Callable[[int], object], crowd: Crowd, lag: Lag | None = None) -> Figures:
    """Publish the events, each after the one before has reached all; seconds."""
    figures: Figures = {"last": [], "held": [], "stall": []}
    for event in range(N_EVENTS + 1):
        time.sleep(REST_SECONDS)
        crowd.all_told.clear()
        if lag is not None:
            lag.worst = 0.0
        began = time.perf_counter()
        publish(event)
        held = time.perf_counter() - began
        crowd.all_told.wait()
        time.sleep(REST_SECONDS)
        if event:
            figures["last"].append(crowd.last_at - began)
            figures["held"].append(held)
            figures["stall"].append(0.0 if lag is None else lag.worst)
    return figures


def to_tasks(way: str, n: int) -> Figures:
    """In a process of its own: the events to n tasks of one loop."""
    return asyncio.run(_to_tasks(way, n))


async def _to_tasks(way: str, n: int) -> Figures:
    read, publish = _async_ways()[way]
    crowd, lag = Crowd(n), Lag()

    async def client() -> None:
        async for _ in read():
            crowd.told()

    tasks = [asyncio.create_task(client()) for _ in range(n)]
    ticker = asyncio.create_task(lag.watch())
    crowd_told = await asyncio.to_thread(crowd.all_told.wait)
    assert crowd_told
    figures = await asyncio.to_thread(publish_all, publish, crowd, lag)
    for task in (ticker, *tasks):
        task.cancel()
    await asyncio.gather(ticker, *tasks, return_exceptions=True)
    return figures


def _async_ways() -> dict[str, tuple[Callable[[], AsyncIterator[int]], Callable[[int], None]]]:
    """Way -> how a client reads, and how a thread publishes; the first event is there already."""
    ours, theirs = _subjects()
    broadcast = Broadcast(-1)
    return {
        OURS: (lambda: to_async_iter(ours), ours.on_next),
        STOCK: (lambda: stock.read(theirs), theirs.on_next),
        BROADCAST: (broadcast.read, broadcast.publish),
    }


def _subjects() -> tuple[ReplaySubject[int], ReplaySubject[int]]:
    """Ours, and the stock one; the first event is there already."""
    subjects: tuple[ReplaySubject[int], ReplaySubject[int]] = ProgressSubject(), ReplaySubject(1)
    for subject in subjects:
        subject.on_next(-1)
    return subjects


def to_threads(way: str, n: int) -> Figures:
    """In a process of its own: the events to n threads."""
    read, publish = _thread_ways()[way]
    crowd = Crowd(n)

    def client() -> None:
        for value in read():
            crowd.told()
            if value == N_EVENTS:
                return

    threads = [threading.Thread(target=client) for _ in range(n)]
    for thread in threads:
        thread.start()
    crowd.all_told.wait()
    figures = publish_all(publish, crowd)
    for thread in threads:
        thread.join()
    return figures


def _thread_ways() -> dict[str, tuple[Callable[[], Iterator[int]], Callable[[int], None]]]:
    """As for tasks."""
    ours, theirs = _subjects()
    locks = BareLocks(-1)
    return {
        OURS: (lambda: to_generator(ours), ours.on_next),
        STOCK: (lambda: stock.generate(theirs), theirs.on_next),
        LOCKS: (locks.read, locks.publish),
    }


def to_observers(way: str, n: int) -> Figures:
    """In a process of its own: the events to n observers, called by the publisher's thread."""
    source: Subject[int] = {OURS: ProgressSubject, STOCK: lambda: ReplaySubject(1), "stock Subject": Subject}[way]()
    crowd = Crowd(n)
    for _ in range(n):
        source.subscribe(lambda _: crowd.told())
    return publish_all(source.on_next, crowd)


class Kind(NamedTuple):
    """What the clients are, how they are told, how many of them, and of whom."""

    name: str
    tell: Callable[[str, int], Figures]
    sizes: tuple[int, ...]
    ways: tuple[str, ...]


KINDS = (
    Kind("asyncio", to_tasks, N_TASKS, (OURS, STOCK, BROADCAST)),
    Kind("threads", to_threads, N_THREADS, (OURS, STOCK, LOCKS)),
    Kind("observers", to_observers, (N_OBSERVERS,), (OURS, STOCK, "stock Subject")),
)

Found = dict[tuple[str, str, int], Figures]
"""Whose way, what the clients are, and how many -> the figures, in milliseconds."""


def measure() -> Answer:
    found = figures()
    lasts = {size: median(of_size["last"]) for size, of_size in found.items()}

    def for_twice(way: str, kind: str, n: int) -> float:
        """How many times as much an event takes for twice the clients, from a thousand on."""
        # Of the fastest: a neighbour makes some events half as slow again, and mostly those of one size.
        few, many = (min(found[way, kind, size]["last"]) for size in (1_000, n))
        return float((many / few) ** (1 / math.log2(n / 1_000)))

    return Answer(
        ["who, how many", "the last one has it, ms", "publisher held up, ms", "loop stalled, ms"],
        [row_of(way, kind, n, of_size) for (way, kind, n), of_size in found.items()],
        [
            Target("one event to 10,000 asyncio clients, ms", lasts[OURS, "asyncio", 10_000], 60.0),
            Target("the loop's stall meanwhile, ms", median(found[OURS, "asyncio", 10_000]["stall"]), 20.0),
            Target(
                "one event, for twice the asyncio clients, from 1,000 to 10,000, the fastest: times as much",
                for_twice(OURS, "asyncio", 10_000),
                2.2,
            ),
            Target(
                "one event, for twice the threads, from 1,000 to 4,000, the fastest: over that of bare locks",
                for_twice(OURS, "threads", 4_000) / for_twice(LOCKS, "threads", 4_000),
                1.1,
            ),
        ],
        [
            Plot(
                "One event, until the last client has it",
                "clients",
                "ms",
                {
                    f"{way}, {kind.name}": [(n, lasts[way, kind.name, n]) for n in kind.sizes]
                    for kind in KINDS
                    for way in kind.ways
                    if len(kind.sizes) > 1
                },
            )
        ],
        [
            f"Medians of {N_EVENTS} events; of ours and of bare locks in {N_TURNS} processes each, by turns.",
            "Observers are called by the publisher itself.",
            "Bare locks are the least that waking threads can cost, which is more for each, the more there are.",
        ],
    )


def figures() -> Found:
    """Each way and size in a process of its own; again where targets are about how one size is to the next."""
    found: Found = {
        (way, kind.name, n): {"last": [], "held": [], "stall": []}
        for kind in KINDS
        for n in kind.sizes
        for way in kind.ways
    }
    tells = {kind.name: kind.tell for kind in KINDS}
    for turn in range(N_TURNS):
        for (way, kind, n), of_size in found.items():
            if not turn or way in (OURS, LOCKS):
                for name, seconds in called(sys.executable, tells[kind], way, n).items():
                    of_size[name] += [value * 1e3 for value in seconds]
    return found


def row_of(way: str, kind: str, n: int, of_size: Figures) -> list[Cell]:
    last, held, stall = (median(of_size[name]) for name in ("last", "held", "stall"))
    return [f"{way}, {kind}, {n:,}", last, held, stall if kind == "asyncio" else None]


if __name__ == "__main__":
    run(measure)
