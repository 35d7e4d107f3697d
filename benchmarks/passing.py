"""passing: a client comes, is told the latest, and leaves, while others stay. The predecessor reads this file too."""

import time
from collections.abc import Callable

from benchmarks.clock import median
from benchmarks.waiting import running_job

Leave = Callable[[], object]
Come = Callable[[], Leave]
"""Subscribes, and has been told the latest when it returns."""

N_CLIENTS = 200

#: What is measured, is measured so often: for so long, within these bounds.
_SECONDS = 0.5
_FEWEST = 3
_MOST = 15


def repeated(measure_once: Callable[[], float]) -> float:
    """The median of as many rounds as there is time for."""
    times: list[float] = []
    end = time.monotonic() + _SECONDS
    while len(times) < _FEWEST or (len(times) < _MOST and time.monotonic() < end):
        times.append(measure_once())
    return median(times)


def passing_us(come: Come, n_others: int) -> float:
    """Microseconds of CPU for a client that comes and goes, beside so many that have come before and stay."""
    others = [come() for _ in range(n_others)]

    def pass_by() -> float:
        began = time.thread_time()
        for _ in range(N_CLIENTS):
            come()()
        return (time.thread_time() - began) / N_CLIENTS * 1e6

    taken = repeated(pass_by)
    for leave in others:
        leave()
    return taken


def follow(n_others: int) -> float:
    """In a process of its own, ours or the predecessor's: `passing_us` for the clients of a job that runs."""
    with running_job() as (queue, job):

        def come() -> Leave:
            stream = queue.report_job_progress_until_completed(job)
            next(stream)
            return stream.close

        return passing_us(come, n_others)
