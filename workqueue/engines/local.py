"""4 local: tasks -> threads of an executor on this host, one for each program that runs and none for each client.

The executor may be the caller's, who may shut it down at any moment or share it with other work. Whatever becomes of
its futures, each task ends with exactly one outcome: the run's own, or, from the future's callback, the reason why it
never ran.
"""

import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final

from workqueue.engines.base import Report, Task
from workqueue.engines.lineup import LineUp
from workqueue.engines.run import run_task
from workqueue.program.process import Process
from workqueue.progress import Progress, failed

#: What a program gets between SIGTERM and SIGKILL: the 10 s of `docker stop`, halved to fit within them.
TERMINATE_SECONDS: Final = 5.0

#: How many programs run at once, unless the caller says: a build is rarely idle, and small servers have two cores.
DEFAULT_MAX_RUNNING: Final = 2

_CLOSED_PENDING: Final = "The work queue was closed before this job began."
_CLOSED_RUNNING: Final = "The work queue was closed while this job ran."

logger = logging.getLogger("workqueue")


class LocalEngine:
    """Runs tasks on this host. Callable from any thread.

    Args:
        executor: whose threads run the programs; it stays the caller's to shut down. None: an own one.
        max_running: how many threads an own executor has.
    """

    def __init__(self, executor: Executor | None = None, max_running: int = DEFAULT_MAX_RUNNING) -> None:
        self._owns_executor = executor is None
        self.executor = ThreadPoolExecutor(max_running, "workqueue") if executor is None else executor
        self._line = LineUp()
        self._moved: Callable[[], None] = lambda: None
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._runs: set[_Run] = set()
        self._is_closed = False

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """See `Engine.call_when_moved`. One listener at a time."""
        self._moved = moved

    def submit(self, task: Task, report: Report) -> "_Run":
        """See `Engine.submit`."""
        run = _Run(task, report, self._line, self._moved)
        with self._changed:
            self._runs.add(run)
        try:
            run.future = self.executor.submit(run)
        except RuntimeError as err:  # what executors raise once they are shut down or broken
            self._settle(run, f"The executor takes no more jobs: {err}")
            return run
        run.future.add_done_callback(lambda future: self._settle(run, self._why_it_never_ran(future)))
        if self._is_closed:  # since the check that the caller made
            run.future.cancel()
        return run

    def close(self, drain: float | None = None) -> None:
        """See `Engine.close`. Programs that are stopped get SIGTERM, then TERMINATE_SECONDS, then SIGKILL."""
        with self._changed:
            self._is_closed = True
            runs = list(self._runs)
        for run in runs:
            if run.future is not None:
                run.future.cancel()  # does nothing to one that runs
        if not self._wait_idle(drain):
            self._stop(signal.SIGTERM)
            if not self._wait_idle(TERMINATE_SECONDS):
                self._stop(signal.SIGKILL)
                self._wait_idle(None)
        if self._owns_executor:
            self.executor.shutdown()

    def _settle(self, run: "_Run", reason: str) -> None:
        """The last thing done for a run, however its future ended."""
        try:
            run.settle(reason)
        finally:
            with self._changed:
                self._runs.discard(run)
                self._changed.notify_all()

    def _why_it_never_ran(self, future: "Future[None]") -> str:
        if future.cancelled():
            return _CLOSED_PENDING if self._is_closed else "The executor cancelled this job before it began."
        return f"The executor could not run this job: {future.exception()!r}"

    def _wait_idle(self, timeout: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._runs, timeout)

    def _stop(self, signum: signal.Signals) -> None:
        with self._changed:
            runs = list(self._runs)
        for run in runs:
            run.stop(signum)


class _Run:
    """One task in this engine: called by the executor, watched through its future, asked for its place by clients."""

    def __init__(self, task: Task, report: Report, line: LineUp, moved: Callable[[], None]) -> None:
        self._task = task
        self._report = report
        self._line = line
        self._moved = moved
        self._number = line.enter()
        self._has_ended = False
        self.future: Future[None] | None = None
        self._lock = threading.Lock()  # guards both below
        self._process: Process | None = None
        self._stopped_by: signal.Signals | None = None

    def n_ahead(self) -> int:
        """See `Ticket.n_ahead`."""
        return self._line.n_ahead(self._number)

    def __call__(self) -> None:
        """Run the program; called by a thread of the executor."""
        self._line.start(self._number)
        self._moved()
        self._report(Progress())
        outcome = run_task(self._task, self._report, self._on_start)
        if outcome.returncode != 0 and self._stopped_by is not None:
            outcome = outcome._replace(error=_CLOSED_RUNNING)
        self._end(outcome)

    def settle(self, reason: str) -> None:
        """End the task if it has not ended by itself."""
        if not self._has_ended:
            self._end(failed(reason))

    def stop(self, signum: signal.Signals) -> None:
        """Signal the program, at once or as soon as it has started. The running thread reports its end."""
        with self._lock:
            self._stopped_by = signum
            process = self._process
        if process is not None:
            process.send_signal(signum)

    def _on_start(self, process: Process) -> None:
        with self._lock:
            self._process = process
            signum = self._stopped_by
        if signum is not None:
            process.send_signal(signum)

    def _end(self, outcome: Progress) -> None:
        self._has_ended = True
        self._line.leave(self._number)
        self._moved()
        self._report(outcome)
