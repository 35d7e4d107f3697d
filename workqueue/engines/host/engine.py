"""4 host engine: one run per key among all processes of this host that share a storage.

Each process has its own threads, and a part in the one line of all. When a task's turn has come, the lock of its key
settles which process runs it; see `shared_task` for a task's ways, and the package's docstring for the files.
"""

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from workqueue.engines.base import Picture, Report, RunReport, Task
from workqueue.engines.host import follower as following
from workqueue.engines.host import notices
from workqueue.engines.host.ends import Ends
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.line.shared import SharedLine
from workqueue.engines.host.picture import Pictures
from workqueue.engines.host.shared_task import SharedTask, Stage
from workqueue.engines.local.at_exit import end_at_exit
from workqueue.engines.local.engine import CLOSED_RUNNING, DEFAULT_MAX_RUNNING, LocalEngine, threads_of
from workqueue.engines.local.engine import Ticket as LocalTicket
from workqueue.engines.local.run import Around
from workqueue.errors import QueueFull, StorageError, reason_of
from workqueue.progress import failed
from workqueue.redaction import without_directories

logger = logging.getLogger("workqueue")


class HostEngine:
    """Runs tasks on this host, each key by one process at a time. Callable from any thread.

    Args:
        directory: where the processes meet; made when the first task comes.
        executor, max_running: see `LocalEngine`; they are about this process.
        max_running_per_tenant: how many tasks of one tenant run at once.
        max_running_on_host: how many tasks run at once in all processes, which then have one line; None: each has its
            own.
        exit_drain: see `WorkQueue`.
    """

    def __init__(
        self,
        directory: Path,
        executor: Executor | None = None,
        max_running: int = DEFAULT_MAX_RUNNING,
        max_running_per_tenant: int | None = None,
        max_running_on_host: int | None = None,
        *,
        exit_drain: float = 0.0,
    ) -> None:
        self.exit_drain = exit_drain
        self.journals = Journals(directory)
        self.ends = Ends(directory)
        self._pictures = Pictures(directory)
        self._max_running_on_host = max_running_on_host
        self._line: SharedLine | None = None
        if max_running_on_host is not None:
            threads = max_running if executor is None else threads_of(executor)
            self._line = SharedLine(
                directory / ".line",
                max_running_on_host,
                max_running_per_tenant,
                threads,
                self.journals.is_locked,
            )
        self.follower = following.follower
        self._local = LocalEngine(executor, max_running, max_running_per_tenant, exit_drain=None, line=self._line)
        self.notices = notices.Notices(directory)
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._tasks: defaultdict[str, list[SharedTask]] = defaultdict(list)
        self._is_open = False
        self._is_closed = False
        self._refuses_waiting = False

    @property
    def executor(self) -> Executor:
        """Whose threads run the programs."""
        return self._local.executor

    @property
    def max_running(self) -> int | None:
        """See `Engine.max_running`: of all processes, if they have one line."""
        return self._local.max_running if self._max_running_on_host is None else self._max_running_on_host

    @property
    def n_threads(self) -> int | None:
        """How many tasks can run at once in this process; None when there is no telling."""
        return self._local.max_running

    @property
    def unguarded(self) -> str | None:
        """See `LocalEngine.unguarded`."""
        return self._local.unguarded

    def is_led(self, key: str) -> bool:
        """Whether some process of this host makes this key's run at this moment."""
        return self.journals.is_led(key)

    def picture(self) -> Picture:
        """What all processes run, and how the last runs ended, by their files; it joins and disturbs nobody.

        Raises:
            StorageError: they cannot be read.
        """
        picture = self._pictures.take()
        return picture if picture.max_running is not None else picture._replace(max_running=self.max_running)

    @property
    def n_tasks(self) -> int:
        """How many tasks come before one that would come now."""
        return self._local.n_tasks if self._line is None else self._line.n_tasks

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more tasks."""
        return self._is_closed

    @property
    def refuses_waiting(self) -> bool:
        """Whether it was closed, and what waits has ended or is about to."""
        return self._refuses_waiting

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """See `Engine.call_when_moved`."""
        self._local.call_when_moved(moved)

    def submit(self, task: Task, report: Report) -> "Ticket":
        """See `Engine.submit`."""
        # The whole of it: what this process leaves undone is then begun anew by those that follow it.
        end_at_exit(self)
        shared = SharedTask(task, report, self)
        ticket = Ticket(self, shared)
        try:
            self._open()
        except (StorageError, OSError, RuntimeError) as err:
            logger.warning("cannot meet other processes: %s", err, extra={"key": task.key})
            report(failed(without_directories(_why(err))))
            return ticket
        with self._changed:
            self._tasks[task.key].append(shared)
        try:
            shared.begin()
        except QueueFull:
            self.ended(shared)
            raise
        return ticket

    def cancel(self, shared: SharedTask, *, for_all: bool) -> None:
        """See `Ticket.cancel`."""
        name = shared.task.key + (notices.ALL if shared.waits else "")
        if for_all:
            # Marked first: who asks for the key from now on, in whichever process, is not told of this run's end.
            self.journals.mark_cancelled(shared.task.key)
        shared.cancel(is_only_here=not for_all)
        if for_all:
            try:
                self.notices.post(name)
            except OSError as err:
                logger.warning("cannot tell other processes of a cancel: %s", err, extra={"key": shared.task.key})

    def close(self, drain: float | None = None, *, finish_pending: bool = False) -> None:
        """See `Engine.close`. What another process runs is awaited like what this one does, and left to go on.

        Called by an observer, it does not wait for the task that tells it.
        """
        began = time.monotonic()
        with self._changed:
            self._is_closed = True
            self._refuses_waiting = not finish_pending
        self.follower.look_again()
        self._local.close(drain, finish_pending=finish_pending)
        is_waiting = not self.follower.is_following_thread()
        left = None if drain is None else drain - (time.monotonic() - began)
        if not (is_waiting and self._wait_until_none_follows(left)):
            for shared in self._following():
                shared.leave(failed(CLOSED_RUNNING))
            if is_waiting:
                self._wait_until_none_follows(None)
        self._close_files()

    def stop_taking(self) -> None:
        """See `Ending.stop_taking`."""
        with self._changed:
            self._is_closed = True
        self._local.stop_taking()

    def running(self) -> list[str]:
        """See `Ending.running`; those of this process."""
        return self._local.running()

    def wait_idle(self, timeout: float | None) -> bool:
        """Wait until no task of this process's line runs or waits; return whether it is so."""
        return self._local.wait_idle(timeout)

    def line_up(self, task: Task, report: RunReport, around: Around, *, is_new: bool) -> LocalTicket:
        """See `Shared.line_up`."""
        return self._local.submit(task, report, around, task.max_pending if is_new else None)

    def ended(self, task: SharedTask) -> None:
        """See `Shared.ended`."""
        with self._changed:
            self._tasks[task.task.key].remove(task)
            if not self._tasks[task.task.key]:
                del self._tasks[task.task.key]
            self._changed.notify_all()

    def has_another(self, task: SharedTask) -> bool:
        """See `Shared.has_another`."""
        with self._changed:
            return any(other is not task for other in self._tasks.get(task.task.key, ()))

    def _open(self) -> None:
        """Meet the other processes. Idempotent."""
        with self._changed:
            if self._is_open or self._is_closed:
                return
            # With the lock held: nobody waits for it who could be waited for here.
            self.journals.prepare()
            with contextlib.ExitStack() as undo:  # the next request opens them again
                self.notices.open()
                undo.callback(self.notices.close)
                self.follower.open(self.journals.directory)
                undo.callback(self.follower.close, self.journals.directory)
                if self._line is not None:
                    self._line.open()
                    undo.callback(self._line.close)
                self.follower.follow(self.journals.directory, notices.NAME, self._read_notices)
                undo.pop_all()
            self._is_open = True

    def _close_files(self) -> None:
        with self._changed:
            if not self._is_open:
                return
            self._is_open = False
        if self._line is not None:
            self._line.close()
        # Closed once they are not being read: their number may be another file's the moment after.
        self.follower.unfollow(self.journals.directory, notices.NAME, self._read_notices, then=self.notices.close)
        self.follower.close(self.journals.directory)

    def _read_notices(self) -> None:
        try:
            names = set(self.notices.read())
        except OSError as err:
            logger.warning("cannot read what other processes cancel: %s", err)
            return
        with self._changed:
            found = [(task, name) for name in names for task in self._tasks.get(name.removesuffix(notices.ALL), ())]
        for task, name in found:
            try:
                task.cancel_from_elsewhere(is_for_all=name.endswith(notices.ALL))
            except BaseException:  # the next task's cancel was read too, and is not read again
                logger.exception("exception in workqueue", extra={"key": task.task.key})

    def _following(self) -> list[SharedTask]:
        with self._changed:
            return self._all_following()

    def _wait_until_none_follows(self, seconds: float | None) -> bool:
        if seconds is not None:
            seconds = min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        with self._changed:
            return self._changed.wait_for(lambda: not self._all_following(), seconds)

    def _all_following(self) -> list[SharedTask]:
        return [task for tasks in self._tasks.values() for task in tasks if task.stage is Stage.FOLLOWING]


class Ticket:
    """The receipt for a task of this engine."""

    def __init__(self, engine: HostEngine, shared: SharedTask) -> None:
        self._engine = engine
        self._shared = shared

    def n_ahead(self) -> int:
        """See `workqueue.engines.base.Ticket`."""
        return self._shared.n_ahead()

    @property
    def ran_before(self) -> float:
        """For how many seconds its run had run, by another process, when this one was told of it first."""
        return self._shared.ran_before

    def cancel(self, *, for_all: bool = True) -> None:
        """See `workqueue.engines.base.Ticket`."""
        self._engine.cancel(self._shared, for_all=for_all)


def _why(err: Exception) -> str:
    """What to tell of it, with the file's name where that is known."""
    if isinstance(err, OSError) and err.filename is not None:
        return f"Cannot open {err.filename}: {reason_of(err)}"
    return str(err)
