"""How many equal requests a second are told that it is being done, or is there?

The same parameters are asked for again and again, while their job runs, while it waits, and when its result is there;
by one thread, and by eight at once. The floor is a dictionary behind a lock, with the results' files to look for: it
checks no parameters and runs nothing. Run it with ``python -m benchmarks.dedupe``; it takes 40 s.
"""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.answer import OURS, Answer, Plot, Target, run
from benchmarks.clock import median
from benchmarks.crowd import line_of
from benchmarks.peers import NAMES, called, python_of

STATES = ("running", "pending", "finished")
THREADS = (1, 8)

#: Jobs that wait, of which one is asked for.
N_WAITING = 1_000
N_GROWING = (500, N_WAITING, 2_000)

_SECONDS = 0.25
_N_ROUNDS = 3

FLOOR = "dict and lock"


def hits(n_waiting: int) -> dict[str, dict[str, float]]:
    """In a process of its own, ours or the predecessor's: hits a second, by state and number of threads."""
    with line_of(n_waiting) as line:
        finished = "0"
        line.let_through(1)
        while line.ensure_run(finished) is not None:
            time.sleep(0.01)
        names = {"running": "1", "pending": str(n_waiting // 2), "finished": finished}
        return {
            state: {str(n): rate(lambda name=name: line.ensure_run(name), n) for n in THREADS}  # type: ignore[misc]
            for state, name in names.items()
        }


def floor() -> dict[str, dict[str, float]]:
    """In a process of its own: the same by hand."""
    with TemporaryDirectory() as directory:
        jobs = {(state, "token"): object() for state in ("running", "pending")}
        lock = threading.Lock()
        Path(directory, "finished").touch()

        def ask(state: str) -> object:
            with lock:
                job = jobs.get((state, "token"))
            return job or Path(directory, state).exists()

        return {state: {str(n): rate(lambda state=state: ask(state), n) for n in THREADS} for state in STATES}  # type: ignore[misc]


def rate(ask: Callable[[], object], n_threads: int) -> float:
    """How often a second so many threads are answered, together."""
    return median(_rate(ask, n_threads) for _ in range(_N_ROUNDS))


def _rate(ask: Callable[[], object], n_threads: int) -> float:
    counts = [0] * n_threads
    start = threading.Barrier(n_threads + 1)
    is_over = threading.Event()

    def client(i: int) -> None:
        n = 0
        start.wait()
        while not is_over.is_set():
            for _ in range(20):
                ask()
            n += 20
        counts[i] = n

    threads = [threading.Thread(target=client, args=(i,)) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    time.sleep(_SECONDS)
    is_over.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def measure() -> Answer:
    pythons = {OURS: sys.executable, NAMES["ancestor"]: python_of("ancestor")}
    growing = {who: {n: called(python, hits, n) for n in N_GROWING} for who, python in pythons.items()}
    figures = {who: of_sizes[N_WAITING] for who, of_sizes in growing.items()}
    figures[FLOOR] = called(sys.executable, floor)
    ours, twice = growing[OURS][N_WAITING], growing[OURS][2 * N_WAITING]
    return Answer(
        ["who, with how many threads", *(f"{state}, hits/s" for state in STATES)],
        [
            [f"{who}, {n}", *(states[state][str(n)] for state in STATES)]
            for n in THREADS
            for who, states in figures.items()
        ],
        [
            Target(
                f"{2 * N_WAITING:,} jobs wait, over {N_WAITING:,}: time of a hit, {state}",
                ours[state]["1"] / twice[state]["1"],
                2.2,
            )
            for state in STATES
        ],
        [
            Plot(
                "An equal request for a job that waits, one thread",
                "jobs that wait",
                "us",
                {
                    who: [(n, 1e6 / states["pending"]["1"]) for n, states in of_sizes.items()]
                    for who, of_sizes in growing.items()
                },
            )
        ],
        [
            f"Medians of {_N_ROUNDS}, with {N_WAITING:,} jobs in the line, but for the picture.",
            "Ours checks the parameters, names them by a hash, and looks for the result before it looks for a job.",
        ],
    )


if __name__ == "__main__":
    run(measure)
