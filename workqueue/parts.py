"""0 parts: a queue's options -> the parts that hold its threads, locks and jobs, put together.

Apart from `work_queue` since a forked child makes them anew.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from workqueue.abandonment import Abandonment
from workqueue.bookkeeper import Bookkeeper
from workqueue.engines.base import Engine
from workqueue.engines.herald import Herald
from workqueue.engines.single_flight import SingleFlightEngine
from workqueue.failures import Failures
from workqueue.hooks import HookCaller, Hooks
from workqueue.job import Job
from workqueue.registry import Registry
from workqueue.statistics import Tally


class Parts(NamedTuple):
    """What a queue is made of."""

    engine: Engine
    registry: Registry[Job]
    failures: Failures
    tally: Tally
    hooks: HookCaller
    books: Bookkeeper


def make_parts(
    storage_dir: Path,
    *,
    executor: Executor | None,
    engine: Engine | None,
    max_running: int,
    max_running_per_tenant: int | None,
    max_running_on_host: int | None,
    max_pending: int | None,
    failure_ttl: float,
    abandon_after: float | None,
    hooks: Sequence[Hooks],
) -> Parts:
    """Put them together; for the options see `workqueue.WorkQueue`."""
    used: Engine = engine or SingleFlightEngine(
        journals_of(storage_dir), executor, max_running, max_running_per_tenant, max_running_on_host
    )
    herald = Herald()
    used.call_when_moved(herald.moved)
    registry: Registry[Job] = Registry(None if max_pending is None else (used.max_running or 0) + max_pending)
    failures = Failures(failure_ttl, storage_dir / ".failed")
    tally = Tally()
    caller = HookCaller(tuple(hooks))
    books = Bookkeeper(
        registry=registry,
        herald=herald,
        failures=failures,
        tally=tally,
        abandonment=Abandonment(abandon_after, registry.live),
        hooks=caller,
    )
    return Parts(used, registry, failures, tally, caller, books)


def journals_of(storage_dir: Path) -> Path:
    """Where the processes that share this storage meet."""
    return storage_dir / ".jobs"


def in_child(executor: Executor | None) -> Executor | None:
    """The caller's executor, in a forked child; None: a pool, whose threads stayed behind without its knowing."""
    return None if type(executor) is ThreadPoolExecutor else executor
