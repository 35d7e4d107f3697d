"""3 bookkeeper: what happens to a job -> who must know of it: registry, line, counts, hooks, log.

Called by jobs, on the thread that makes the thing happen; see `workqueue.jobs.job.Keeper`.
"""

import logging

from workqueue.engines.base import Failures
from workqueue.jobs.abandonment import Abandonment
from workqueue.jobs.estimator import Estimator
from workqueue.jobs.herald import Herald
from workqueue.jobs.hooks import HookCaller, Moment
from workqueue.jobs.job import Job
from workqueue.jobs.lifecycle import State
from workqueue.jobs.recent_runs import RecentRuns
from workqueue.jobs.registry import Registry
from workqueue.jobs.statistics import Tally

logger = logging.getLogger("workqueue")


class Bookkeeper:
    """Keeps the books of one queue. Callable from any thread."""

    def __init__(
        self,
        *,
        registry: Registry[Job],
        herald: Herald,
        failures: Failures,
        tally: Tally,
        recent: RecentRuns,
        estimator: Estimator,
        abandonment: Abandonment,
        hooks: HookCaller,
    ) -> None:
        self._registry = registry
        self._herald = herald
        self._failures = failures
        self._tally = tally
        self._recent = recent
        self._estimator = estimator
        self._abandonment = abandonment
        self._hooks = hooks

    def close(self) -> None:
        """The engine is closed, and all jobs have ended: end the threads that told of them."""
        self._herald.close()
        self._abandonment.close()
        self._hooks.close()

    def queued(self, job: Job) -> None:
        """See `Keeper`."""
        logger.debug("the job %s is queued", job.key, extra={"key": job.key})
        self._hooks.tell(Moment.QUEUED, job)
        self._abandonment.begin()

    def watched(self, job: Job) -> None:
        """See `Keeper`."""
        self._herald.watch(job)

    def started(self, job: Job) -> None:
        """See `Keeper`."""
        logger.debug("the job %s has started", job.key, extra={"key": job.key})
        self._estimator.began(job)
        self._hooks.tell(Moment.STARTED, job)

    def progressed(self, job: Job) -> None:
        """See `Keeper`."""
        self._hooks.tell(Moment.PROGRESS, job)

    def cancelled(self, job: Job) -> None:
        """See `Keeper`."""
        self._registry.retire(job.key, job)

    def ended(self, job: Job) -> None:
        """See `Keeper`."""
        if job.was_queued:
            self._count(job)
        self._estimator.ended(job)
        self._registry.forget(job.key, job)
        # The engine said that the line moved before it reported the end. A herald that looked in between found the job
        # still waiting, and would wait with it for a move that may never come.
        self._herald.moved()
        if not self._registry:
            self._abandonment.wake()

    def _count(self, job: Job) -> None:
        """Before the job is forgotten: who looks for the job, then for its failure, finds one of them."""
        snapshot = job.snapshot()
        self._tally.add(snapshot)
        # What somebody stopped says nothing of what runs take; what failed does, since so will some of those to come.
        ran = job.latest_run_seconds
        if ran is not None and snapshot.state is not State.CANCELLED:
            self._recent.add(ran)
        self._failures.remember(job.key, snapshot.progress)
        logger.info(
            "the job %s has ended: %s, after %.3f s in the line and %.3f s of running",
            job.key,
            snapshot.state.value,
            snapshot.wait_seconds,
            snapshot.run_seconds,
            extra={"key": job.key},
        )
        self._hooks.tell(Moment.ENDED, job)
