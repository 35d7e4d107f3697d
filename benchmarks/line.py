"""What does the line cost, by how many jobs wait in it and are watched?

One job runs, behind a gate; the others wait, each with a client that is told its place. Then the one ends, and so all
that wait come nearer; then 50 end in a row, as fast as their programs start. What is counted is CPU of the server's
process, until the last client knows. Run it with ``python -m benchmarks.line``; it takes some minutes.

The predecessor's clients look for themselves, four times a second each. Gradio's and ours with "HTTP" are clients of a
web server, by server-sent events; Gradio's jobs run no program.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.clock import measured, median
from benchmarks.pages import LetThrough, gradio_pages, our_pages
from benchmarks.peers import NAMES, called, python_of

#: One default heartbeat's time, and so that of one for each client.
IDLE_SECONDS = 10.0

N_IN_A_ROW = 50
N_LOOKS = 200

#: Up to here an end is measured three times; above, once: there are clients enough for an average.
_MANY = 1_000

#: Before a measurement, in times of the last: a line that told many of a move tells the next one later.
_REST = 4.0
_REST_SECONDS = 0.3


class Clients(Protocol):
    """The clients of a line; see `Places`."""

    def wait(self, n_moves: int) -> tuple[int, float]: ...


class Kind(NamedTuple):
    """Whose line, and what its clients are."""

    who: str
    peer: str | None
    clients: str
    sizes: tuple[int, ...]


TASKS = f"{OURS}: asyncio"
THREADS = f"{OURS}: threads"
ANCESTOR = f"{NAMES['ancestor']}: threads"
HTTP = f"{OURS}: HTTP"
GRADIO = f"{NAMES['gradio']}: HTTP"

KINDS = (
    Kind(TASKS, None, "tasks", (100, 1_000, 5_000, 10_000, 20_000)),
    Kind(THREADS, None, "threads", (100, 1_000, 2_000)),
    Kind(ANCESTOR, "ancestor", "threads", (100, 1_000)),
    Kind(HTTP, None, "ours", (100, 200)),
    Kind(GRADIO, "gradio", "gradio", (100, 200)),
)


@contextmanager
def crowd(clients: str, n: int) -> Iterator[tuple[Clients, LetThrough]]:
    """A line of n jobs that wait, with a client each, and what lets jobs go on."""
    if clients in ("ours", "gradio"):
        with {"ours": our_pages, "gradio": gradio_pages}[clients](n) as pages:
            yield pages
        return
    from benchmarks.crowd import line_of, watch  # noqa: PLC0415 - in Gradio's interpreter there is no workqueue

    with line_of(n) as line:
        yield watch(line, clients), line.let_through


def stand_still(clients: str, n: int, seconds: float) -> float:
    """In a process of its own: CPU, in seconds a second, while nothing moves."""
    with crowd(clients, n):
        time.sleep(_REST_SECONDS)
        with measured() as spent:
            time.sleep(seconds)
        return spent.share


class Move(NamedTuple):
    """What it costs that jobs leave the line, until the last client knows."""

    n_messages: float
    cpu_ms: float
    ms: float


def move(clients: str, n: int) -> tuple[Move, Move]:
    """In a process of its own: one job ends, then many in a row."""
    with crowd(clients, n) as (told, let_through):
        n_ended, rest = 0, 0.0

        def end(n_ends: int) -> Move:
            nonlocal n_ended, rest
            time.sleep(_REST_SECONDS + rest)
            before, _ = told.wait(n_ended)
            began = time.monotonic()
            n_ended += n_ends
            with measured() as spent:
                let_through(n_ends)
                n_messages, last = told.wait(n_ended)
            rest = _REST * spent.seconds
            return Move(n_messages - before, spent.cpu_seconds * 1e3, (last - began) * 1e3)

        ends = [end(1) for _ in range(3 if n <= _MANY else 1)]
        return Move(*map(median, zip(*ends, strict=True))), end(N_IN_A_ROW)


def look(n: int, n_looks: int) -> float:
    """In a process of its own: CPU to compute the place of a job in the middle of the line, in milliseconds.

    The predecessor's computes it for who reads the job's stream, once in a step; no other can ask.
    """
    from benchmarks.crowd import line_of  # noqa: PLC0415

    with line_of(n) as line:
        job = line.jobs[n // 2]
        stream = line.queue.report_job_progress_until_completed(job)
        return median(_look_ms(job, stream) for _ in range(n_looks))


def _look_ms(job: Any, stream: Iterator[Any]) -> float:
    began = time.thread_time()
    if hasattr(job, "current_progress") and hasattr(job, "progress"):
        job.current_progress  # noqa: B018 - it is computed for who asks
    else:
        next(stream)
    return (time.thread_time() - began) * 1e3


Size = tuple[str, int]
"""Whose clients, and how many."""


def measure() -> Answer:
    idle = idle_shares()
    looks = {(ANCESTOR, n): called(python_of("ancestor"), look, n, 7) for n in (1_000, 20_000)}
    looks |= {(TASKS, n): called(sys.executable, look, n, N_LOOKS) for n in (1_000, 10_000, 20_000)}
    moves = {
        (kind.who, n): [Move(*figures) for figures in called(_python(kind), move, kind.clients, n)]
        for kind in KINDS
        for n in kind.sizes
    }
    rows: list[list[Cell]] = [
        [size[0], f"{size[1]:,}", idle.get(size), looks.get(size), *one, *many[:2]]
        for size, (one, many) in moves.items()
    ]
    rows.append([ANCESTOR, "20,000", None, looks[ANCESTOR, 20_000], *[None] * 5])
    return Answer(
        [
            "whose clients",
            "wait",
            "idle, CPU s/s",
            "a place, CPU ms",
            "one ends: messages",
            "CPU, ms",
            "all know, ms",
            f"{N_IN_A_ROW} end: messages",
            "CPU, ms",
        ],
        rows,
        targets(idle, looks, moves),
        plots(moves),
        notes=[
            f"Up to {_MANY:,} clients an end is the median of three; a place is that of the job in the middle.",
            f"Idle is over {IDLE_SECONDS:g} s, and so has one heartbeat of each client of ours; all were idle at once.",
            "The predecessor tells a client its place when it looks, news or not; a client cannot ask Gradio.",
            f"We tell of {N_IN_A_ROW} ends in a row together: ten times a second at most, less often if it is work.",
            "From 10,000 clients on, half of that CPU is Python's garbage collection, of a process that has so many.",
        ],
    )


def _python(kind: Kind) -> str:
    return sys.executable if kind.peer is None else python_of(kind.peer)


def idle_shares() -> dict[Size, float]:
    """All at once: what is idle disturbs nobody, and what is not is counted for itself."""
    sizes = [(kind, n) for kind in KINDS for n in sorted({1_000, kind.sizes[-1]} & {*kind.sizes})]

    def share(size: tuple[Kind, int]) -> float:
        kind, n = size
        return float(called(_python(kind), stand_still, kind.clients, n, IDLE_SECONDS))

    with ThreadPoolExecutor(len(sizes)) as pool:
        shares = pool.map(share, sizes)
        return {(kind.who, n): share for (kind, n), share in zip(sizes, shares, strict=True)}


def targets(idle: dict[Size, float], looks: dict[Size, float], moves: dict[Size, list[Move]]) -> list[Target]:
    (half, _), (whole, _) = moves[TASKS, 10_000], moves[TASKS, 20_000]
    one, many = moves[TASKS, 1_000]
    return [
        Target("1,000 jobs wait, a thread each, nothing moves: CPU s/s", idle[THREADS, 1_000], 0.005),
        Target("1,000 jobs wait, an asyncio client each, nothing moves: CPU s/s", idle[TASKS, 1_000], 0.005),
        Target("place of one job among 20,000, CPU ms", looks[TASKS, 20_000], 0.05),
        Target("20,000 jobs wait, over 10,000: CPU of a place", looks[TASKS, 20_000] / looks[TASKS, 10_000], 2.2),
        Target("20,000 jobs wait, over 10,000: messages when one ends", whole.n_messages / half.n_messages, 2.2),
        Target("20,000 jobs wait, over 10,000: CPU when one ends", whole.cpu_ms / half.cpu_ms, 2.2),
        Target(f"messages to 1,000 when {N_IN_A_ROW} end, over when one ends", many.n_messages / one.n_messages, 15.0),
    ]


def plots(moves: dict[Size, list[Move]]) -> list[Plot]:
    def curves(figure: Callable[[Move, Move], float]) -> dict[str, list[tuple[float, float]]]:
        return {kind.who: [(n, figure(*moves[kind.who, n])) for n in kind.sizes] for kind in KINDS}

    return [
        Plot("One job of the line ends: CPU until all know", "clients", "CPU, ms", curves(lambda one, _: one.cpu_ms)),
        Plot(
            f"{N_IN_A_ROW} jobs of the line end in a row: messages",
            "clients",
            "messages",
            curves(lambda _, many: many.n_messages),
        ),
    ]


if __name__ == "__main__":
    run(measure)
