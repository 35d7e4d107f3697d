"""2 refreshing: a result that is served although it is old -> whether to build it again in the background, now."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

#: Seconds until a build that left the old result in place is tried again, at least: requests come many a second.
RETRY_SECONDS: Final = 60.0

#: By how much the clock that dates results may be ahead of ours; what is later is from a clock that was wrong.
AHEAD_SECONDS: Final = 60.0

#: Some 2 MB; those that were tried first go first.
MAX_TRIED: Final = 10_000


class Refreshing:
    """Which results are due. Callable from any thread.

    Args:
        seconds: the age from which a result is built again; None: none is.
        wall: the time of day, in seconds since the epoch.
        clock: the time in seconds, as `time.monotonic`.

    Raises:
        ValueError: for seconds that are no such number.
    """

    def __init__(
        self,
        seconds: float | None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if seconds is not None and not 0 < seconds < math.inf:
            raise ValueError(f"refresh_after must be a number of seconds above 0, or None; got {seconds!r}")
        self.seconds = seconds
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()  # guards _tried
        self._tried: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by key: in place of which result, and when

    def is_due(self, key: str, published_at: float) -> bool:
        """Whether the caller is to build it again. Of those that ask at the same moment, one is.

        Args:
            key: the result's.
            published_at: when it was, in seconds since the epoch.
        """
        if self.seconds is None or -AHEAD_SECONDS < self._wall() - published_at < self.seconds:
            return False
        now = self._clock()
        with self._lock:
            old, at = self._tried.get(key, (published_at, -math.inf))
            if old == published_at and now - at < RETRY_SECONDS:
                return False
            self._tried[key] = (published_at, now)
            self._tried.move_to_end(key)
            if len(self._tried) > MAX_TRIED:
                self._tried.popitem(last=False)
        return True

    def forget(self, key: str) -> None:
        """It was not begun after all: whoever asks next may."""
        with self._lock:
            self._tried.pop(key, None)
