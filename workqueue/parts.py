"""0 parts: a queue's options -> the parts that hold its threads, locks and jobs, put together.

Apart from `work_queue` since a forked child makes them anew, and since an import of the package goes without the
modules that are imported here: `WorkQueue` imports this one when the first queue is made.
"""

import os
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from workqueue.engines.base import Engine, Failures
from workqueue.engines.host.engine import HostEngine
from workqueue.engines.host.journal import Journals
from workqueue.engines.local.engine import CLOSED_PENDING, CLOSED_RUNNING, DEFAULT_MAX_RUNNING
from workqueue.jobs.abandonment import Abandonment
from workqueue.jobs.bookkeeper import Bookkeeper
from workqueue.jobs.estimator import Estimator
from workqueue.jobs.failures import FailureFiles, check_ttl
from workqueue.jobs.herald import Herald
from workqueue.jobs.hooks import HookCaller, Hooks
from workqueue.jobs.job import Job
from workqueue.jobs.recent_runs import RecentRuns
from workqueue.jobs.refreshing import Refreshing
from workqueue.jobs.registry import Registry
from workqueue.jobs.statistics import Tally
from workqueue.program import command as commands
from workqueue.program.command import Command
from workqueue.program.environment import make_environment
from workqueue.program.exit_status import warn_if_sigchld_is_ignored
from workqueue.progress import CANCELLED
from workqueue.storage.base import Storage
from workqueue.storage.disk import DiskStorage
from workqueue.system import forks
from workqueue.system.locks import check_excludes
from workqueue.system.lost_threads import leave_to_parent
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner

#: How runs end that a queue cut short: that says nothing of what they take.
_CUT: Final = (CLOSED_PENDING, CLOSED_RUNNING)


class Parts(NamedTuple):
    """What a queue is made of."""

    engine: Engine
    registry: Registry[Job]
    failures: Failures
    refreshing: Refreshing
    tally: Tally
    estimator: Estimator
    hooks: HookCaller
    books: Bookkeeper


def make_parts(
    storage_dir: Path,
    *,
    executor: Executor | None,
    engine: Engine | None,
    max_running: int | None,
    max_running_per_tenant: int | None,
    max_running_on_host: int | None,
    exit_drain: float,
    max_pending: int | None,
    failure_ttl: float,
    abandon_after: float | None,
    refresh_after: float | None,
    hooks: Sequence[Hooks],
) -> Parts:
    """Put them together; for the options see `workqueue.WorkQueue`."""
    used: Engine = engine or HostEngine(
        _journals_of(storage_dir),
        executor,
        max_running or DEFAULT_MAX_RUNNING,
        max_running_per_tenant,
        max_running_on_host,
        exit_drain=exit_drain,
    )
    herald = Herald()
    used.call_when_moved(herald.moved)
    # Asked each time: workers of a cluster come and go.
    registry: Registry[Job] = Registry(lambda: None if max_pending is None else (used.max_running or 0) + max_pending)
    failures = _failures_of(used, failure_ttl, storage_dir)
    tally = Tally()
    recent = RecentRuns(lambda: _known_run_seconds(used))
    # Others overtake a tenant that runs as many as it may: how long it waits then, no place says.
    estimator = Estimator(lambda: used.max_running if max_running_per_tenant is None else None, recent.seconds)
    caller = HookCaller(tuple(hooks))
    books = Bookkeeper(
        registry=registry,
        herald=herald,
        failures=failures,
        tally=tally,
        recent=recent,
        estimator=estimator,
        abandonment=Abandonment(abandon_after, registry.live),
        hooks=caller,
    )
    return Parts(used, registry, failures, Refreshing(refresh_after), tally, estimator, caller, books)


def bound_of_host(executor: Executor | None, max_running: int | None, max_running_on_host: int | None) -> int | None:
    """How many programs run at once in all processes; None: as many as each of them runs, which has its own line."""
    if max_running_on_host is not None or executor is not None:
        return max_running_on_host
    return max_running or DEFAULT_MAX_RUNNING


def _known_run_seconds(engine: Engine) -> list[float]:
    """What the last runs took that other processes made, the latest last, as far as they have said so."""
    try:
        ends = engine.ends.read() if isinstance(engine, HostEngine) else []
    except OSError:
        return []
    whole = [end for end in reversed(ends) if end.progress.returncode != CANCELLED and end.progress.error not in _CUT]
    return [max(0.0, end.ended_at - end.began_at) for end in whole if end.began_at is not None]


def _failures_of(engine: Engine, ttl: float, storage_dir: Path) -> Failures:
    """Where this engine's runs are remembered: by itself, or in files for all that share the storage."""
    check_ttl(ttl)
    make: Callable[[float], Failures] | None = getattr(engine, "failures", None)
    return FailureFiles(ttl, storage_dir / ".failed") if make is None else make(ttl)


def check_program(command: Command, env: Mapping[str, str], inherit_env: bool | Collection[str]) -> None:
    """Look whether what a queue runs on this host is there, and can be heard of, before the first job needs it.

    Raises:
        ProgramError: there is no such program, or it cannot be executed.
    """
    commands.check_program(command, make_environment(env, inherit_env))
    warn_if_sigchld_is_ignored()


def make_storage(storage_dir: str | os.PathLike[str] | None, storage: Storage | None, *, is_shared: bool) -> Storage:
    """Where results are kept, without what dead processes left there.

    Args:
        storage_dir: a directory of this host; or
        storage: one of these is None.
        is_shared: whether processes that have this storage act as one, for which its file system needs locks.

    Raises:
        StorageError: it has none, or another user has the storage.
        TypeError: both are given, or none.
    """
    if storage is None and storage_dir is not None:
        storage = DiskStorage(storage_dir)
    elif storage is None or storage_dir is not None:
        raise TypeError("WorkQueue needs a storage_dir, the directory where results are kept, or a storage; not both")
    check_owner(storage.directory, OWN_DIRECTORIES)
    if is_shared:
        check_excludes(storage.directory)
        Journals(_journals_of(storage.directory)).sweep()
    storage.sweep()
    return storage


def _journals_of(storage_dir: Path) -> Path:
    """Where the processes that share this storage meet."""
    return storage_dir / ".jobs"


def in_child(executor: Executor | None) -> Executor | None:
    """The caller's executor, in a forked child; None: a pool, whose threads stayed behind without its knowing."""
    return None if type(executor) is ThreadPoolExecutor else executor


def leave_pool_to_parent(engine: Engine) -> None:
    """Do not wait, at the end of a forked child, for the threads that ran this engine's programs in its parent."""
    executor = getattr(engine, "executor", None)
    if isinstance(executor, ThreadPoolExecutor):
        leave_to_parent(executor)


class Renewed(Protocol):
    """What has parts."""

    def _renew_in_child(self) -> None:
        """Make them anew."""
        ...


def renew_in_children(queue: Renewed) -> None:
    """Have it told in each child that is forked off this process, for as long as it is in use."""
    _queues.add(queue)


#: Those of this process that are in use.
_queues: Final["weakref.WeakSet[Renewed]"] = weakref.WeakSet()


def _renew_all_in_child() -> None:
    for queue in list(_queues):
        queue._renew_in_child()  # noqa: SLF001


# After those of the modules above, which free the locks that new parts take: they are called in this order.
forks.renew_in_child(_renew_all_in_child)
