"""What does a job cost beyond its program, one after another, and how many go through in a second, two at a time?

The program is trivial: a shell that writes six bytes, or ``cp`` of six bytes, a program without a shell. Our results
are on disk for good when the job ends (fsync, twice), its journal told other processes, and a warden stood by. At the
end, more and more jobs are asked for at once. Run it with ``python -m benchmarks.overhead``; it takes about a minute.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.clock import median, percentile
from benchmarks.peers import NAMES, python_of, told

#: Each program is run so often by each who, in rounds by turns.
N_JOBS = 50
N_ROUNDS = 4

N_AT_ONCE = 2
N_IN_ALL = 500
N_BURSTS = 3

#: For the picture; by turns.
N_GROWING = (250, 500, 1_000, 2_000)

BARE = "subprocess.run"
POOL = "subprocess.run in a pool"
ANCESTOR = NAMES["ancestor"]
LIMITED = f"{OURS}, with limits"
IN_MEMORY = f"{OURS}, results in memory"

#: A file system in memory, where a sync has nothing to do: what the disk takes of a job is the rest.
_MEMORY = Path("/dev/shm")

_SHELL = '#!/bin/sh\nfor output; do :; done\necho built > "$output"\n'

# For both: the names of 1.0.1 are ours. What is bare is measured in the same process, by turns.
_ONE_BY_ONE = """
import json, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from workqueue import OverviewViewParams, WorkQueue

program, directory, n_jobs, sources, limits = sys.argv[1:]
n_jobs = int(n_jobs)
options = {}
if limits != "{}":
    from workqueue import Limits
    options["limits"] = Limits(**json.loads(limits))
queue = WorkQueue(Path(program), ThreadPoolExecutor(1), Path(directory, "storage"), **options)
pool = ThreadPoolExecutor(1)

def params_of(i):
    return (f"{sources}/{i}",) if sources else OverviewViewParams("http://localhost", "1", str(i))

def bare(i):
    command = [program, *params_of(i), f"{directory}/output"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)

def pooled(i):
    pool.submit(bare, i).result()

def job(i):
    for progress in queue.report_job_progress_until_completed(queue.ensure_run(params_of(i))):
        pass
    assert progress.returncode == 0, progress

seconds = {"bare": [], "pooled": [], "job": []}
for i in range(n_jobs + 1):
    for name, call in (("bare", bare), ("pooled", pooled), ("job", job)):
        began = time.perf_counter()
        call(i)
        seconds[name].append(time.perf_counter() - began)
print(json.dumps(seconds))
"""

_AT_ONCE = """
import json, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from workqueue import OverviewViewParams, WorkQueue

program, directory, n_jobs, n_at_once = sys.argv[1:]
queue = WorkQueue(Path(program), ThreadPoolExecutor(int(n_at_once)), Path(directory, "storage"))
every_params = [OverviewViewParams("http://localhost", "1", str(i)) for i in range(int(n_jobs))]

