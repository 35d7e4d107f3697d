"""Is anything left of many runs of a cluster when their records' time is over, and does a process that asks grow?

What is left of them must be one record a worker that lives; the process may grow by 10 MB, from the first 100 runs on.
"""

import tempfile
import time
from pathlib import Path

from tests.cluster.growth import N_WORKERS, Growth

N_BEFORE = 100

MAX_GROWTH = 10 * 2**20

#: Runs a second, at least.
_SLOWEST = 10


def grow_in_cluster(n_runs: int) -> bool:
    """Have so many made; print a line, and return whether anything is wrong."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as directory,
        Growth(Path(directory), patience=60.0 + n_runs / _SLOWEST) as growth,
    ):
        growth.make(N_BEFORE)
        _, before = growth.held()
        began_again = time.monotonic()
        ends = growth.make(n_runs)
        a_second = n_runs / (time.monotonic() - began_again)
        _, after = growth.held()
        n_left = sum(growth.stored().values())
    grown = after - before
    is_wrong = ends != {"0": n_runs} or n_left > N_WORKERS or grown > MAX_GROWTH
    print(f"{'runs':>30} {'a second':>8} {'left':>5} {'MB more':>7} {'seconds':>7}  wrong")
    figures = f"{n_runs:30} {a_second:8.0f} {n_left:5} {grown / 2**20:7.1f} {time.monotonic() - began:7.0f}"
    print(f"{figures}  {ends if is_wrong else 'nothing'}", flush=True)
    return is_wrong
