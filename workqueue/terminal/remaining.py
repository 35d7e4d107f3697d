"""remaining: how fast a fraction grows -> about how long a run still takes, once that is credible; pure.

The rule is the one of the browser's element (``Pace`` in workqueue/web/static/workqueue.js), so that a person who
watches both is told the same.
"""

import math
from typing import Final

from workqueue.progress import Progress

#: The rate of about this many seconds is what the estimate is made from.
_WINDOW_SECONDS: Final = 30.0

#: Nothing is said before the run is so far, and has moved so often.
_MIN_FRACTION: Final = 0.05
_MIN_STEPS: Final = 3

#: Nothing is said until the estimated end has stayed where it is for so long.
_SETTLED_SECONDS: Final = 5.0

#: "Where it is" means: within half of what remains, and this.
_SLACK_SECONDS: Final = 10.0


class Remaining:
    """The estimate of one job. Not thread-safe: use it from one thread."""

    def __init__(self) -> None:
        self._pace: _Pace | None = None

    def add(self, progress: Progress, now: float) -> float | None:
        """Take the next event; return the seconds that remain, or None if nobody can tell.

        Args:
            progress: the event. A program that starts again, or waits again, begins a new estimate.
            now: seconds on a clock that never goes back.
        """
        if progress.n_ahead_in_queue or progress.returncode is not None:
            self._pace = None
            return None
        if self._pace is None or progress.fraction < self._pace.fraction:
            self._pace = _Pace(progress.fraction, now)
        return self._pace.add(progress.fraction, now)


class _Pace:
    """How fast one run is."""

    def __init__(self, fraction: float, now: float) -> None:
        self.fraction = fraction
        self._first = self._now = now
        self._n_steps = 0
        self._rate = 0.0  # a second
        self._end = math.nan
        self._settled_since = now
        self._is_credible = False

    def add(self, fraction: float, now: float) -> float | None:
        elapsed, gained = now - self._now, fraction - self.fraction
        self.fraction, self._now = fraction, now
        self._n_steps += gained > 0
        # An exponential average over time, not over events; what it gives for no time at all is the limit of short
        # ones.
        forgotten = -math.expm1(-elapsed / _WINDOW_SECONDS)
        self._rate += gained * (forgotten / elapsed if elapsed else 1 / _WINDOW_SECONDS) - self._rate * forgotten
        age = -math.expm1(-(now - self._first) / _WINDOW_SECONDS)  # the average began at 0
        if not (self._rate > 0 and age > 0):
            return None
        left = (1 - fraction) / (self._rate / age)
        is_near = abs(now + left - self._end) <= left / 2 + _SLACK_SECONDS  # false at first: the end is NaN
        if not is_near:
            self._settled_since = now
        # As long as nothing is said, the end must stay near one place; then it may drift.
        if not is_near or self._is_credible:
            self._end = now + left
        self._is_credible = (
            is_near
            and now - self._settled_since >= _SETTLED_SECONDS
            and fraction >= _MIN_FRACTION
            and self._n_steps >= _MIN_STEPS
        )
        return left if self._is_credible else None
