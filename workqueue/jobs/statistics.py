"""3 statistics: jobs -> immutable records of how things stand, for people and monitors. Callable from any thread."""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from workqueue.jobs.lifecycle import State
from workqueue.params import Params
from workqueue.progress import Progress

if TYPE_CHECKING:  # an import of the package goes without the engines
    from workqueue.engines.base import Shared


class JobSnapshot(NamedTuple):
    """One job at one moment."""

    key: str
    params: Params
    """What was asked for, secrets masked; see `workqueue.params.masked`."""

    state: State
    progress: Progress
    watchers: int
    queued_at: float
    """When it was asked for, in seconds since 1970 (`time.time`)."""

    wait_seconds: float
    """How long it waited, or waits, to begin."""

    run_seconds: float
    """How long it ran, or runs; 0.0 before that."""

    eta: float | None = None
    """About how many seconds until it begins; None: it does not wait, or nobody can tell."""


class Statistics(NamedTuple):
    """A queue at one moment, and since it was made."""

    pending: int
    running: int
    cancelling: int
    """How many were told to stop and have not yet."""

    succeeded: int
    failed: int
    cancelled: int
    watchers: int
    """How many observers and waiting threads the live jobs have; the readers of one job in one event loop are one."""

    wait_seconds: float
    """How long all jobs that ended had waited, together."""

    run_seconds: float
    """How long all jobs that ended had run, together."""

    unguarded: str | None = None
    """Why programs go on when this process is killed, instead of dying with it; None: they die, as far as is known."""

    shared: "Shared | None" = None
    """What is known of all processes of a cluster; None: this queue has none, or it cannot be reached.

    ``WorkQueue.statistics(everywhere=True)`` has that of all processes of a host, too.
    """


class Tally:
    """Counts the jobs that have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._ended: Counter[State] = Counter()
        self._wait_seconds = 0.0
        self._run_seconds = 0.0

    def add(self, job: JobSnapshot) -> None:
        """Count a job that has ended."""
        with self._lock:
            self._ended[job.state] += 1
            self._wait_seconds += job.wait_seconds
            self._run_seconds += job.run_seconds

    def statistics(
        self, live: Iterable[JobSnapshot], unguarded: str | None = None, shared: "Shared | None" = None
    ) -> Statistics:
        """The record, with the jobs that live now. One that ends meanwhile may be missing, or in it twice."""
        jobs = list(live)
        states = Counter(job.state for job in jobs)
        with self._lock:
            return Statistics(
                pending=states[State.PENDING],
                running=states[State.RUNNING],
                cancelling=states[State.CANCELLING],
                succeeded=self._ended[State.SUCCEEDED],
                failed=self._ended[State.FAILED],
                cancelled=self._ended[State.CANCELLED],
                watchers=sum(job.watchers for job in jobs),
                wait_seconds=self._wait_seconds,
                run_seconds=self._run_seconds,
                unguarded=unguarded,
                shared=shared,
            )
