"""3 job: one run of one key, from its place in the queue to its end.

Thread contract: clients read from any thread. One engine thread at a time reports; anybody may ask for the place to be
looked at again. Events wait in an outbox, and whoever finds nobody emptying it does so, with no lock held: the subject
has one writer at a time, events keep their order, and nobody waits for an observer but the one who emits.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from reactivex.subject import ReplaySubject

from workqueue.lifecycle import Event, State, event_of, next_state
from workqueue.params import Params, masked
from workqueue.progress import Progress
from workqueue.statistics import JobSnapshot
from workqueue.streams.subject import ProgressSubject


class Ticket(Protocol):
    """What a job needs of the engine that has taken it; see `workqueue.engines.base.Ticket`."""

    def n_ahead(self) -> int:
        """How many come before it."""
        ...

    def cancel(self) -> None:
        """Stop it."""
        ...


class Job:
    """A job that a client can watch. Made by `WorkQueue.ensure_run`; not made by callers.

    Args:
        params: what was asked for.
        key: the name of these params.
        on_watched: called when somebody subscribes, with no lock held.
        on_ended: called once, by the reporting thread, after the state is final and before anybody is told.
        on_cancel: called once, by the first to cancel, before its engine is asked to stop it.
    """

    def __init__(
        self,
        params: Params,
        key: str,
        on_watched: Callable[["Job"], None],
        on_ended: Callable[["Job"], None],
        on_cancel: Callable[["Job"], None],
    ) -> None:
        self.params = params
        self.key = key
        self._subject: ProgressSubject[Progress] = ProgressSubject(on_subscribe=lambda: on_watched(self))
        self._on_ended = on_ended
        self._on_cancel = on_cancel
        self._announced = threading.Event()
        self._queued_at = time.monotonic()
        self._lock = threading.Lock()  # guards all below
        self._state = State.PENDING
        self._latest: Progress | None = None
        self._outcome: Progress | None = None
        self._outbox: deque[Progress] = deque()
        self._is_emitting = False
        self._ticket: Ticket | None = None
        self._started_at: float | None = None
        self._ended_at: float | None = None

    @property
    def progress(self) -> ReplaySubject[Progress]:
        """The job's events: a bounded history to those who subscribe, then what comes, then completion.

        A failure is the last event, never `on_error`. Subscribe, or use the adapters of `workqueue.streams`.
        """
        return self._subject

    @property
    def state(self) -> State:
        """Where the job is in its life, at this moment."""
        return self._state

    @property
    def current_progress(self) -> Progress:
        """Where things stand at this moment, the place in the queue included."""
        self.refresh_place()
        return self._latest or Progress()

    @property
    def n_watchers(self) -> int:
        """How many observers the job has; all readers of one event loop count as one."""
        return self._subject.n_observers

    def snapshot(self) -> JobSnapshot:
        """A record of the job at this moment, to look at and to keep; it holds no secret."""
        progress = self.current_progress
        with self._lock:
            # Once the state says so the progress does, also before the observers were told.
            progress = self._outcome or progress
            end = time.monotonic() if self._ended_at is None else self._ended_at
            start = end if self._started_at is None else self._started_at
            return JobSnapshot(
                key=self.key,
                params=masked(self.params),
                state=self._state,
                progress=progress,
                watchers=self.n_watchers,
                wait_seconds=start - self._queued_at,
                run_seconds=end - start,
            )

    def wait(self, timeout: float | None = None) -> Progress:
        """Block until the job has ended and its observers were told; return its last event.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            TimeoutError: it has not ended by then. It goes on.
        """
        if not self._announced.wait(timeout):
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
        with self._lock:
            if self._state.is_final:
                return False
            is_first = self._state is not State.CANCELLING
            self._state = next_state(self._state, Event.CANCEL)
        # Taken out of the registry first: who is told of the end, and asks again, must not be given this job.
        if is_first:
            self._on_cancel(self)
            self._stop()
        return True

    def attach(self, ticket: Ticket) -> None:
        """Tell the job whom to ask for its place and its end. Called once, when an engine has taken it."""
        with self._lock:
            self._ticket = ticket
        # Either who cancels sees the ticket, or this sees that it was cancelled; or both, and a ticket bears that.
        if self.state is State.CANCELLING:
            self._stop()
        self.refresh_place()

    def report(self, progress: Progress) -> None:
        """Take an engine's report: the first one says that the job runs, one with a returncode that it has ended.

        Raises:
            IllegalMove: the job has ended already.
        """
        with self._lock:
            self._state = next_state(self._state, event_of(progress))
            is_end = self._state.is_final
            self._note_time(is_end)
            if is_end:
                self._outcome = progress
        if is_end:
            # Forget, then announce: who is told of a failure and asks again must get a new job.
            self._on_ended(self)
        with self._lock:
            self._post(progress)
        self._emit()

    def refresh_place(self) -> None:
        """Look up the place in the queue, and emit it if it is news. Nothing happens once the job runs."""
        while self.state is State.PENDING and self._ticket is not None:
            progress = Progress(n_ahead_in_queue=self._ticket.n_ahead())
            with self._lock:
                # The job may have started since; and of two threads that looked, the later poster may have looked
                # first: so look again until what is posted is what is true.
                if self._state is not State.PENDING or self._latest == progress:
                    return
                self._post(progress)
            self._emit()

    def _stop(self) -> None:
        with self._lock:
            ticket = self._ticket
        if ticket is not None:
            ticket.cancel()

    def _note_time(self, is_end: bool) -> None:
        now = time.monotonic()
        if is_end:
            self._ended_at = now
        elif self._started_at is None:
            self._started_at = now

    def _post(self, progress: Progress) -> None:
        assert self._lock.locked()
        self._latest = progress
        self._outbox.append(progress)

    def _emit(self) -> None:
        """Empty the outbox, unless another thread is at it: that one takes ours as well."""
        with self._lock:
            if self._is_emitting:
                return
            self._is_emitting = True
        try:
            while (progress := self._next_to_emit()) is not None:
                self._tell(progress)
        except BaseException:
            # An interrupt can strike the main thread here, when it subscribes. The job's end may be in the outbox by
            # now, left to us by the thread that reported it.
            with self._lock:
                self._is_emitting = False
            self._emit()
            raise

    def _next_to_emit(self) -> Progress | None:
        with self._lock:
            if self._outbox:
                return self._outbox.popleft()
            self._is_emitting = False
            return None

    def _tell(self, progress: Progress) -> None:
        try:
            self._subject.on_next(progress)
        finally:
            # An observer may raise an interrupt here too, and nobody comes again to say that the job has ended.
            if progress.returncode is not None:
                try:
                    self._subject.on_completed()
                finally:
                    self._announced.set()
