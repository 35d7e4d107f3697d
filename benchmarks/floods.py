"""What does a program cost that prints as fast as it can: a million lines, a line without end, endless stderr?

The program is a shell that runs ``cat`` or ``head``; the time is from the request to the end of the job, the memory
that of a fresh process, at its peak (VmHWM). Then more and more lines, for how the time grows with them. Run it with
``python -m benchmarks.floods``; it takes about 45 s.
"""

import inspect
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.clock import median, peak_memory_kb
from benchmarks.peers import NAMES, python_of, told

N_LINES = 1_000_000
N_ROUNDS = 5

N_GROWING = (250_000, 500_000, 1_000_000, 2_000_000)
N_ROUNDS_GROWING = 3

#: It takes a second for each million, and more are in the table.
MOST_OF_ANCESTOR = 500_000

BARE = "a read loop"
ANCESTOR = NAMES["ancestor"]

# The peers' interpreters have no module of ours.
_PEAK = f"from pathlib import Path\n{inspect.getsource(peak_memory_kb)}"

# Reads what comes and throws it away: the least that anybody can do.
_BARE = (
    _PEAK
    + """
import json, os, select, subprocess, sys, time

program, directory = sys.argv[1:]
before = peak_memory_kb()
began = time.perf_counter()
with subprocess.Popen([program, directory + "/output"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE) as process:
    poll = select.poll()
    left = {process.stdout.fileno(), process.stderr.fileno()}
    for fd in left:
        poll.register(fd, select.POLLIN)
    while left:
        for fd, _ in poll.poll():
            if not os.read(fd, 65536):
                poll.unregister(fd)
                left.discard(fd)
assert not process.returncode
print(json.dumps([time.perf_counter() - began, before, peak_memory_kb()]))
"""
)

# For both: the names of 1.0.1 are ours. A first job, that prints one line, comes before what is measured.
_JOB = (
    _PEAK
    + """
import json, logging, sys, time
from concurrent.futures import ThreadPoolExecutor
from workqueue import OverviewViewParams, WorkQueue

logging.disable(logging.WARNING)  # bad lines are expected
program, directory = sys.argv[1:]
queue = WorkQueue(Path(program), ThreadPoolExecutor(1), Path(directory, "storage"))

def build(token):
    began = time.perf_counter()
    job = queue.ensure_run(OverviewViewParams("http://localhost", "1", token))
    for progress in queue.report_job_progress_until_completed(job):
        pass
    assert progress.returncode == 0, progress
    return time.perf_counter() - began

build("small")
before = peak_memory_kb()
print(json.dumps([build("flood"), before, peak_memory_kb()]))
"""
)

_PROGRAM = """#!/bin/sh
for output; do :; done
case "$3" in
small) echo 0.5;;
*) {command};;
esac
echo built >"$output"
"""


class Flood(NamedTuple):
    """What a program prints: the row's name, the shell's command, and what to tell of the size for a peer."""

    name: str
    command: str
    command_of_ancestor: str | None = None


class Cost(NamedTuple):
    """Medians of some fresh processes."""

    seconds: float
    grown_mb: float
    peak_mb: float


def floods(lines: Path) -> list[Flood]:
    return [
        Flood("1e6 lines", f"cat {lines}"),
        Flood("100 MB, one line", "head -c 100000000 /dev/zero", "head -c 10000000 /dev/zero"),
        Flood("200 MB of stderr", "head -c 200000000 /dev/zero >&2"),
    ]


