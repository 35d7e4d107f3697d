"""What does one more request pay while thousands wait?

So many jobs wait in the line, each with a client. Somebody else asks for a job that is there, and for a new one, again
and again; nothing moves meanwhile. Run it with ``python -m benchmarks.bystander``; it takes more than a minute.
"""

import sys
import time
from collections.abc import Callable

from benchmarks.answer import OURS, Answer, Plot, Target, run
from benchmarks.clock import percentile
from benchmarks.crowd import line_of, watch
from benchmarks.peers import NAMES, called, python_of

THREADS = f"{OURS}: threads"
TASKS = f"{OURS}: asyncio"
ANCESTOR = f"{NAMES['ancestor']}: threads"

N_THREADS = (0, 500, 1_000, 2_000)
N_TASKS = (0, 2_000, 5_000, 10_000)

#: At most so many requests of each kind, and for so long; but a few, however long they take.
_N_REQUESTS = 500
_SECONDS = 3.0
_FEWEST = 5

#: Between two requests: a bystander comes when it likes, not when the last one is done.
_GAP_SECONDS = 0.001


def ask(clients: str, n: int) -> dict[str, list[float]]:
    """In a process of its own, ours or the predecessor's: p50 and p99 of a request in milliseconds, of how many."""
    with line_of(n) as line:
        watch(line, clients)
        time.sleep(0.5)
        names = iter(range(n + 1, n + 1 + _N_REQUESTS))
        return {
            "old": _times(lambda: line.ensure_run("0")),
            "new": _times(lambda: line.ensure_run(str(next(names)))),
        }


def _times(request: Callable[[], object]) -> list[float]:
    times: list[float] = []
    end = time.monotonic() + _SECONDS
    while len(times) < _FEWEST or (len(times) < _N_REQUESTS and time.monotonic() < end):
        began = time.perf_counter()
        request()
        times.append((time.perf_counter() - began) * 1e3)
        time.sleep(_GAP_SECONDS)
    return [percentile(times, 50), percentile(times, 99), len(times)]


def measure() -> Answer:
    figures = {(THREADS, n): called(sys.executable, ask, "threads", n) for n in N_THREADS}
    figures |= {(TASKS, n): called(sys.executable, ask, "tasks", n) for n in N_TASKS}
    figures |= {(ANCESTOR, n): called(python_of("ancestor"), ask, "threads", n) for n in N_THREADS}
    n_old, n_new = (figures[ANCESTOR, 2_000][kind][-1] for kind in ("old", "new"))
    return Answer(
        ["whose clients", "wait", "for a job that is there: p50, ms", "p99, ms", "for a new one: p50, ms", "p99, ms"],
        [[who, f"{n:,}", *times["old"][:2], *times["new"][:2]] for (who, n), times in figures.items()],
        [
            Target("a new job, 2,000 clients wait in threads: p50, ms", figures[THREADS, 2_000]["new"][0], 0.2),
            Target("a job that is there, 2,000 wait in threads: p50, ms", figures[THREADS, 2_000]["old"][0], 0.2),
            Target("a new job, 10,000 clients wait in tasks: p50, ms", figures[TASKS, 10_000]["new"][0], 0.2),
            Target(
                "a new job, 10,000 clients wait over 5,000: p50",
                figures[TASKS, 10_000]["new"][0] / figures[TASKS, 5_000]["new"][0],
                2.2,
            ),
            Target(
                "a new job, 2,000 threads wait over 1,000: p50",
                figures[THREADS, 2_000]["new"][0] / figures[THREADS, 1_000]["new"][0],
                2.2,
            ),
        ],
        [
            Plot(
                "A request for a new job, while others wait",
                "clients that wait",
                "p50, ms",
                {
                    who: [(n, times["new"][0]) for (other, n), times in figures.items() if other == who and n]
                    for who in (THREADS, TASKS, ANCESTOR)
                },
            )
        ],
        [
            f"Up to {_N_REQUESTS} requests of each kind in {_SECONDS:g} s, but {_FEWEST} at least.",
            f"Beside 2,000 clients {NAMES['ancestor']} was asked {n_old} and {n_new} times.",
        ],
    )


if __name__ == "__main__":
    run(measure)
