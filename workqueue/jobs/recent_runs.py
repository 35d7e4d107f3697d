"""3 recent_runs: what the last runs took, for who estimates the next. Callable from any thread."""

import threading
from collections import deque
from typing import Final

#: By so many the mean of durations that differ by their own size is known to an eighth; and a change of what is asked
#: for is known soon.
MAX_RUNS: Final = 64


class RecentRuns:
    """The durations of the last runs that this process made, or followed, to their own end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _seconds
        self._seconds: deque[float] = deque(maxlen=MAX_RUNS)

    def add(self, seconds: float) -> None:
        """One more has ended, after so many seconds."""
        with self._lock:
            self._seconds.append(seconds)

    def seconds(self) -> tuple[float, ...]:
        """What they took, the latest last."""
        with self._lock:
            return tuple(self._seconds)
