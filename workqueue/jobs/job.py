"""3 job: one run of one key, from its place in the queue to its end.

Thread contract: clients read from any thread. One engine thread at a time reports; anybody may ask for the place to be
looked at again. What there is to say goes through an `Outbox`, in the order in which it became true.
"""

import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol

from reactivex.subject import ReplaySubject

from workqueue.jobs.estimate import is_news
from workqueue.jobs.lifecycle import Event, State, event_of, next_state
from workqueue.jobs.outbox import Outbox
from workqueue.jobs.statistics import JobSnapshot
from workqueue.jobs.times import Times
from workqueue.params import Params, masked
from workqueue.progress import Cancelling, Progress, WaitsAgain
from workqueue.streams.subject import Writer
from workqueue.system import forks

if TYPE_CHECKING:  # an import of the package goes without the engines
    from workqueue.engines.base import Ticket


class Keeper(Protocol):
    """Whom a job tells what happens to it; called with no lock held."""

    def queued(self, job: "Job") -> None:
        """It is about to be given to an engine."""
        ...

    def watched(self, job: "Job") -> None:
        """Somebody subscribes."""
        ...

    def started(self, job: "Job") -> None:
        """It has begun; called once, by the reporting thread, after its observers were told."""
        ...

    def progressed(self, job: "Job") -> None:
        """It is further; called like `started`, and after it."""
        ...

    def cancelled(self, job: "Job") -> None:
        """It takes no joiners any more; called once, by the first to cancel, before its engine is asked to stop it."""
        ...

    def ended(self, job: "Job") -> None:
        """Its state is final; called once, by the reporting thread, before its observers are told."""
        ...


