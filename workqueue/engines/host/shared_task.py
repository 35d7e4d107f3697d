"""4 host shared_task: one task between the line and another process's run.

It waits in the line, as a task of the local engine. It leaves the line as soon as another process runs its
key, and follows that run: takes its progress and its end from the journal. It leads, once its turn has come and the
key's lock is its own: runs the program, and writes the journal. When a run that it follows is lost, with the process
that made it, it is back in the line, as the others that follow are in theirs: the first whose turn comes leads.

What is reported of it comes from one thread at a time: the one whose turn it is while it leads, the following one
while it follows; and whoever takes it out of the line hands it on to the other.
"""

import contextlib
import logging
import threading
import time
from enum import Enum
from pathlib import Path
from typing import Protocol

from workqueue.engines.base import Report, RunReport, SeenEnd, Task
from workqueue.engines.host.ends import Ends, stderr_of
from workqueue.engines.host.follower import Follower
from workqueue.engines.host.following import Following
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.lead import Lead
from workqueue.engines.host.line.record import tenant_of
from workqueue.engines.host.record import Times
from workqueue.engines.local.engine import CLOSED_PENDING, Ticket
from workqueue.engines.local.run import Around, LocalRun
from workqueue.errors import StorageError
from workqueue.progress import Cancelling, Progress, WaitsAgain, cancelled, failed, succeeded
from workqueue.redaction import without_directories

logger = logging.getLogger("workqueue")


class Stage(Enum):
    """Where a shared task is."""

    WAITING = "waiting"
    LEADING = "leading"
    FOLLOWING = "following"
    RESTING = "resting"
    """Its program asked to be run later. Nobody else may run its key meanwhile."""

    ENDED = "ended"


