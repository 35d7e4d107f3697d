"""The job that builds each document set, or that did so last, for a page that looks in now and then.

A queue forgets a job that has ended, and the next request for the same starts a new one. So a client that only looks
must not ask the queue: it would have what was cancelled built after all. It is told here how the last job ended.
"""

import threading
from http import HTTPStatus
from typing import Final, Literal

from workqueue import Job, OverviewViewParams, State, WorkQueue
from workqueue.web import Problem

Standing = Literal["idle", "waiting", "running", "built", "failed"]

_STANDINGS: Final[dict[State, Standing]] = {
    State.PENDING: "waiting",
    State.RUNNING: "running",
    State.CANCELLING: "running",
}


class LastJobs:
    """The last job of each set, as far as it was asked for or seen here. Callable from any thread.

    Args:
        queue: whose jobs.
    """

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self._lock = threading.Lock()  # guards _jobs
        self._jobs: dict[OverviewViewParams, Job] = {}

    def start(self, params: OverviewViewParams) -> Job | None:
        """Make sure that the index is there or being built; see `WorkQueue.ensure_run`."""
        job = self._queue.ensure_run(params)
        if job is not None:
            self._remember(params, job)
        return job

    def look(self, params: OverviewViewParams) -> Job | None:
        """The job that builds it, or that failed to; None: the index is there. It starts nothing.

        Raises:
            Problem: 409: there is neither.
        """
        job = self._last(params)
        if job is None and self._queue.result_info(params) is None:
            raise Problem(HTTPStatus.CONFLICT, "nothing builds this set any more")
        return job

    def standing(self, params: OverviewViewParams) -> Standing:
        """How it stands with a set. It starts nothing."""
        job = self._last(params)
        if job is not None:
            return _STANDINGS.get(job.state, "failed")
        return "idle" if self._queue.result_info(params) is None else "built"

    def cancel(self, params: OverviewViewParams) -> None:
        """Have the job end, if it waits or runs."""
        job = self._queue.live_job(params)
        if job is not None:
            job.cancel()

    def forget(self) -> None:
        """Tell no more how any job has ended."""
        with self._lock:
            self._jobs.clear()

    def _remember(self, params: OverviewViewParams, job: Job) -> None:
        with self._lock:
            self._jobs[params] = job

    def _last(self, params: OverviewViewParams) -> Job | None:
        live = self._queue.live_job(params)  # it may have been started by another page
        if live is not None:
            self._remember(params, live)
            return live
        with self._lock:
            last = self._jobs.get(params)
        # A result that is there counts, whatever became of a job before; and so does that a job succeeded.
        is_built = last is not None and (last.state is State.SUCCEEDED or self._queue.result_info(params) is not None)
        return None if is_built else last