def bare(params):
    command = [program, *params, f"{directory}/{params.api_token}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)

began = time.perf_counter()
with ThreadPoolExecutor(int(n_at_once)) as pool:
    list(pool.map(bare, every_params))
bare_seconds = time.perf_counter() - began
began = time.perf_counter()
for job in [queue.ensure_run(params) for params in every_params]:
    for progress in queue.report_job_progress_until_completed(job):
        pass
    assert progress.returncode == 0, progress
print(json.dumps([bare_seconds, time.perf_counter() - began]))
"""


class Program(NamedTuple):
    """A trivial program, and the directory of what it copies, if it does."""

    path: Path
    sources: str = ""


class Times:
    """Seconds of each job, by who ran it."""

    def __init__(self) -> None:
        self.all: defaultdict[str, list[float]] = defaultdict(list)
        self.more: dict[str, float] = {}
        self.first: list[float] = []

    def add(self, who: str, seconds: dict[str, list[float]]) -> None:
        """Add what one process measured; its first round, which starts a warden, apart."""
        for name, row in (("bare", BARE), ("pooled", POOL), ("job", who)):
            self.all[row] += seconds[name][1:]
        if who == OURS:
            self.first.append(seconds["job"][0])

    def cells(self, who: str) -> list[Cell]:
        """p50 and p99 in ms, and how much more the former is than the bare program's."""
        if who not in self.all:
            return [None, None, None]
        p50 = median(self.all[who])
        more = None if who == BARE else self.over(who)
        return [p50 * 1e3, percentile(self.all[who], 99) * 1e3, more]

    def over(self, who: str) -> float:
        return (median(self.all[who]) - median(self.all[BARE])) * 1e3


def measure() -> Answer:
    with tempfile.TemporaryDirectory() as name:
        shell, copy = programs(Path(name))
        of_shell, of_copy = one_by_one(shell, Path(name)), one_by_one(copy, Path(name))
        rates = at_once(shell, Path(name))
        curves = growth(shell, Path(name))
    grown = dict(curves[OURS])
    who = [BARE, POOL, ANCESTOR, OURS, IN_MEMORY, LIMITED]
    first = median(of_shell.first) * 1e3
    return Answer(
        ["who", "sh: p50, ms", "p99, ms", "more, ms", "cp: p50, ms", "p99, ms", "more, ms", "jobs/s"],
        [[w, *of_shell.cells(w), *of_copy.cells(w), rates.get(w)] for w in who],
        [
            Target("over subprocess.run of sh, fsynced, p50, ms", of_shell.over(OURS), 2.0),
            Target("over subprocess.run of cp, fsynced, p50, ms", of_copy.over(OURS), 2.0),
            Target("2,000 jobs over 1,000: time", grown[2_000] / grown[1_000], 2.2),
        ],
        [Plot(f"Jobs asked for at once, {N_AT_ONCE} run at a time", "jobs", "s in all", curves)],
        [
            f"One after another: {N_JOBS * N_ROUNDS} jobs each, by turns with the bare program in the same process.",
            f"The first job of a process, which starts the warden, is not among them; it took {first:.0f} ms.",
            f"jobs/s: {N_IN_ALL} jobs of sh, {N_AT_ONCE} at a time, median of {N_BURSTS}.",
            f"In the picture, medians of {N_BURSTS}, with results in memory.",
            f"{ANCESTOR} does not sync its results; its programs have three arguments, so cp cannot be one.",
            f"Results are on the file system of {tempfile.gettempdir()}; those in memory, in {_MEMORY}, never synced.",
        ],
    )


def programs(directory: Path) -> tuple[Program, Program]:
    shell = directory / "program"
    shell.write_text(_SHELL)
    shell.chmod(0o755)
    sources = directory / "sources"
    sources.mkdir()
    for i in range(N_JOBS + 1):
        (sources / str(i)).write_text("built\n")
    return Program(shell), Program(Path(shutil.which("cp") or "/bin/cp"), str(sources))


def one_by_one(program: Program, directory: Path) -> Times:
    times = Times()
    for _ in range(N_ROUNDS):
        for who, python, limits in sides(program):
            with contextlib.ExitStack() as stack:
                run_in = new_directory(directory)
                if who == IN_MEMORY:
                    run_in = stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY))
                given = [str(program.path), run_in, str(N_JOBS), program.sources, json.dumps(limits)]
                times.add(who, told(python, _ONE_BY_ONE, *given))
    return times


def sides(program: Program) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Who runs it: the row, the interpreter, the limits."""
    if not program.sources:
        yield ANCESTOR, python_of("ancestor"), {}
    yield OURS, sys.executable, {}
    if has_memory():
        yield IN_MEMORY, sys.executable, {}
    yield LIMITED, sys.executable, {"memory": 2**30, "cpu": 60}


def has_memory() -> bool:
    return os.access(_MEMORY, os.W_OK)


def at_once(program: Program, directory: Path) -> dict[str, float]:
    """Jobs a second."""
    rates = defaultdict(list)
    for _ in range(N_BURSTS):
        for who, python in ((ANCESTOR, python_of("ancestor")), (OURS, sys.executable)):
            bare, jobs = burst(python, program, directory, N_IN_ALL)
            rates[POOL].append(N_IN_ALL / bare)
            rates[who].append(N_IN_ALL / jobs)
    return {who: median(values) for who, values in rates.items()}


def burst(python: str, program: Program, directory: Path, n: int) -> tuple[float, float]:
    """Seconds for so many jobs that are asked for at once, in a pool by hand and in a queue."""
    bare, jobs = told(python, _AT_ONCE, str(program.path), new_directory(directory), str(n), str(N_AT_ONCE))
    return bare, jobs


def new_directory(directory: Path) -> str:
    """For one run; removed with all of them at the end."""
    # An ext4 without a journal passes over what was removed in the last 5 s, one by one, for each file that it makes:
    # what comes next would pay for it.
    return tempfile.mkdtemp(dir=directory)


def growth(program: Program, directory: Path) -> dict[str, list[tuple[float, float]]]:
    """Who -> how many jobs, and the seconds that they take in all."""
    # In memory, if there is such a place: else it would be about what new_directory has to say, too.
    run_in = _MEMORY if has_memory() else directory
    bursts = defaultdict(list)
    for _ in range(N_BURSTS):
        for n in N_GROWING:
            with tempfile.TemporaryDirectory(dir=run_in) as name:
                bursts[n].append(burst(sys.executable, program, Path(name), n))
    curves: dict[str, list[tuple[float, float]]] = {OURS: [], POOL: []}
    for n, seconds in bursts.items():
        for who, taken in zip((POOL, OURS), zip(*seconds, strict=True), strict=True):
            curves[who].append((n, median(taken)))
    return curves


if __name__ == "__main__":
    run(measure)
