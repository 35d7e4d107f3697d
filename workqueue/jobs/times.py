"""3 times: when a job was asked for, began and ended -> how long it waited and ran.

Not thread-safe: the job's lock guards it.
"""

import time


class Times:
    """The clock of one job, which starts when it is made."""

    def __init__(self) -> None:
        #: In seconds since 1970 (`time.time`), for people; the rest is counted by a clock that nobody sets.
        self.queued_at = time.time()
        self._queued = time.monotonic()
        self._began: float | None = None
        self._ended: float | None = None
        self._run_began: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it ran."""
        return self._began is not None

    def begin(self) -> None:
        """It runs; the first call counts, and the first after a rest."""
        if self._run_began is None:
            self._run_began = time.monotonic()
        if self._began is None:
            self._began = self._run_began

    def rest(self) -> None:
        """It waits again, after it had begun."""
        self._run_began = None

    def end(self) -> None:
        """It has ended."""
        self._ended = time.monotonic()

    def seconds(self) -> tuple[float, float]:
        """How long it waited, or waits, to begin; and how long it ran, or runs."""
        end = time.monotonic() if self._ended is None else self._ended
        began = end if self._began is None else self._began
        return began - self._queued, end - began

    def latest_run_seconds(self) -> float | None:
        """How long its latest run took, or takes, since the last rest; None: it does not run."""
        if self._run_began is None:
            return None
        return (time.monotonic() if self._ended is None else self._ended) - self._run_began
