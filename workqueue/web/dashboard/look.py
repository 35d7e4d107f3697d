"""7 dashboard look: a queue -> how it stands at this moment, as an event."""

import json
import time
from collections.abc import Callable, Iterable

from workqueue import WorkQueue
from workqueue.engines.base import SeenRun
from workqueue.web.dashboard.snapshot import Snapshot, snapshot


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

    def event(self) -> bytes:
        """What there is to see, as a server-sent event."""
        return b"data: " + json.dumps(self.snapshot(), separators=(",", ":"), allow_nan=False).encode() + b"\n\n"

    def snapshot(self) -> Snapshot:
        """What there is to see.

        Raises:
            StorageError: what other processes say cannot be read.
        """
        now = self._clock()
        shared = self._queue.statistics(everywhere=True).shared
        max_running = shared.max_running if shared is not None and shared.max_running else None
        jobs = self._with_times(self._queue.jobs(everywhere=True), now)
        return snapshot(jobs, self._queue.ends(), max_running, now)

    def _with_times(self, jobs: Iterable[SeenRun], now: float) -> list[SeenRun]:
        """Of a job that waits in another process nobody says since when: here it is since it was seen first."""
        before, self._first_seen = self._first_seen, {}
        timed = []
        for job in jobs:
            queued_at = job.queued_at
            if queued_at is None and not job.is_running:
                queued_at = self._first_seen[job.key] = before.get(job.key, now)
            timed.append(job._replace(queued_at=queued_at))
        return timed
