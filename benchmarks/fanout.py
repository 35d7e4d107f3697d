"""How long until one event has reached everybody?

A thread publishes an event that all clients wait for: tasks of one event loop, threads, or plain observers. Told are
the medians of several events: when the last client had it, for how long the publisher was held up, and the longest
time for which the loop did nothing else.

Beside us: the stock ReplaySubject, with a queue for each client that its observer fills, on a loop by
call_soon_threadsafe; and a broadcast as one would write it by hand for asyncio. The predecessor has no events: its
clients look four times a second.
"""

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable

from reactivex.subject import ReplaySubject, Subject

from benchmarks import stock
from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.broadcast import Broadcast
from benchmarks.clock import median
from benchmarks.peers import called
from benchmarks.stock import STOCK
from workqueue.streams import ProgressSubject, to_async_iter, to_generator

N_TASKS = (100, 1_000, 10_000)
N_THREADS = (100, 1_000, 4_000)
N_OBSERVERS = 10_000

#: An event each, after one that is not counted.
N_EVENTS = 7

#: Between two events, so that all wait again.
REST_SECONDS = 0.05

BROADCAST = "hand-written broadcast"

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
    ours: ProgressSubject[int] = ProgressSubject()
    theirs: ReplaySubject[int] = ReplaySubject(1)
    broadcast = Broadcast(-1)
    ours.on_next(-1)
    theirs.on_next(-1)
    return {
        OURS: (lambda: to_async_iter(ours), ours.on_next),
        STOCK: (lambda: stock.read(theirs), theirs.on_next),
        BROADCAST: (broadcast.read, broadcast.publish),
    }


def to_threads(way: str, n: int) -> Figures:
    """In a process of its own: the events to n threads."""
    source: ReplaySubject[int] = ProgressSubject() if way == OURS else ReplaySubject(1)
    source.on_next(-1)
    read = to_generator if way == OURS else stock.generate
    crowd = Crowd(n)

    def client() -> None:
        for value in read(source):
            crowd.told()
            if value == N_EVENTS:
                return

    threads = [threading.Thread(target=client) for _ in range(n)]
    for thread in threads:
        thread.start()
    crowd.all_told.wait()
    figures = publish_all(source.on_next, crowd)
    for thread in threads:
        thread.join()
    return figures


def to_observers(way: str, n: int) -> Figures:
    """In a process of its own: the events to n observers, called by the publisher's thread."""
    source: Subject[int] = {OURS: ProgressSubject, STOCK: lambda: ReplaySubject(1), "stock Subject": Subject}[way]()
    crowd = Crowd(n)
    for _ in range(n):
        source.subscribe(lambda _: crowd.told())
    return publish_all(source.on_next, crowd)


def measure() -> Answer:
    """Each way and size in a process of its own."""
    rows: list[list[Cell]] = []
    curves: dict[str, list[tuple[float, float]]] = {}
    found: dict[tuple[str, int], Figures] = {}
    for kind, function, sizes, ways in (
        ("asyncio", to_tasks, N_TASKS, (OURS, STOCK, BROADCAST)),
        ("threads", to_threads, N_THREADS, (OURS, STOCK)),
        ("observers", to_observers, (N_OBSERVERS,), (OURS, STOCK, "stock Subject")),
    ):
        for n in sizes:
            for way in ways:
                figures: Figures = called(sys.executable, function, way, n)
                last, held, stall = (median(figures[name]) * 1e3 for name in ("last", "held", "stall"))
                rows.append([f"{way}, {kind}, {n:,}", last, held, stall if kind == "asyncio" else None])
                found[f"{way}, {kind}", n] = figures
                if len(sizes) > 1:
                    curves.setdefault(f"{way}, {kind}", []).append((n, last))
    ours = found[f"{OURS}, asyncio", N_TASKS[-1]]
    return Answer(
        ["who, how many", "the last one has it, ms", "publisher held up, ms", "loop stalled, ms"],
        rows,
        [
            Target("one event to 10,000 asyncio clients, ms", median(ours["last"]) * 1e3, 60.0),
            Target("the loop's stall meanwhile, ms", median(ours["stall"]) * 1e3, 20.0),
        ],
        [Plot("One event, until the last client has it", "clients", "ms", curves)],
        [f"Medians of {N_EVENTS} events. Observers are called by the publisher itself."],
    )


if __name__ == "__main__":
    run(measure)
