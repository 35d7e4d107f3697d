"""3 estimate: what the last runs took, and how long those of now have run -> how long a job still waits; pure.

For example, two programs run at once, runs take 60 s, both have begun 30 s ago: the first of the line begins in 30 s,
and each place behind it takes half a minute more.

A place is free as soon as any program ends, so the line moves as fast as all of them together get their work done: all
that is left of the running ones, and of those ahead in the line, over how many run at once. What the others still have
to do at the moment when this one begins is not waited for; that is the rest of a run that somebody looks at by chance.

What is left of a run is the median of what was left, at its age, of the last runs that took longer. Programs say how
far they are, too, but few do so evenly: of runs that differ little the estimate became worse by it.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

#: Of fewer runs nobody can say by how much they differ.
MIN_RUNS: Final = 5

#: Of the estimate: a standard error by which one of two normal estimates is within 25 % of the truth.
CREDIBLE_ERROR: Final = 0.37

#: Such an error is none to a person, whatever the estimate.
CREDIBLE_SECONDS: Final = 5.0


class Estimate(NamedTuple):
    """When the jobs of a line begin, at one moment."""

    max_running: int
    """How many run at once."""

    first: float
    """Seconds until the head of the line begins, if the work were spread evenly."""

    step: float
    """Seconds more for each place behind it."""

    soonest: float
    """Seconds until a running one ends, and before which nobody begins."""

    error: float
    """The standard deviation of a run, in seconds."""

    n_runs: int
    """Of how many runs that is known."""

    def seconds(self, n_ahead: int) -> float | None:
        """How long a job still waits.

        Args:
            n_ahead: how many jobs, running or waiting, come before it.

        Returns:
            Seconds until it begins; None where it is as likely as not to be wrong by more than a quarter, or where not
            as many are ahead as run at once: then it waits for something else.
        """
        place = n_ahead - self.max_running + 1
        if place < 1:
            return None
        eta = max(self.first + self.step * (place - 1), self.soonest, 0.0)
        per_place = self.error / self.max_running
        # Of what each of those ahead will take, and of the mean, which the last runs tell the worse the fewer they are.
        error = per_place * math.sqrt(place + place * place / self.n_runs)
        return eta if error <= CREDIBLE_ERROR * eta + CREDIBLE_SECONDS else None


def estimate(recent: Collection[float], running: Collection[float], max_running: int) -> Estimate | None:
    """Look at a line of jobs of which nobody knows anything but what the last ones took.

    Args:
        recent: the seconds that the last runs took.
        running: for how many seconds those of now have run, as far as these are known.
        max_running: how many run at once.

    Returns:
        The estimate for every place; None: too few runs are known.
    """
    n = len(recent)
    if n < MIN_RUNS or max_running < 1:
        return None
    ended = sorted(recent)
    mean = sum(ended) / n
    if mean <= 0:
        return None
    mean_of_squares = sum(seconds * seconds for seconds in ended) / n
    by_chance = mean_of_squares / mean / 2
    left = [left_of(ended, age) for age in running]
    n_unknown = max(0, max_running - len(left))
    work = sum(left) + n_unknown * by_chance
    return Estimate(
        max_running=max_running,
        first=(work - (max_running - 1) * by_chance) / max_running,
        step=mean / max_running,
        soonest=0.0 if n_unknown else min(left),
        error=math.sqrt(max(0.0, mean_of_squares - mean * mean)),
        n_runs=n,
    )


def is_news(told: float | None, now: float | None) -> bool:
    """Whether an estimate differs from what was told by so much that the told one is wrong by now."""
    if told is None or now is None:
        return told is not now
    return abs(told - now) > max(told / 4, CREDIBLE_SECONDS)


def left_of(ended: Sequence[float], age: float) -> float:
    """What is left of a run of this age, by those that took longer; without any, half of what it has taken.

    Args:
        ended: what the last runs took, in ascending order.
        age: seconds since it began.
    """
    n_shorter = bisect_right(ended, age)
    if n_shorter == len(ended):
        return age / 2
    return ended[(n_shorter + len(ended)) // 2] - age
