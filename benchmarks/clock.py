"""clock: numbers -> the ones that are worth telling; and what a process has used."""

import os
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def median(values: Iterable[float]) -> float:
    """The middle one: a busy neighbour moves a mean, not this."""
    return statistics.median(values)


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spread(values: Iterable[float]) -> list[tuple[float, float]]:
    """The curve of a plot of scale "spread": percentages, and the values that so many are not above."""
    ordered = sorted(values)
    return [(percent, percentile(ordered, percent)) for percent in (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)]


def memory_kb(pid: int | str = "self") -> int:
    """What a process holds in memory now (its resident set), in KiB; Linux."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def peak_memory_kb(pid: int | str = "self") -> int:
    """The most that a process has held in memory, in KiB; Linux. `ru_maxrss` would count what it was forked from."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise LookupError("the kernel tells no peak")


def cpu_seconds(pid: int | str = "self") -> float:
    """What a process and those below it that are there have used by now, to 10 ms; Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = [file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(child) for some in children for child in some)


@dataclass
class Spent:
    """What a stretch of code took; filled in at its end."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def share(self) -> float:
        """CPU seconds a second: 1.0 is one core."""
        return self.cpu_seconds / self.seconds


@contextmanager
def measured() -> Iterator[Spent]:
    """Time a block: wall clock, and CPU of all threads of this process."""
    spent = Spent()
    began, used = time.perf_counter(), time.process_time()
    try:
        yield spent
    finally:
        spent.seconds, spent.cpu_seconds = time.perf_counter() - began, time.process_time() - used
