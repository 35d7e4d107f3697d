"""0 work_queue: a request's way through the stages; it owns no logic of its own."""

import contextlib
import os
from collections.abc import Collection, Generator
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType

from workqueue.engines.base import Engine, Task
from workqueue.engines.herald import Herald
from workqueue.engines.local import DEFAULT_MAX_RUNNING, LocalEngine
from workqueue.errors import IllegalMove, QueueClosed
from workqueue.job import Job
from workqueue.params import Params, check_params, key_for_params, server_identity
from workqueue.progress import Progress, failed, succeeded
from workqueue.registry import Registry
from workqueue.storage.disk import DiskStorage
from workqueue.streams import to_generator


class WorkQueue:
    """Runs a program once for each set of parameters, and lets everybody who asks watch.

    Make one when the server starts and keep it; every method is callable from any thread. As a context manager it is
    closed at the end: running programs finish first, or, if the block raised, are stopped.

    Args:
        program_path: the program, ``PROGRAM ARGUMENT... OUTPUT_FILENAME``. A relative path is resolved against the
            current directory now. Whether it can start is found out by the first job.
        executor: whose threads run the programs; its size is how many run at once, and it stays yours to shut down.
            None: an own one, of `max_running` threads.
        storage_dir: where results are kept; made when the first job needs it.
        max_running: how many programs run at once, when there is no `executor` or `engine`; 2 by default.
        allowed_servers: the only Overview servers to accept in an OverviewViewParams; None: any.
        engine: where jobs run, in place of an executor on this host.
        max_pending: how many jobs may wait while as many run as can; None: any number. An executor that does not say
            how many threads it has counts as having none: then it is how many jobs there may be, waiting or running.

    Raises:
        TypeError: for options that contradict each other, or without a `storage_dir`.
        ValueError: for a `max_running` below 1, a `max_pending` below 0, or one of `allowed_servers` that is no
            http(s) URL.
    """

    def __init__(
        self,
        program_path: str | os.PathLike[str],
        executor: Executor | None = None,
        storage_dir: str | os.PathLike[str] | None = None,
        *,
        max_running: int | None = None,
        allowed_servers: Collection[str] | None = None,
        engine: Engine | None = None,
        max_pending: int | None = None,
    ) -> None:
        if storage_dir is None:
            raise TypeError("WorkQueue needs a storage_dir, the directory where results are kept")
        if sum(option is not None for option in (executor, max_running, engine)) > 1:
            raise TypeError(
                "give WorkQueue one of executor, max_running and engine: each says how many jobs run at once"
            )
        if max_running is not None and max_running < 1:
            raise ValueError(f"max_running must be 1 or more; got {max_running!r}")
        if max_pending is not None and not max_pending >= 0:
            raise ValueError(f"max_pending must be 0 or more; got {max_pending!r}")
        self.program_path = Path(program_path).absolute()
        self.storage_dir = Path(storage_dir).absolute()
        if isinstance(allowed_servers, str):
            raise TypeError("allowed_servers must be a collection of URLs, not one URL")
        for server in allowed_servers or ():
            server_identity(server)
        self._allowed_servers = None if allowed_servers is None else tuple(allowed_servers)
        self._storage = DiskStorage(self.storage_dir)
        self._storage.sweep()
        self._engine: Engine = engine or LocalEngine(executor, max_running or DEFAULT_MAX_RUNNING)
        self._herald = Herald()
        self._engine.call_when_moved(self._herald.moved)
        n_running = self._engine.max_running or 0
        self._registry: Registry[Job] = Registry(None if max_pending is None else n_running + max_pending)
        self._is_closed = False

    @property
    def executor(self) -> Executor | None:
        """Whose threads run the programs; None when an `engine` was given that has none."""
        return getattr(self._engine, "executor", None)

    def ensure_run(self, params: Params) -> Job | None:
        """Make sure that the result for these parameters is there, being built, or in the queue.

        It returns at once. Equal parameters share one job, whoever asks and however many ask at the same moment. A job
        that failed leaves nothing behind: the next call starts afresh.

        Args:
            params: an OverviewViewParams, or any tuple of strings; its fields become the program's arguments.

        Returns:
            The job to watch, new or somebody's; None when the result is there.

        Raises:
            InvalidParams: these can never run.
            QueueFull: as many jobs wait as may, and none of them is for these parameters.
            QueueClosed: the queue was closed, and neither has the result nor runs a job for it.
        """
        self.check_params(params)
        key = key_for_params(params)
        if self._storage.has(key):
            return None
        if self._is_closed and self._registry.get(key) is None:
            raise QueueClosed("the work queue was closed; it takes no new jobs")
        job, is_mine = self._registry.reserve(key, lambda: Job(params, key, self._herald.watch, self._forget))
        return self._launch(job) if is_mine else job

    def check_params(self, params: Params) -> None:
        """Refuse what `ensure_run` would refuse, and do nothing else.

        Raises:
            InvalidParams: these can never run.
        """
        check_params(params, self._allowed_servers)

    def _launch(self, job: Job) -> Job | None:
        """Run a job that was just reserved, unless its result came in between the look and the reservation."""
        try:
            # Without this second look, a caller who looked before a run ended and reserved after it was forgotten
            # would run it again: 44 times in 3,000 bursts of 8 callers, measured.
            if self._storage.has(job.key):
                job.report(succeeded())
                return None
            task = Task(job.key, self.program_path, tuple(job.params), self._storage)
            ticket = self._engine.submit(task, job.report)
        except BaseException:
            # An interrupt, or an engine's bug. Others may have got this job meanwhile, and wait; unless it has ended.
            with contextlib.suppress(IllegalMove):
                job.report(failed("The job could not be queued."))
            raise
        job.attach(ticket.n_ahead)
        return job

    def _forget(self, job: Job) -> None:
        self._registry.forget(job.key, job)
        # The engine said that the line moved before it reported the end. A herald that looked in between found the job
        # still waiting, and would wait with it for a move that may never come.
        self._herald.moved()

    def report_job_progress_until_completed(self, job: Job) -> Generator[Progress, None, None]:
        """The job's progress as a blocking generator: ``to_generator(job.progress)``."""
        return to_generator(job.progress)

    def destination_path_for_params(self, params: Params) -> Path:
        """Where the finished file for these parameters lies, or will lie; read-only, never written to again.

        Raises:
            InvalidParams: these can never run.
        """
        self.check_params(params)
        return self._storage.path(key_for_params(params))

    def close(self, drain: float | None = None) -> None:
        """Take no new jobs, end those that wait with an error, and return when those that run have ended.

        Idempotent. Results that are there are still found.

        Args:
            drain: seconds that running programs are given before they get SIGTERM, and 5 seconds later SIGKILL; None:
                as long as they take.
        """
        self._is_closed = True
        self._engine.close(drain)

    def __enter__(self) -> "WorkQueue":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(None if kind is None else 0.0)
