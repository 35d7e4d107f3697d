"""3 recent_runs: what the last runs took, for who estimates the next. Callable from any thread."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

#: By so many the mean of durations that differ by their own size is known to an eighth; and a change of what is asked
#: for is known soon.
MAX_RUNS: Final = 64


class RecentRuns:
    """The durations of the last runs that this process made, or followed, to their own end.

    Args:
        known_before: what others know of runs that ended before this process had one, the latest last.
    """

    def __init__(self, known_before: Callable[[], Iterable[float]] = tuple) -> None:
        self._known_before = known_before
        self._has_asked = False
        self._lock = threading.Lock()  # guards all below
        self._seconds: deque[float] = deque(maxlen=MAX_RUNS)

    def learn(self) -> None:
        """Ask the others, once: a process that has just begun knows then what the others do. It may read files."""
        if self._has_asked:
            return
        self._has_asked = True  # two that come at the same moment may both ask, and would add the same twice: no harm
        before = list(self._known_before())
        with self._lock:
            own = list(self._seconds)
            self._seconds.clear()
            self._seconds.extend([*before, *own])

    def add(self, seconds: float) -> None:
        """One more has ended, after so many seconds."""
        with self._lock:
            self._seconds.append(seconds)

    def seconds(self) -> tuple[float, ...]:
        """What they took, the latest last."""
        with self._lock:
            return tuple(self._seconds)
