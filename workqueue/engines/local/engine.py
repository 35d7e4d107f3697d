"""4 local engine: tasks -> threads of an executor of this process, one for each program that runs.

The line-up decides which task is next; the executor only lends threads. For each task it is given a token, and a thread
that comes to a token runs the first task that may start, whichever it is. When none may (its tenant runs as many as it
may, or its key still runs) the token is spent, and the thread that ends what was in the way goes on with it: there are
then more tasks waiting than tokens.

The executor may be the caller's, who may shut it down at any moment or share it with other work. Whatever becomes of
its futures, each task ends with exactly one outcome, given by whoever claims the task first: the thread that runs it;
or who refuses it, with the reason why it never runs: `submit`, `cancel`, `close`, or a token's callback.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Final, NoReturn

from workqueue.engines.base import RunReport, Task
from workqueue.engines.local.at_exit import end_at_exit
from workqueue.engines.local.later import Later
from workqueue.engines.local.lineup import CannotBegin, LineUp, Order, Place
from workqueue.engines.local.pool import Pool
from workqueue.engines.local.refusals import Refusals, why_it_never_ran
from workqueue.engines.local.run import Around, LocalRun
from workqueue.errors import QueueFull, StorageError
from workqueue.program.process import TERMINATE_SECONDS
from workqueue.program.retry import why_it_waits
from workqueue.program.warden import Warden
from workqueue.progress import Progress, WaitsAgain, cancelled, failed
from workqueue.redaction import without_directories
from workqueue.storage.afterwards import putting_off

#: How many programs run at once, unless the caller says: a build is rarely idle, and small servers have two cores.
DEFAULT_MAX_RUNNING: Final = 2

#: How late a Ctrl-C may be heard by whoever waits for programs to end.
_HEAR_SECONDS: Final = 0.5

CLOSED_PENDING: Final = "The work queue was closed before this job began."
CLOSED_RUNNING: Final = "The work queue was closed while this job ran."

logger = logging.getLogger("workqueue")


class LocalEngine:
    """Runs tasks on this host. Callable from any thread. What was never closed is closed when the interpreter ends.

    Args:
        executor: whose threads run the programs; it stays the caller's to shut down. None: an own one.
        max_running: how many threads an own executor has.
        max_running_per_tenant: how many tasks of one tenant run at once; None: any number.
        exit_drain: see `WorkQueue`; None: it is not closed at the interpreter's end, but by whoever made it.
        line: shared with others; None: an own one.
    """

    def __init__(
        self,
        executor: Executor | None = None,
        max_running: int = DEFAULT_MAX_RUNNING,
        max_running_per_tenant: int | None = None,
        *,
        exit_drain: float | None = 0.0,
        line: Order | None = None,
    ) -> None:
        self.exit_drain = 0.0 if exit_drain is None else exit_drain
        self._is_ended_at_exit = exit_drain is not None
        self._owns_executor = executor is None
        self.executor = Pool(max_running, "workqueue") if executor is None else executor
        self._line: Order = LineUp(max_running_per_tenant) if line is None else line
        self._warden = Warden()
        self._moved: Callable[[], None] = lambda: None
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._runs: dict[Place, LocalRun] = {}
        self._tokens: set[_Token] = set()
        self._n_busy = 0  # threads that have come to a token and not ended with it, though their task may have
        self._is_closed = False
        self._later = Later()
        self._refusals = Refusals(self._is_short, self._all_runs, self._refuse)
        self._line.call_when_moved(self._others_moved, self._wake, self._has_thread)

    @property
    def max_running(self) -> int | None:
        """How many tasks can run at once; None when the executor does not say."""
        return threads_of(self.executor)

    @property
    def unguarded(self) -> str | None:
        """Why programs go on when this process is killed; None: they are killed too, as far as is known."""
        return self._warden.unguarded

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """See `Engine.call_when_moved`. One listener at a time."""
        self._moved = moved

    @property
    def n_tasks(self) -> int:
        """How many tasks run or wait."""
        return len(self._runs)

    def submit(
        self, task: Task, report: RunReport, around: Around | None = None, max_pending: int | None = None
    ) -> "Ticket":
        """See `Engine.submit`; and `LocalRun` for `around`, `Order` for `max_pending`."""
        if self._is_ended_at_exit:
            end_at_exit(self)  # here, since the process may be a child of the one that made the engine
        token = _Token()
        with self._changed:
            is_closed = self._is_closed
            run = LocalRun(task, report, self._line.enter(task.key, task.tenant), self._warden, around)
            self._runs[run.place] = run
            if not is_closed:
                self._tokens.add(token)
        if is_closed:  # since the check that the caller made
            self._refuse(run, failed(CLOSED_PENDING))
        elif self._announce(token, run, max_pending):
            self._lend(token, run)
            self._tell_moved_by(run)
        return Ticket(self, run)

    def n_ahead(self, run: LocalRun) -> int:
        """See `Ticket.n_ahead`."""
        # One that rests comes after all that there are by then; it is told how many there are now.
        return self._line.n_tasks if run.is_resting else self._line.n_ahead(run.place)

    def cancel(self, run: LocalRun) -> None:
        """See `Ticket.cancel`."""
        if not self._refuse(run, cancelled()):
            run.stop(TERMINATE_SECONDS, cancelled())
            self._refuse(run, cancelled())  # it may have begun to rest in between

    def withdraw(self, run: LocalRun) -> bool:
        """Take back a task that nobody has begun to run; return whether it was so. Nothing is reported of it."""
        is_first = run.claim(threading.get_ident())
        if is_first:
            self._end(run, None)
        return is_first

    def close(self, drain: float | None = None, *, finish_pending: bool = False) -> None:
        """See `Engine.close`. Programs that are stopped get SIGTERM, then TERMINATE_SECONDS, then SIGKILL.

        Called by an observer, on the thread that tells it, it does not wait for the task of that thread.
        """
        with self._changed:
            self._is_closed = True
        if not finish_pending:
            self._refuse_all()
        if not self.wait_idle(drain):
            self._refuse_all()
            for run in self._all_runs():
                run.stop(TERMINATE_SECONDS, failed(CLOSED_RUNNING))
            self._refuse_all()  # those that have begun to rest in between
            self.wait_idle(None)
        self._later.close()
        if not self.n_tasks:
            self._warden.close()
        if self._owns_executor:
            self.executor.shutdown(wait=not self._is_mine())
        self._refusals.close()

    def stop_taking(self) -> None:
        """See `Ending.stop_taking`."""
        with self._changed:
            self._is_closed = True
        self._refuse_all()

    def running(self) -> list[str]:
        """See `Ending.running`."""
        return [run.program for run in self._all_runs() if run.thread is not None]

    def wait_idle(self, timeout: float | None) -> bool:
        """Wait until no task runs or waits; return whether it is so. A task of the calling thread does not count.

        In pieces: a signal that arrives just before the main thread begins to wait for a lock does not interrupt that,
        and its handler would run when the wait is over, an hour later perhaps.
        """
        me = threading.get_ident()
        end = math.inf if timeout is None else time.monotonic() + timeout
        with self._changed:
            while any(run.thread != me for run in self._runs.values()):
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, _HEAR_SECONDS))
            return True

    def __reduce__(self) -> NoReturn:
        # What an executor of processes would do. Without this, pickling goes on until it meets a lock, and starts
        # threads of multiprocessing's on its way.
        raise TypeError("a job needs an executor of threads")

    def _announce(self, token: "_Token", run: LocalRun, max_pending: int | None) -> bool:
        """Have it join the line; return whether it did, else it has been refused."""
        try:
            self._line.announce(run.place, max_pending)
        except StorageError as err:
            with self._changed:
                self._tokens.discard(token)
            self._refuse(run, failed(without_directories(str(err))))
            return False
        except QueueFull:
            with self._changed:
                self._tokens.discard(token)
            self.withdraw(run)
            raise
        return True

    def _others_moved(self) -> None:
        self._moved()

    def _wake(self, n_ready: int) -> None:
        """So many tasks may begin, since others have moved the line: lend a token for each, if none is under way."""
        with self._changed:
            n_short = min(n_ready, self._line.n_waiting) - len(self._tokens)
            tokens = [_Token() for _ in range(n_short)]
            self._tokens.update(tokens)
        for token in tokens:
            self._lend(token, None)

    def _has_thread(self) -> bool:
        """Whether a thread is idle for a task whose token is about to be lent; not where nobody can tell.

        One that tells of the end of a task is busy for as long as an observer takes.
        """
        with self._changed:
            n_threads = self.max_running if self._owns_executor else None
            return n_threads is not None and len(self._tokens) + self._n_busy <= n_threads

    def _lend(self, token: "_Token", run: LocalRun | None) -> None:
        """Give the executor a token for one more task: this one, which is refused if it takes none; or all."""
        try:
            future = self.executor.submit(self._work, token)
        except Exception as err:  # noqa: BLE001 - RuntimeError, once it is shut down or broken; an executor may have others
            # It may have kept the token all the same: ThreadPoolExecutor does, when it cannot start one more thread.
            with self._changed:
                self._tokens.discard(token)
            for refused in self._that_lose_by_it() if run is None else (run,):
                self._refuse(refused, failed(f"The executor takes no more jobs: {err}"))
            return
        future.add_done_callback(lambda future: self._done(token, future))

    def _that_lose_by_it(self) -> list[LocalRun]:
        """Those that are refused where an executor takes no token: all; of an own one, short of threads, the first."""
        waiting = [run for run in self._all_runs() if run.thread is None]
        return waiting[:1] if self._owns_executor else waiting

    def _work(self, token: "_Token") -> None:
        """Run the next task, and those whose tokens are spent; called by a thread of the executor."""
        with self._changed:
            self._tokens.discard(token)
            self._n_busy += 1
        try:
            self._work_on()
        finally:
            with self._changed:
                self._n_busy -= 1

    def _work_on(self) -> None:
        while (run := self._next()) is not None:
            if run.claim(threading.get_ident()):
                self._perform(run)
            # A token that comes to a task in the way of which this one stood is spent before it looks: so either it
            # finds the way free, or it is not counted here.
            if not self._is_short():
                return

    def _next(self) -> LocalRun | None:
        while True:
            try:
                place = self._line.take()
            except CannotBegin as err:
                if (run := self._run_at(err.place)) is not None:
                    self._refuse(run, failed(without_directories(str(err))))
                continue
            if place is None:
                return None
            if (run := self._run_at(place)) is not None:  # else whoever has ended it takes it out of the line
                return run

    def _run_at(self, place: Place) -> LocalRun | None:
        with self._changed:
            return self._runs.get(place)

    def _perform(self, run: LocalRun) -> None:
        with putting_off():
            self._perform_and_tell(run)

    def _perform_and_tell(self, run: LocalRun) -> None:
        self._tell_moved_by(run)
        outcome: Progress | None = failed("Internal error in workqueue; its log has the details")
        try:
            outcome = run.perform()
        except BaseException as err:
            logger.exception("exception in workqueue", extra={"key": run.key})
            if _is_interrupt(err):
                raise
        finally:
            if outcome is None or self._is_closed or not run.wants_another(outcome):
                self._end(run, outcome)
            else:
                self._rest(run, outcome)

    def _rest(self, run: LocalRun, outcome: Progress) -> None:
        """Its program asked to be run later: out of the line, and back at its end after a while."""
        self._line.leave(run.place)
        self._moved()
        _report(run, WaitsAgain(self._line.n_tasks, why_it_waits(outcome)))
        seconds = run.rest()
        self._later.call(seconds, lambda: self._resume(run))
        # Who stopped it or closed the engine a moment ago found it claimed; from now on they claim it themselves.
        if (stopped := run.stopped()) is not None:
            self._refuse(run, stopped)
        elif self._is_closed:
            self._refuse(run, failed(CLOSED_PENDING))

    def _resume(self, run: LocalRun) -> None:
        token = _Token()
        with self._changed:
            before, place = run.place, self._line.enter(run.key, run.tenant)
            if not run.resume(place):
                self._line.leave(place)
                return
            self._runs[place] = self._runs.pop(before)
            self._tokens.add(token)
        if self._announce(token, run, None):
            self._lend(token, run)
            self._tell_moved_by(run)

    def _tell_moved_by(self, run: LocalRun) -> None:
        # A task that comes last, or begins when it is first, changes nobody's place.
        if self._line.moved_others(run.place):
            self._moved()

    def _refuse(self, run: LocalRun, outcome: Progress) -> bool:
        """End a task that nobody has begun to run; return whether it was so."""
        is_first = run.claim(threading.get_ident())
        if is_first:
            self._end(run, outcome)
        return is_first

    def _refuse_all(self) -> None:
        for run in self._all_runs():
            self._refuse(run, failed(CLOSED_PENDING))  # does nothing to one that runs

    def _end(self, run: LocalRun, outcome: Progress | None) -> None:
        """The last thing done for a task, by who claimed it."""
        self._line.leave(run.place)
        self._moved()
        try:
            if outcome is not None:
                _report(run, outcome)
        finally:
            with self._changed:
                del self._runs[run.place]
                is_last = self._is_closed and not self._runs
                self._changed.notify_all()
            if is_last:  # of those that an observer did not wait for when it closed the engine
                self._warden.close()

    def _done(self, token: "_Token", future: "Future[None]") -> None:
        """A future has ended; if its token was never come to, one task has lost its thread."""
        with self._changed:
            if token not in self._tokens:
                return
            self._tokens.discard(token)
            if not self._runs:
                return
        self._refusals.add(why_it_never_ran(future))

    def _is_short(self) -> bool:
        """Whether more tasks wait than there are tokens."""
        with self._changed:
            return self._line.n_waiting > len(self._tokens)

    def _all_runs(self) -> list[LocalRun]:
        with self._changed:
            return list(self._runs.values())

    def _is_mine(self) -> bool:
        return any(run.thread == threading.get_ident() for run in self._all_runs())


def threads_of(executor: Executor) -> int | None:
    """How many threads an executor has; None when it does not say."""
    # Private, and the only place where it stands; ThreadPoolExecutor and gevent's have it.
    n_threads = getattr(executor, "_max_workers", None)
    return n_threads if isinstance(n_threads, int) else None


def _report(run: LocalRun, report: Progress | WaitsAgain) -> None:
    try:
        run.report(report)
    except BaseException as err:
        logger.exception("exception in workqueue", extra={"key": run.key})
        if _is_interrupt(err):
            raise


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is to go on: the main thread's, in which an executor may work.

    Any other thread serves many tasks: a SystemExit in it is nobody's wish to end it.
    """
    return not isinstance(error, Exception) and threading.current_thread() is threading.main_thread()


class _Token:
    """One thread's worth of work that the executor has and nobody has come to."""


class Ticket:
    """The receipt for a task of this engine."""

    def __init__(self, engine: LocalEngine, run: LocalRun) -> None:
        self._engine = engine
        self._run = run

    def n_ahead(self) -> int:
        """See `workqueue.engines.base.Ticket`."""
        return self._engine.n_ahead(self._run)

    def cancel(self, *, for_all: bool = True) -> None:  # noqa: ARG002 - there is nobody else here
        """See `workqueue.engines.base.Ticket`."""
        self._engine.cancel(self._run)

    def withdraw(self) -> bool:
        """Take the task back, if nobody has begun to run it; return whether it was so."""
        return self._engine.withdraw(self._run)