def measure() -> Answer:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        lines_of = {n: write_lines(directory / f"lines-{n}", n) for n in N_GROWING}
        costs = dict(costs_of(directory, floods(lines_of[N_LINES])))
        curves = growth(directory, lines_of)
    grown = dict(curves[OURS])
    rows: list[list[Cell]] = []
    for (flood, who), cost in costs.items():
        bare = costs[flood, BARE]
        is_smaller = who == ANCESTOR and flood.command_of_ancestor is not None
        over = None if is_smaller else cost.seconds / bare.seconds
        name_of_flood = f"{flood.name} (10 MB)" if is_smaller else flood.name
        rows.append([f"{name_of_flood}: {who}", cost.seconds, over, cost.peak_mb, cost.grown_mb])
    lines, line, stderr = ((costs[flood, OURS], costs[flood, BARE]) for flood in dict.fromkeys(f for f, _ in costs))
    return Answer(
        ["what, and who", "s", "over the loop", "peak, MB", "grown, MB"],
        rows,
        [
            Target("1e6 lines over `cat` and a read loop", lines[0].seconds / lines[1].seconds, 2.0),
            Target("2e6 lines over 1e6: time", grown[2_000_000] / grown[1_000_000], 2.2),
            Target("one line of 100 MB, s", line[0].seconds, 1.0),
            Target("one line of 100 MB, peak of the process, MB", line[0].peak_mb, 40.0),
            Target("200 MB of stderr, peak of the process, MB", stderr[0].peak_mb, 30.0),
        ],
        [Plot("Lines printed at once, until the job ends", "lines", "s", curves)],
        [
            f"Medians of {N_ROUNDS} fresh processes. Grown: above the process after a first small job.",
            f"In the picture, of {N_ROUNDS_GROWING}; {ANCESTOR} is in it with up to {MOST_OF_ANCESTOR:,} lines.",
            f"{ANCESTOR} takes the square of the length of a line, so it has a tenth of it.",
        ],
    )


def costs_of(directory: Path, of: list[Flood]) -> Iterator[tuple[tuple[Flood, str], Cost]]:
    for flood in of:
        all_measured: dict[str, list[list[float]]] = {OURS: [], ANCESTOR: [], BARE: []}
        for _ in range(N_ROUNDS):
            for who, measured in all_measured.items():
                measured.append(measure_once(directory, flood, who))
        for who, measured in all_measured.items():
            seconds, before, peak = (median(values) for values in zip(*measured, strict=True))
            yield (flood, who), Cost(seconds, (peak - before) / 1024, peak / 1024)


def growth(directory: Path, lines_of: dict[int, Path]) -> dict[str, list[tuple[float, float]]]:
    """Who -> how many lines, and the seconds that they take; all sizes by turns."""
    seconds: dict[tuple[str, int], list[float]] = {
        (who, n): [] for who in (OURS, ANCESTOR, BARE) for n in lines_of if who != ANCESTOR or n <= MOST_OF_ANCESTOR
    }
    for _ in range(N_ROUNDS_GROWING):
        for (who, n), taken in seconds.items():
            taken.append(measure_once(directory, Flood(f"{n:,} lines", f"cat {lines_of[n]}"), who)[0])
    curves: dict[str, list[tuple[float, float]]] = {}
    for (who, n), taken in seconds.items():
        curves.setdefault(who, []).append((n, median(taken)))
    return curves


def measure_once(directory: Path, flood: Flood, who: str) -> list[float]:
    """Seconds, and kilobytes before and at the peak."""
    command = flood.command_of_ancestor if who == ANCESTOR and flood.command_of_ancestor else flood.command
    program = write_program(directory / "program", command)
    python = python_of("ancestor") if who == ANCESTOR else sys.executable
    with tempfile.TemporaryDirectory(dir=directory) as run_in:
        figures: list[float] = told(python, _BARE if who == BARE else _JOB, str(program), run_in)
    return figures


def write_program(path: Path, command: str) -> Path:
    path.write_text(_PROGRAM.format(command=command))
    path.chmod(0o755)
    return path


def write_lines(path: Path, n: int) -> Path:
    with path.open("w") as file:
        file.writelines(f"{i / n:.6f}\tread line {i} of all\n" for i in range(n))
    return path


if __name__ == "__main__":
    run(measure)