class Shared(Protocol):
    """What the tasks of one engine have in common."""

    journals: Journals
    ends: Ends
    follower: Follower

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more tasks."""
        ...

    @property
    def refuses_waiting(self) -> bool:
        """Whether it was closed, and what waits is to end."""
        ...

    @property
    def n_tasks(self) -> int:
        """How many come before one that would come now."""
        ...

    def line_up(self, task: Task, report: RunReport, around: Around, *, is_new: bool) -> Ticket:
        """Put a task into the line. One that `is_new`, and was not in it before, may be refused: QueueFull."""
        ...

    def has_another(self, task: "SharedTask") -> bool:
        """Whether this process has another task of the same key: one that is being cancelled."""
        ...

    def ended(self, task: "SharedTask") -> None:
        """It has ended; called before that is reported."""
        ...


class SharedTask:
    """One task. Callable from any thread, but for what `follower` and the local engine call."""

    def __init__(self, task: Task, report: Report, shared: Shared) -> None:
        self.task = task
        self._report = report
        self._shared = shared
        self._following = Following(shared.journals, task.key, is_refresh=task.is_refresh)  # of the following thread
        self._has_begun = False  # of whoever reports
        self._queued_at = time.time()
        self._began_at: float | None = None  # of whoever leads
        self._runs = False  # of whoever reports, as the next
        #: For how many seconds the run that is told of now had run before this process was told of it.
        self.ran_before = 0.0
        self._lock = threading.Lock()  # guards all below
        self.stage = Stage.WAITING
        self._ticket: Ticket | None = None
        self._n_waits = 0
        self._is_cancelled = False
        self._is_only_here = False
        self._leave_as: Progress | None = None
        self._kept: Lead | None = None  # of whoever claims the run of the local engine

    @property
    def _directory(self) -> Path:
        return self._shared.journals.directory

    def begin(self) -> None:
        """Follow a run that is under way, or wait for a turn."""
        if not self._shared.is_closed and self._is_led_for_us():
            self._follow()
        else:
            self._wait(is_new=True)

    def _is_led_for_us(self) -> bool:
        """Whether somebody makes a run that we may follow: not the one that was cancelled here a moment ago."""
        return self._shared.journals.is_led(self.task.key) and not self._shared.has_another(self)

    def n_ahead(self) -> int:
        """How many tasks come before it, while it waits."""
        ticket = self._ticket
        return ticket.n_ahead() if ticket is not None and self.stage in (Stage.WAITING, Stage.RESTING) else 0

    def cancel(self, *, is_only_here: bool) -> None:
        """Stop it, and the run that it leads; one that it follows is for whoever leads that.

        Args:
            is_only_here: other processes may go on with it, or begin it anew.
        """
        with self._lock:
            self._is_cancelled = True
            self._is_only_here = is_only_here
            ticket = self._ticket
        if ticket is not None:
            ticket.cancel()
        if is_only_here:
            self.leave(cancelled())
        else:
            self._shared.follower.look_again()  # it may wait for the end of a run that it does not share

    @property
    def waits(self) -> bool:
        """Whether it waits: for its turn, or for the end of a run that was being cancelled when it came."""
        return self.stage is Stage.WAITING or (self.stage is Stage.FOLLOWING and self._following.is_late)

    def cancel_from_elsewhere(self, *, is_for_all: bool) -> None:
        """Another process has cancelled this key; called by the following thread.

        Args:
            is_for_all: whether those are meant, too, that came when the run was being cancelled already.
        """
        if is_for_all or not self._following.is_late:
            self._report(Cancelling())  # first: a client that asks when this is stopped must not be given it
            self.cancel(is_only_here=False)

    def leave(self, outcome: Progress) -> None:
        """If it follows another process's run, end here and let that go on."""
        with self._lock:
            self._leave_as = outcome
        self._shared.follower.look_again()

    # In the line

    def _wait(self, *, is_new: bool = False) -> None:
        with self._lock:
            self.stage = Stage.WAITING
            self._n_waits += 1
            n_waits = self._n_waits
        ticket = self._shared.line_up(self.task, self._told, self._lead, is_new=is_new)
        with self._lock:
            # By now it may lead, follow, have ended, or wait again.
            is_waiting = self.stage is Stage.WAITING and self._n_waits == n_waits
            if is_waiting:
                self._ticket = ticket
                self._shared.follower.follow(self._directory, self.task.key, self._look_while_waiting)
            elif self.stage is Stage.LEADING:
                self._ticket = ticket
            is_cancelled = self._is_cancelled
        if is_cancelled:
            ticket.cancel()
        elif is_waiting:
            # Somebody may have begun before the following thread was told to look.
            self._look_while_waiting()

    def _told(self, report: Progress | WaitsAgain) -> None:
        """Take what the local engine says without a run of ours: that the task is refused, or is to run later."""
        if isinstance(report, Progress) and report.returncode is not None:
            self._end(report)
            return
        if self._kept is not None:
            self._move(Stage.RESTING)
            self._kept.report(report)
        self._tell(report)

    def _look_while_waiting(self) -> None:
        ticket = self._ticket
        if ticket is None or self.stage is not Stage.WAITING or not self._is_led_for_us():
            return
        # Whoever takes it out of the line hands it on: this, or the thread whose turn it is.
        if ticket.withdraw():
            self._follow()

    # Its turn

    def _lead(self, run: LocalRun) -> Progress | None:
        """Run it, if its key is free; called on the thread whose turn it is."""
        self._move(Stage.LEADING)
        try:
            lead, self._kept = self._kept or self._shared.journals.lead(self.task.key), None
            if lead is None:
                self._follow()
                return None
            with contextlib.ExitStack() as stack:
                stack.enter_context(lead)
                outcome = self._run_unless_built(run, lead)
                if run.wants_another(outcome):
                    self._kept = lead
                    stack.pop_all()
            return outcome
        except StorageError as err:
            logger.warning("%s", err, extra={"key": self.task.key})
            return failed(without_directories(str(err)))

    def _run_unless_built(self, run: LocalRun, lead: Lead) -> Progress:
        # Looked at with the lock: a run that had it before is published by now.
        if not self.task.is_refresh and self.task.storage.has(self.task.key):
            return succeeded()
        return self._run(run, lead)

    def _run(self, run: LocalRun, lead: Lead) -> Progress:
        self._began_at = time.time()
        lead.start(Times(self._queued_at, self._began_at))

        def report(report: Progress | WaitsAgain) -> None:
            lead.report(report)
            self._tell(report)

        outcome = run.run(report, lead.fd)
        if run.wants_another(outcome):
            self._began_at = None  # should it end in its rest, that was no time of running
        else:
            self._tell_end(lead, outcome)
        return outcome

    def _tell_end(self, lead: Lead, outcome: Progress) -> None:
        # Kept first: whoever is told of the end finds it there.
        tenant = tenant_of(self.task.tenant)
        times = (self._queued_at, self._began_at, time.time())
        tenant = "" if tenant == "-" else tenant
        self._shared.ends.add(SeenEnd(self.task.key, tenant, outcome, *times, stderr_of(outcome.error)))
        if self._is_for_all(outcome):
            lead.report(outcome)

    def _is_for_all(self, outcome: Progress) -> bool:
        """Whether it is the key's outcome; else it is this process's alone, and the others begin anew."""
        if outcome.returncode == 0:
            return True
        with self._lock:
            return not self._shared.is_closed and not (self._is_cancelled and self._is_only_here)

    # Another's run

    def _follow(self) -> None:
        self._move(Stage.FOLLOWING)
        self._shared.follower.follow(self._directory, self.task.key, self._look_while_following, always=True)

    def _look_while_following(self) -> None:
        """Read on; called by the following thread alone."""
        if self.stage is not Stage.FOLLOWING:
            return
        with self._lock:
            outcome = self._leave_as
        if outcome is not None:
            self._end(outcome)
            return
        latest, end, is_lost = self._following.look()
        if end is None and self._following.is_late:
            end = self._why_not_wait()
        if latest is not None:
            self._tell(latest)
        if end is not None:
            self._end(end)
        elif is_lost:
            self._lost()

    def _why_not_wait(self) -> Progress | None:
        """What ends it, if it waits for the end of a run that it does not share: it is like one in the line then."""
        with self._lock:
            if self._is_cancelled:
                return cancelled()
        return failed(CLOSED_PENDING) if self._shared.refuses_waiting else None

    def _lost(self) -> None:
        """Nobody makes the run any more, and it had no end; unless it is not wanted, it begins anew."""
        self._stop_looking()
        with self._lock:
            is_cancelled = self._is_cancelled
        if is_cancelled:
            self._end(cancelled())
            return
        n_tasks = self._shared.n_tasks
        # Before it is in the line: there it may begin at once, on another thread.
        if self._has_begun:
            self._tell(WaitsAgain(n_tasks))
            self._has_begun = False
        self._wait()

    # All of them

    def _move(self, stage: Stage) -> None:
        """To another stage; the looks of the last one come to nothing."""
        with self._lock:
            self.stage = stage
            if stage not in (Stage.LEADING, Stage.RESTING):
                self._ticket = None
        self._shared.follower.unfollow(self._directory, self.task.key, self._look_while_waiting)

    def _stop_looking(self) -> None:
        self._shared.follower.unfollow(self._directory, self.task.key, self._look_while_following)
        self._following.close()

    def _tell(self, report: Progress | WaitsAgain) -> None:
        if isinstance(report, Progress) and not self._runs:
            times = self._following.times if self.stage is Stage.FOLLOWING else None
            self.ran_before = 0.0 if times is None else max(0.0, time.time() - times.began_at)
        self._runs = isinstance(report, Progress)
        self._has_begun = True
        self._report(report)

    def _end(self, outcome: Progress) -> None:
        was_following = self.stage is Stage.FOLLOWING
        self._move(Stage.ENDED)
        kept, self._kept = self._kept, None
        if kept is not None:  # it was to run again, and will not
            with kept:
                self._tell_end(kept, outcome)
        if was_following:
            self._stop_looking()
        self._shared.ended(self)
        self._report(outcome)
