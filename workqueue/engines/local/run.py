"""4 local run: one task of the local engine: claimed once, run or refused by who claimed it, stopped by anybody."""

import threading
from collections.abc import Callable

from workqueue.engines.base import RunReport, Task
from workqueue.engines.local.lineup import Place
from workqueue.engines.run import run_task
from workqueue.program.command import name_of
from workqueue.program.process import Process
from workqueue.program.warden import Warden
from workqueue.progress import CANCELLED, Progress


class LocalRun:
    """One task and its place. Callable from any thread, but for `perform` and `run`.

    Args:
        task: what to run.
        report: whom to tell.
        place: where it stands in the line.
        warden: guards the program.
        around: called when its turn has come, on the thread that claimed it. It calls `run`, and returns the outcome
            to report; or None, when the task is not for this engine to run any more: nothing is reported of it then.
            Without it, the task is run.
    """

    def __init__(
        self, task: Task, report: RunReport, place: Place, warden: Warden, around: "Around | None" = None
    ) -> None:
        self._task = task
        self.key = task.key
        self.tenant = task.tenant
        self.report = report
        self._warden = warden
        self._around = around
        self._lock = threading.Lock()  # guards all below
        self.place = place
        self.thread: int | None = None
        self._n_runs = 0
        self.is_resting = False
        self._process: Process | None = None
        self._stopped_as: Progress | None = None
        self._grace = 0.0

    @property
    def program(self) -> str:
        """The name of its program, for people."""
        return name_of(self._task.command)

    def claim(self, thread: int) -> bool:
        """Whether this thread is the first to say what becomes of the task; then it must end it."""
        with self._lock:
            is_first = self.thread is None
            if is_first:
                self.thread = thread
            return is_first

    def wants_another(self, outcome: Progress) -> bool:
        """Whether it is to be run once more, after a while, instead of ending like this."""
        return self.stopped() is None and self._task.retry.wants_another(outcome.returncode, self._n_runs)

    def rest(self) -> float:
        """Wait until `resume`, not in the line, and claimed by nobody; return for how many seconds."""
        with self._lock:
            self.thread = None
            self.is_resting = True
            self._process = None
            return self._task.retry.delay

    def resume(self, place: Place) -> bool:
        """It waits in the line again, in this place; return whether nobody has claimed it meanwhile."""
        with self._lock:
            if self.thread is not None or not self.is_resting:
                return False
            self.place = place
            self.is_resting = False
            return True

    def perform(self) -> Progress | None:
        """Its turn has come, on this thread, which has claimed it; return what to report, if anything."""
        return self.run() if self._around is None else self._around(self)

    def run(self, report: RunReport | None = None, lock: int | None = None) -> Progress:
        """Run the program; return how that ended.

        Args:
            report: told of progress, in place of whom it was made for.
            lock: a descriptor that is locked for as long as anything of the run lives.
        """
        report = report or self.report
        self._n_runs += 1
        report(Progress())
        if (stopped := self.stopped()) is not None:
            return stopped
        outcome = run_task(self._task, report, self._on_start, lambda directory: self._warden.guard(directory, lock))
        # Published is published: a program that was done before it was stopped has succeeded.
        if outcome.returncode == 0 or (stopped := self.stopped()) is None:
            return outcome
        # An exit status is told as it is, but for one who asked for it.
        return stopped if stopped.returncode == CANCELLED else outcome._replace(error=stopped.error)

    def stopped(self) -> Progress | None:
        """What to report of it if it was to be stopped."""
        with self._lock:
            return self._stopped_as

    def stop(self, grace: float, outcome: Progress) -> None:
        """Stop the program, at once or as soon as it has started. The running thread reports its end.

        Args:
            grace: seconds between SIGTERM and SIGKILL.
            outcome: what to report, unless it succeeds. The first caller's counts.
        """
        with self._lock:
            self._stopped_as = self._stopped_as or outcome
            self._grace = grace
            process = self._process
        if process is not None:
            process.stop(grace)

    def _on_start(self, process: Process) -> None:
        with self._lock:
            self._process = process
            is_stopped = self._stopped_as is not None
        if is_stopped:
            process.stop(self._grace)


Around = Callable[[LocalRun], Progress | None]
"""See `LocalRun`."""