class Job:
    """A job that a client can watch. Made by `WorkQueue.ensure_run`; not made by callers.

    Args:
        params: what was asked for.
        key: the name of these params.
        keeper: told what happens.
        estimate: says after how many seconds a job begins that has so many ahead; None: there is no telling. Called
            from any thread, with no lock held.
    """

    def __init__(
        self, params: Params, key: str, keeper: Keeper, estimate: Callable[[int], float | None] = lambda _: None
    ) -> None:
        self.params = params
        self.key = key
        self._keeper = keeper
        self._estimate = estimate
        writer: Writer[Progress] = Writer(on_subscribe=lambda: keeper.watched(self))
        self._subject = writer.subject
        self._outbox = Outbox(writer)
        self._lock = threading.Lock()  # guards all below
        self._state = State.PENDING
        self._latest: Progress | None = None
        self._outcome: Progress | None = None
        self._why_it_waits: str | None = None
        self._ticket: Ticket | None = None
        self._times = Times()
        self._was_queued = False
        self._cancels_for_all = True
        self._is_to_stop = False
        self._n_waiting = 0
        self._n_visits = 0

    @property
    def progress(self) -> ReplaySubject[Progress]:
        """The job's events: a bounded history to those who subscribe, then what comes, then completion.

        A failure is the last event, never `on_error`. Subscribe, await it, or use the adapters of `workqueue.streams`.
        It is for reading: `on_next`, `on_completed`, `on_error`, `dispose` and ``with job.progress`` raise TypeError,
        since they would end it for everybody; ``with job.progress.subscribe(...)`` ends one subscription.
        """
        return self._subject

    def __await__(self) -> Generator[Any, None, Progress]:
        """Wait for the end on asyncio: ``last = await job``; it is the last event, of a failure too."""
        return self._subject.__await__()

    @property
    def state(self) -> State:
        """Where the job is in its life, at this moment."""
        return self._state

    @property
    def current_progress(self) -> Progress:
        """Where things stand at this moment, the place in the queue included."""
        self.refresh_place()
        return self.estimated(self._latest or Progress())

    @property
    def eta(self) -> float | None:
        """About how many seconds until it begins, as things stand now; None: it does not wait, or nobody can tell.

        It is estimated by what the last runs took, and by how many are ahead. It is told once five runs are known, if
        by how they differ it is as likely as not, at least, to be right within a quarter, or a few seconds.
        """
        ticket = self._ticket
        return None if self._state is not State.PENDING or ticket is None else self._eta(ticket.n_ahead())

    def estimated(self, progress: Progress) -> Progress:
        """One of this job's events, with the estimate of this moment if it still waits: so a heartbeat counts down."""
        if self._state is not State.PENDING or progress.returncode is not None:
            return progress
        eta = self._eta(progress.n_ahead_in_queue)
        return progress if eta == progress.eta else progress.with_eta(eta)

    @property
    def latest_run_seconds(self) -> float | None:
        """How long its latest run took, or takes; None: it does not run, and has not."""
        with self._lock:
            seconds, ticket = self._times.latest_run_seconds(), self._ticket
        # An engine whose runs others make may have been told of one when it had run for a while.
        return None if seconds is None else seconds + float(getattr(ticket, "ran_before", 0.0))

    @property
    def n_watchers(self) -> int:
        """How many observers and waiting threads the job has; all readers of one event loop count as one."""
        return self._subject.n_observers + self._n_waiting

    @property
    def n_visits(self) -> int:
        """How often somebody has asked for it, subscribed to it or waited for it; never less than before."""
        return self._subject.n_subscriptions + self._n_visits

    @property
    def was_queued(self) -> bool:
        """Whether it was meant to run; False for one that ends with what was known already."""
        return self._was_queued

    def snapshot(self) -> JobSnapshot:
        """A record of the job at this moment, to look at and to keep; it holds no secret."""
        progress = self.current_progress
        with self._lock:
            # Once the state says so the progress does, also before the observers were told.
            progress = self._outcome or progress
            wait_seconds, run_seconds = self._times.seconds()
            return JobSnapshot(
                key=self.key,
                params=masked(self.params),
                state=self._state,
                progress=progress,
                watchers=self.n_watchers,
                queued_at=self._times.queued_at,
                wait_seconds=wait_seconds,
                run_seconds=run_seconds,
                eta=progress.eta,
            )

    def wait(self, timeout: float | None = None) -> Progress:
        """Block until the job has ended and its observers were told; return its last event.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            TimeoutError: it has not ended by then. It goes on.
        """
        with self._lock:
            self._n_visits += 1
            self._n_waiting += 1
        try:
            has_ended = self._outbox.is_done.wait(timeout)
        finally:
            with self._lock:
                self._n_waiting -= 1
        if not has_ended:
            raise TimeoutError(f"the job {self.key} has not ended after {timeout} seconds")
        assert self._latest is not None
        return self._latest

    def __repr__(self) -> str:
        # The params may hold a secret under any name, so they are left out.
        return f"<Job {self.key} {self._state.value}>"

    def cancel(self) -> bool:
        """Ask that it be stopped, for everybody who watches it; returns at once, callable from any thread, idempotent.

        While it waits it ends at once. The program of one that runs gets SIGTERM, and SIGKILL if it is still there 5
        seconds later. The last event then has the returncode -998; or says that it succeeded or failed by itself, if
        it did so first. Whoever asks for the same parameters from now on gets a new job, which begins after this end.

        Returns:
            Whether it was still to end. False: it had ended, and nothing happens.
        """
        forks.check()
        return self._cancel_if(lambda: True, for_all=True)

    def abandon(self, n_visits: int) -> bool:
        """Cancel it, unless somebody watches it or has come since it had this many visits; return whether it was."""
        # Other processes may have somebody who watches it.
        return self._cancel_if(lambda: not self.n_watchers and self.n_visits == n_visits, for_all=False)

    def join(self) -> bool:
        """Note that somebody more asks for it; return whether he may have it, or it is being cancelled."""
        with self._lock:
            if self._state is State.CANCELLING:
                return False
            self._n_visits += 1
            return True

    def enqueue(self) -> None:
        """Note that it is about to be given to an engine, and counts from now on. Called once."""
        with self._lock:
            self._was_queued = True
        self._keeper.queued(self)

    def attach(self, ticket: "Ticket") -> None:
        """Tell the job whom to ask for its place and its end. Called once, when an engine has taken it."""
        with self._lock:
            self._ticket = ticket
            is_to_stop = self._is_to_stop
        # Either who cancels sees the ticket, or this sees that it was cancelled; or both, and a ticket bears that.
        if is_to_stop:
            self._stop()
        self.refresh_place()

    def report(self, report: Progress | WaitsAgain | Cancelling) -> None:
        """Take an engine's report: the first one says that the job runs, one with a returncode that it has ended.

        That it is being cancelled may come from any thread, and when it has ended.

        Raises:
            IllegalMove: the job has ended already.
        """
        if isinstance(report, Cancelling):
            self._begin_cancelling(lambda: True)
            return
        with self._lock:
            self._state = next_state(self._state, event_of(report))
            if isinstance(report, WaitsAgain):
                self._why_it_waits = report.message
                self._times.rest()
                progress = Progress(n_ahead_in_queue=report.n_ahead, message=report.message)
            else:
                progress = report
            is_start = not self._times.has_begun
            is_end = self._state.is_final
            if is_end:
                self._times.end()
                self._outcome = progress
            elif not isinstance(report, WaitsAgain):
                self._times.begin()
        if is_end:
            # Forget, then announce: who is told of a failure and asks again must get a new job.
            self._keeper.ended(self)
        with self._lock:
            # That it begins is no news to those who were told that nobody is ahead.
            if not is_start or progress != self._latest:
                self._post(progress)
        self._outbox.emit()
        if self.state is State.PENDING:
            self._keeper.watched(self)  # set back: it is among those again that wait to be told their place
        elif not is_end:
            tell = self._keeper.started if is_start else self._keeper.progressed
            tell(self)

    def refresh_place(self) -> None:
        """Look up the place in the queue, and emit it if it is news. Nothing happens once the job runs."""
        while self.state is State.PENDING and self._ticket is not None:
            n_ahead = self._ticket.n_ahead()
            progress = Progress(n_ahead, message=self._why_it_waits, eta=self._eta(n_ahead))
            with self._lock:
                # The job may have started since; and of two threads that looked, the later poster may have looked
                # first: so look again until what is posted is what is true.
                if self._state is not State.PENDING or not self._is_news(progress):
                    return
                self._post(progress)
            self._outbox.emit()

    def _is_news(self, progress: Progress) -> bool:
        # Events that differ by their estimates are equal. A client that comes when the line has stood still for long
        # must not be given the estimate of then; nor each other one be told again for each client that comes.
        return self._latest != progress or is_news(self._latest.eta, progress.eta)

    def _eta(self, n_ahead: int) -> float | None:
        # What waits for a reason of its own, such as the time until its program is run again, is in no line.
        return None if self._why_it_waits is not None else self._estimate(n_ahead)

    def _cancel_if(self, may: Callable[[], bool], *, for_all: bool) -> bool:
        is_first = self._begin_cancelling(may, for_all=for_all)
        if is_first:
            self._stop()
        return is_first is not None

    def _begin_cancelling(self, may: Callable[[], bool], *, for_all: bool | None = None) -> bool | None:
        """Let nobody join it any more; return whether it is this that does so, None when it must not or has ended.

        Args:
            may: asked with the lock held.
            for_all: whether its engine is to stop it for all processes; None: it does so by itself.
        """
        with self._lock:
            if self._state.is_final or not may():
                return None
            is_first = self._state is not State.CANCELLING
            self._state = next_state(self._state, Event.CANCEL)
            if is_first and for_all is not None:
                self._cancels_for_all, self._is_to_stop = for_all, True
        # Taken out of the registry first: who is told of the end, and asks again, must not be given this job.
        if is_first:
            self._keeper.cancelled(self)
        return is_first

    def _stop(self) -> None:
        with self._lock:
            ticket = self._ticket
            for_all = self._cancels_for_all
        if ticket is not None:
            ticket.cancel(for_all=for_all)

    def _post(self, progress: Progress) -> None:
        assert self._lock.locked()
        self._latest = progress
        self._outbox.put(progress)
