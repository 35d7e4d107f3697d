"""How well is a job told how long it still waits, by what the last runs took?

Nothing runs: lines are simulated, by a clock that costs no time. In each, one to eight jobs run at once, and each takes
a minute or so, by a log-normal distribution; all began together, and up to 64 have ended since, each of which another
followed. A job that has 0 to 39 others ahead in the line, besides those that run, asks when it begins. What is known
is what the last 64 jobs took, or fewer, and for how long the others have run. Then the line goes on until that job
begins. Run it with ``python -m benchmarks.estimate``; it takes some seconds.

The runs of "uneven" lines differ as strangers' documents do, by a sigma of 0.5 to 1: with 1, 95 of 100 take a seventh
to seven times the usual. Those of "even" ones are of one kind (0.05 to 0.3).
"""

import heapq
import math
import random
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median
from typing import Final, NamedTuple

from benchmarks.answer import OURS, Answer, Cell, Target, run
from workqueue.jobs.estimate import estimate, left_of
from workqueue.jobs.recent_runs import MAX_RUNS

N_LINES: Final = 1_000
SEED: Final = 20

#: Sigma of the logarithm of what a run takes: from, to.
KINDS: Final = {"uneven": (0.5, 1.0), "even": (0.05, 0.3)}

#: A wait is told well that is within this share of the truth.
NEAR: Final = 0.25

#: Programs that say where they are do so evenly, or are slow at first, or at last.
EXPONENTS: Final = (0.6, 0.8, 1.0, 1.25, 1.7)

_N_DRAWS: Final = 30


class Run(NamedTuple):
    """One that is under way."""

    age: float
    fraction: float
    """What its program says of itself."""


class Line(NamedTuple):
    """A line at one moment, and what becomes of it."""

    recent: Sequence[float]
    running: Sequence[Run]
    place: int
    """Of the job that asks: 1 begins next."""

    wait: float
    """How long it does wait."""

    @property
    def max_running(self) -> int:
        return len(self.running)

    @property
    def n_ahead(self) -> int:
        return self.max_running + self.place - 1


def lines(kind: str, n: int, n_recent: int = MAX_RUNS, seed: int = SEED) -> list[Line]:
    """The same ones each time."""
    source = random.Random(f"{seed} {kind} {n_recent}")
    return [_line(source, source.uniform(*KINDS[kind]), n_recent) for _ in range(n)]


def _line(source: random.Random, sigma: float, n_recent: int) -> Line:
    def duration() -> float:
        return source.lognormvariate(math.log(60), sigma)

    recent = [duration() for _ in range(n_recent)]
    first = [duration() for _ in range(source.randint(1, 8))]
    ends = [(took, took) for took in first]
    heapq.heapify(ends)
    now = 0.0
    for _ in range(source.randint(0, MAX_RUNS)):
        took = duration()
        now = ends[0][0]
        recent.append(heapq.heapreplace(ends, (now + took, took))[1])
    now += source.random() * (ends[0][0] - now)
    running = []
    for end, took in ends:
        age = now - (end - took)
        running.append(Run(age, (age / took) ** source.choice(EXPONENTS)))
    place = source.randint(1, 40)
    free = [end for end, _ in ends]
    for _ in range(place - 1):
        heapq.heapreplace(free, free[0] + duration())
    return Line(recent[-n_recent:], running, place, free[0] - now)


# Ways to estimate


def ours(line: Line) -> float | None:
    """What a client is told."""
    found = estimate(line.recent, [run.age for run in line.running], line.max_running)
    return None if found is None else found.seconds(line.n_ahead)


def by_place(line: Line) -> float:
    """The mean, times the place, over how many run at once."""
    return fmean(line.recent) * line.place / line.max_running


def by_fractions(line: Line) -> float | None:
    """As ours, but what is left of a run is what its program's fraction says, from 0.05 on."""
    ended = sorted(line.recent)
    by_age = [left_of(ended, run.age) for run in line.running]
    left = [
        run.age / run.fraction - run.age if run.fraction >= 0.05 else age
        for run, age in zip(line.running, by_age, strict=True)
    ]
    found = estimate(line.recent, [run.age for run in line.running], line.max_running)
    if found is None:
        return None
    first = found.first + (sum(left) - sum(by_age)) / line.max_running
    return found._replace(first=first, soonest=min(left)).seconds(line.n_ahead)


def one_by_one(line: Line) -> float:
    """Each that waits takes the mean, and begins when the next one ends."""
    ended, mean = sorted(line.recent), fmean(line.recent)
    return _begins([left_of(ended, run.age) for run in line.running], (mean for _ in range(line.place - 1)))


def by_draws(line: Line) -> float:
    """The same with what is drawn from the last runs for each, 30 times; the median."""
    source, ended = random.Random(SEED), sorted(line.recent)

    def left(run: Run) -> float:
        longer = [took for took in ended if took > run.age]
        return source.choice(longer) - run.age if longer else left_of(ended, run.age)

    return median(
        _begins([left(run) for run in line.running], (source.choice(ended) for _ in range(line.place - 1)))
        for _ in range(_N_DRAWS)
    )


def _begins(left: list[float], ahead: Iterable[float]) -> float:
    heapq.heapify(left)
    for took in ahead:
        heapq.heapreplace(left, left[0] + took)
    return left[0]


WAYS: Final[dict[str, Callable[[Line], float | None]]] = {
    OURS: ours,
    "with programs' fractions": by_fractions,
    "mean x place / how many run": by_place,
    "one by one, each the mean": one_by_one,
    "one by one, 30 draws": by_draws,
}


class Score(NamedTuple):
    """How well a way did, in percent."""

    told: float
    """Of the lines: something was said."""

    near: float
    """Of the lines: it was within 25 % of the truth. What was not told is not near."""

    @property
    def near_of_told(self) -> float | None:
        return 100 * self.near / self.told if self.told else None


def score(way: Callable[[Line], float | None], lines: Sequence[Line]) -> Score:
    pairs = [(way(line), line.wait) for line in lines]
    told = [(eta, wait) for eta, wait in pairs if eta is not None]
    n_near = sum(abs(eta - wait) <= NEAR * wait for eta, wait in told)
    return Score(100 * len(told) / len(lines), 100 * n_near / len(lines))


def measure() -> Answer:
    scores = {
        (kind, n_recent, who): score(way, lines(kind, N_LINES, n_recent))
        for kind in KINDS
        for n_recent in (MAX_RUNS, 8)
        for who, way in WAYS.items()
    }
    rows: list[list[Cell]] = [
        [who, kind, str(n_recent), found.told, found.near, found.near_of_told]
        for (kind, n_recent, who), found in scores.items()
    ]
    uneven, even = (scores[kind, MAX_RUNS, OURS] for kind in KINDS)
    told = uneven.near_of_told
    return Answer(
        ["who", "runs", "how many are known", "lines told, %", "within 25 %, of all lines, %", "of those told, %"],
        rows,
        [
            Target(f"of {N_LINES:,} uneven lines, not told within 25 %, %", 100 - uneven.near, 50.0),
            Target(f"of {N_LINES:,} uneven lines, told and wrong by more, % of those told", 100 - (told or 0.0), 40.0),
            Target(f"of {N_LINES:,} even lines, not told within 25 %, %", 100 - even.near, 15.0),
        ],
        notes=[
            "A wait that is not told counts as wrong: only ours, and that with fractions, say nothing at times.",
            "Fractions are uneven: a program at half of its time says 0.31 to 0.66.",
        ],
    )


if __name__ == "__main__":
    run(measure)
