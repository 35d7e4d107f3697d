"""5 tries: how often a helper of ours failed -> when to start it again, and whether. Pure: it is told the time."""

import math
from typing import Final

#: So many in a row that never served, and a helper is taken to be broken: its interpreter, or what it may do here.
MAX_TRIES: Final = 5

#: The first that fails is tried again at once, since it may have been killed as it started. Then the pauses double.
FIRST_PAUSE_SECONDS: Final = 0.1
MAX_PAUSE_SECONDS: Final = 10.0

#: So many short lives in a row are somebody who kills: what served is worth trying again at once.
_KILLS: Final = 3

#: From here on a life is no short one.
LONG_SECONDS: Final = 1.0


class Tries:
    """When a helper may be started. Not safe to use from several threads at once."""

    def __init__(self) -> None:
        self._n_failures = 0
        self._n_short_lives = 0
        self._not_before = -math.inf
        self.is_given_up = False
        #: Why there is no helper that serves; None: there is one, or nothing is known against it.
        self.why: str | None = None

    def wait(self, now: float) -> float:
        """Seconds until it may be started; 0.0: now; inf: never, for it was given up."""
        return math.inf if self.is_given_up else max(0.0, self._not_before - now)

    def failed(self, now: float, why: str, *, is_passing: bool = False) -> bool:
        """It could not start, or ended before it served; return whether to say so, which is once in a row.

        Args:
            now: the time, in seconds.
            why: in words.
            is_passing: whether what it lacks comes back, such as memory; then it is never given up.
        """
        self.why = why
        self._n_failures += 1
        self._pause(now, self._n_failures - 1)
        if self._n_failures >= MAX_TRIES and not is_passing:
            self.is_given_up = True
        return self._n_failures == MAX_TRIES or (self._n_failures > MAX_TRIES and self.is_given_up)

    def served(self) -> None:
        """It serves, or did."""
        self._n_failures = 0
        self.why = None

    def killed(self, now: float, lived_seconds: float) -> None:
        """It ended after it had served."""
        self.served()
        self._n_short_lives = self._n_short_lives + 1 if lived_seconds < LONG_SECONDS else 0
        self._pause(now, self._n_short_lives - _KILLS)

    def _pause(self, now: float, n: int) -> None:
        self._not_before = now + pause_seconds(n)


def pause_seconds(n: int) -> float:
    """The nth pause, which is none for those before the first."""
    return 0.0 if n < 1 else min(FIRST_PAUSE_SECONDS * 2.0 ** min(n - 1, 10), MAX_PAUSE_SECONDS)
