"""4 local: tasks -> threads of an executor on this host, one for each program that runs and none for each client.

The executor may be the caller's, who may shut it down at any moment or share it with other work. Whatever becomes of
its futures, each task ends with exactly one outcome, given by whoever claims the task first: the thread that runs it;
or who refuses it, with the reason why it never runs: `submit`, `close`, or the future's callback.
"""

import logging
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final, NoReturn

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
        self._refused: deque[tuple[_Run, str]] = deque()
        self._is_telling = False

    @property
    def max_running(self) -> int | None:
        """How many tasks can run at once; None when the executor does not say."""
        # Private, and the only place where it stands; ThreadPoolExecutor and gevent's have it.
        n_threads = getattr(self.executor, "_max_workers", None)
        return n_threads if isinstance(n_threads, int) else None

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """See `Engine.call_when_moved`. One listener at a time."""
        self._moved = moved

    def submit(self, task: Task, report: Report) -> "_Run":
        """See `Engine.submit`."""
        run = _Run(task, report, self._line, self._moved)
        with self._changed:
            is_closed = self._is_closed
            self._runs.add(run)
        if is_closed:  # since the check that the caller made
            self._refuse(run, _CLOSED_PENDING)
            return run
        try:
            run.future = self.executor.submit(self._perform, run)
        except Exception as err:  # noqa: BLE001 - RuntimeError, once it is shut down or broken; an executor may have others
            # It may have kept the task all the same: ThreadPoolExecutor does, when it cannot start one more thread.
            self._refuse(run, f"The executor takes no more jobs: {err}")
            return run
        run.future.add_done_callback(lambda future: self._done(run, future))
        return run

    def close(self, drain: float | None = None) -> None:
        """See `Engine.close`. Programs that are stopped get SIGTERM, then TERMINATE_SECONDS, then SIGKILL."""
        with self._changed:
            self._is_closed = True
            runs = list(self._runs)
        for run in runs:
            self._refuse(run, _CLOSED_PENDING)  # does nothing to one that runs
        if not self._wait_idle(drain):
            self._stop(signal.SIGTERM)
            if not self._wait_idle(TERMINATE_SECONDS):
                self._stop(signal.SIGKILL)
                self._wait_idle(None)
        if self._owns_executor:
            self.executor.shutdown()

    def __reduce__(self) -> NoReturn:
        # What an executor of processes would do. Without this, pickling goes on until it meets a lock, and starts
        # threads of multiprocessing's on its way.
        raise TypeError("a job needs an executor of threads")

    def _perform(self, run: "_Run") -> None:
        """Run a task, unless it was refused; called by a thread of the executor."""
        if not run.claim():
            return
        outcome = failed("Internal error in workqueue; its log has the details")
        try:
            outcome = run.run()
        except Exception:
            logger.exception("exception in workqueue")
        finally:
            self._end(run, outcome)

    def _refuse(self, run: "_Run", reason: str) -> None:
        """End a task that nobody has begun to run."""
        if run.claim():
            if run.future is not None:
                run.future.cancel()
            self._end(run, failed(reason))

    def _end(self, run: "_Run", outcome: Progress) -> None:
        """The last thing done for a task, by who claimed it."""
        try:
            run.end(outcome)
        except Exception:
            logger.exception("exception in workqueue")
        finally:
            with self._changed:
                self._runs.discard(run)
                self._changed.notify_all()

    def _done(self, run: "_Run", future: "Future[None]") -> None:
        """A future has ended; if its task was never begun, that is its end too."""
        if not run.claim():
            return
        # ThreadPoolExecutor ends futures with its lock held, when it is shut down or breaks. Who is told of the end may
        # ask for the job again, which needs that lock: so tell it on a thread of our own, one for however many.
        with self._changed:
            self._refused.append((run, _why_it_never_ran(future)))
            if self._is_telling:
                return
            self._is_telling = True
        try:
            threading.Thread(target=self._tell_refused, name="workqueue-refusals", daemon=True).start()
        except RuntimeError:  # the system has no thread to spare, or the interpreter ends
            self._tell_refused()

    def _tell_refused(self) -> None:
        while True:
            with self._changed:
                if not self._refused:
                    self._is_telling = False
                    return
                run, reason = self._refused.popleft()
            self._end(run, failed(reason))

    def _wait_idle(self, timeout: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._runs, timeout)

    def _stop(self, signum: signal.Signals) -> None:
        with self._changed:
            runs = list(self._runs)
        for run in runs:
            run.stop(signum)


def _why_it_never_ran(future: "Future[None]") -> str:
    if future.cancelled():
        return "The executor cancelled this job before it began."
    return f"The executor could not run this job: {future.exception()!r}"


class _Run:
    """One task in this engine: claimed once, run or refused by who claimed it; asked for its place by clients."""

    def __init__(self, task: Task, report: Report, line: LineUp, moved: Callable[[], None]) -> None:
        self._task = task
        self._report = report
        self._line = line
        self._moved = moved
        self._number = line.enter()
        self.future: Future[None] | None = None
        self._lock = threading.Lock()  # guards all below
        self._is_claimed = False
        self._process: Process | None = None
        self._stopped_by: signal.Signals | None = None

    def n_ahead(self) -> int:
        """See `Ticket.n_ahead`."""
        return self._line.n_ahead(self._number)

    def claim(self) -> bool:
        """Whether the caller is the first to say what becomes of this task; then it must `end` it."""
        with self._lock:
            is_first = not self._is_claimed
            self._is_claimed = True
            return is_first

    def run(self) -> Progress:
        """Run the program; return how that ended."""
        self._line.start(self._number)
        self._moved()
        self._report(Progress())
        outcome = run_task(self._task, self._report, self._on_start)
        if outcome.returncode != 0 and self._stopped_by is not None:
            outcome = outcome._replace(error=_CLOSED_RUNNING)
        return outcome

    def end(self, outcome: Progress) -> None:
        """Leave the line and report the outcome."""
        self._line.leave(self._number)
        self._moved()
        self._report(outcome)

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
