"""7 dashboard look: a queue -> how it stands at this moment, as an event."""

import json
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from workqueue import WorkQueue
from workqueue.web.dashboard.snapshot import Snapshot, snapshot

if TYPE_CHECKING:  # as in `snapshot`
    from workqueue.engines.base import SeenRun

#: Seconds for which it is known how many jobs run at once. It changes when processes come and go; to ask is a look at
#: every job.
_BOUND_IS_KNOWN: Final = 30.0


class Look:
    """Looks at a queue; called by one thread at a time.

    Args:
        queue: to be looked at.
        clock: the time of day in seconds, as `time.time`.
    """

    def __init__(self, queue: WorkQueue, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._clock = clock
        self._first_seen: dict[str, float] = {}
        self._max_running: int | None = None
        self._asked_at = float("-inf")

    def event(self) -> bytes:
        """What there is to see, as a server-sent event."""
        return b"data: " + json.dumps(self.snapshot(), separators=(",", ":"), allow_nan=False).encode() + b"\n\n"

    def snapshot(self) -> Snapshot:
        """What there is to see.

        Raises:
            StorageError: what other processes say cannot be read.
        """
        now = self._clock()
        jobs = self._with_times(self._queue.jobs(everywhere=True), now)
        return snapshot(jobs, self._queue.ends(), self._bound(now), now)

    def _bound(self, now: float) -> int | None:
        """How many jobs run at once."""
        if not 0 <= now - self._asked_at < _BOUND_IS_KNOWN:
            shared = self._queue.statistics(everywhere=True).shared
            self._max_running = shared.max_running or None if shared is not None else None
            self._asked_at = now
        return self._max_running

    def _with_times(self, jobs: "Iterable[SeenRun]", now: float) -> "list[SeenRun]":
        """Where nobody says since when a job of another process waits: since it was seen here first."""
        before, self._first_seen = self._first_seen, {}
        timed = []
        for job in jobs:
            queued_at = job.queued_at
            if queued_at is None and not job.is_running:
                queued_at = self._first_seen[job.key] = before.get(job.key, now)
            timed.append(job._replace(queued_at=queued_at))
        return timed
