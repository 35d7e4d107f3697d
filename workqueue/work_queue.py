"""0 work_queue: a request's way through the stages; it owns no logic of its own."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Literal, overload

from workqueue.errors import IllegalMove, QueueClosed, QueueFull
from workqueue.jobs.builds import Builds
from workqueue.jobs.everywhere import cancel_everywhere, ends_everywhere, runs_everywhere, shared_everywhere
from workqueue.jobs.hooks import Hooks
from workqueue.jobs.job import Job
from workqueue.jobs.statistics import JobSnapshot, Statistics
from workqueue.naming import Key, Naming, check_naming, check_suffix, name_of
from workqueue.options import check_at_least, check_left_to_engine, check_one_of, check_word
from workqueue.params import Params
from workqueue.program.environment import check_environment
from workqueue.program.limits import Limits, check_limits
from workqueue.program.retry import Retry, check_retry
from workqueue.progress import Progress, failed, succeeded
from workqueue.results import Results
from workqueue.streams.on_loop import directly
from workqueue.system import forks
from workqueue.system.signals import ClosingHandler

if TYPE_CHECKING:
    from workqueue.engines.base import Engine, SeenEnd, SeenRun, Shared
    from workqueue.parts import Parts
    from workqueue.program.command import Program
    from workqueue.storage.base import Storage

_NO_LIMITS: Final = Limits()

logger = logging.getLogger("workqueue")


class WorkQueue(Results, Builds):
    """Runs a program once for each set of parameters, and lets every client that asks watch it.

    Make one when the server starts and keep it; every method is callable from any thread. As a context manager it is
    closed at the end: running programs finish first, or, if the block raised, are stopped.

    Args:
        program_path: the program, run as ``PROGRAM ARGUMENT... OUTPUT_FILENAME``: a path, resolved against the current
            directory now; or a command, such as ``[sys.executable, "build.py"]``. A ``*.py`` file without an execute
            bit is run by this interpreter.
        executor: whose threads run the programs; its size is how many run at once, and it stays yours to shut down.
            None: an own one, of `max_running` threads.
        storage_dir: the directory where results are kept; made when the first job needs it.
        max_running: how many programs run at once, when there is no `executor` or `engine`, in all processes of this
            host that have this `storage_dir`, which have one line; 2 by default.
        allowed_servers: the only Overview servers to accept in an OverviewViewParams; None: any.
        engine: where jobs run, in place of an executor on this host.
        max_pending: how many jobs may wait, in the line of all processes, while as many run as can; None: any number.
            An executor that does not say how many threads it has counts as having none: then it is how many jobs there
            may be, waiting or running.
        tenant: returns a name for the client, from the params; called by `ensure_run`. Tenants take turns: one with a
            thousand jobs in the queue gets one turn in each round, like one with a single job. None: there is one
            tenant.
        max_running_per_tenant: how many jobs of one tenant run at once; None: as many as run at all.
        max_running_on_host: the same as `max_running`, which it was called before. With an `executor`, or a smaller
            `max_running`, that bounds this process, and this all of them. An `executor` alone bounds its own process
            only, whose line is its own then.
        time_limit: seconds that a program may run; then it is stopped, and its job has failed. None: any time.
        limits: what a program may use besides: memory, CPU time, the size of files; and how nice it is to others.
        failure_ttl: seconds for which a program's failure is the answer to further requests for the same, which
            otherwise run it again. It must have exited by itself, with a status above 0.
        env: names and values to add to the program's environment.
        inherit_env: what the program gets of this process's environment, which may hold secrets of the server. True:
            all of it. A collection: the variables of these names. False: PATH, HOME, LANG and TMPDIR. In each case the
            directory of this interpreter comes first on PATH, unless `env` says what PATH is.
        retries: how many more times a program is run that exits with status 75 (EX_TEMPFAIL), which asks for that.
        retry_delay: seconds until then. Meanwhile its job waits again, and takes no place from others.
        token_in: how a program gets the `api_token` of an OverviewViewParams. "argv": as an argument, which every user
            of this host can read in the list of processes. "env": in WORKQUEUE_API_TOKEN, with the argument left empty.
        abandon_after: seconds after which a job that nobody watches, nor asks for, is cancelled, give or take a fifth.
            None: it goes on, and its result is there for the next client.
        hooks: told what happens to jobs, on a thread of their own.
        storage: where results are kept, in place of a `storage_dir`: a `DiskStorage` that keeps its size, an
            `ObjectStorage` in a bucket.
        exit_drain: seconds that running programs are given when the interpreter ends, or a signal does what
            `handle_signals` says, and nobody has called `close`; `math.inf`: as long as they take. 0, the default,
            stops them at once, since a server that reloads or stops serves nobody while it waits, and what it leaves
            undone is built again on demand, or by another process that was waiting for the same result. The log tells
            what is stopped or waited for.
        suffix: how the name of the program's output file ends, such as ".mp4", for tools that choose by it what they
            write. The result's own name is its key alone.
        name: whose the results are, beside those of other programs in the same storage. None: the program's, by the
            file name of the program, script or module that is run.
        version: which results of that program: any string, such as a release, a schema's number or a hash of the
            program. Results of another version are not found; they are evicted as the least recently used.
        key: returns those fields of the parameters that make a result, as a tuple of strings. All fields are the
            program's arguments; what is left out, such as a token, is passed by the client that asks first, and its
            result serves all. So check for each request whether its client may have the result: see `authorize` of the
            ready applications. Called by every request; the `server` of an OverviewViewParams has one spelling there.
            None: all fields.
        refresh_after: seconds after its publication from which a result is old: it still answers `ensure_run`, and the
            first that asks for it starts a build in the background, whose result takes its place. A build that fails
            changes nothing, and is tried again a minute later at the earliest. None: results are never old; see also
            the `ttl` of storages, after which they do not answer.
        result: what a result is. "file": the program overwrites an empty file. "directory": it fills an empty
            directory, which is published as one, read-only; its symbolic links may lead to places within. Results of
            the other form are not found.

    Raises:
        ProgramError: there is no such program, or it cannot be executed; not looked for if an `engine` is given.
        StorageError: the file system of the storage's directory has no locks.
        TypeError: for options that contradict each other, or without one of `storage_dir` and `storage`.
        ValueError: for an option that is no number it could be, or one of `allowed_servers` that is no http(s) URL.
    """

    def __init__(
        self,
        program_path: "Program",
        executor: Executor | None = None,
        storage_dir: str | os.PathLike[str] | None = None,
        *,
        max_running: int | None = None,
        allowed_servers: Collection[str] | None = None,
        engine: "Engine | None" = None,
        max_pending: int | None = None,
        tenant: Callable[[Params], str] | None = None,
        max_running_per_tenant: int | None = None,
        max_running_on_host: int | None = None,
        time_limit: float | None = None,
        limits: Limits = _NO_LIMITS,
        failure_ttl: float = 0.0,
        env: Mapping[str, str] = MappingProxyType({}),
        inherit_env: bool | Collection[str] = True,
        retries: int = 0,
        retry_delay: float = 60.0,
        token_in: Literal["argv", "env"] = "argv",  # noqa: S107 - a place, not a password
        abandon_after: float | None = None,
        hooks: Iterable[Hooks] = (),
        storage: "Storage | None" = None,
        suffix: str = "",
        exit_drain: float = 0.0,
        name: str | None = None,
        version: str = "",
        key: Key | None = None,
        refresh_after: float | None = None,
        result: Literal["file", "directory"] = "file",
    ) -> None:
        check_one_of(executor=executor, max_running=max_running, engine=engine)
        if engine is not None:
            check_left_to_engine(
                max_running_per_tenant=max_running_per_tenant,
                max_running_on_host=max_running_on_host,
                exit_drain=exit_drain or None,
            )
        if time_limit is not None and limits.time is not None:
            raise TypeError("give WorkQueue one of time_limit and limits.time")
        check_at_least(
            1,
            max_running=max_running,
            max_running_per_tenant=max_running_per_tenant,
            max_running_on_host=max_running_on_host,
        )
        check_at_least(0, max_pending=max_pending, exit_drain=exit_drain)
        check_word(token_in, "token_in", ("argv", "env"))
        check_word(result, "result", ("file", "directory"))
        check_suffix(suffix)
        limits = limits if time_limit is None else limits._replace(time=time_limit)
        check_limits(limits)
        check_retry(Retry(retries, retry_delay))
        check_environment(env, inherit_env)
        self._tenant = tenant
        # Here, not above: forty modules that run, store and share, and the standard library's that they need. An import
        # of the package goes without them, and takes a fifth as long; whoever makes a queue pays for them.
        from workqueue import parts  # noqa: PLC0415
        from workqueue.jobs.tasks import TaskMaker  # noqa: PLC0415
        from workqueue.program.command import command_of, path_of  # noqa: PLC0415

        command = command_of(program_path)
        self.program_path = path_of(command)
        naming = Naming(name_of(command) if name is None else name, version, key, result)
        check_naming(naming)
        storage = parts.make_storage(storage_dir, storage, is_shared=engine is None)
        super().__init__(naming, storage, allowed_servers)
        self.storage_dir = storage.directory
        hides_token = token_in == "env"  # noqa: S105 - as above
        self._tasks = TaskMaker(
            command,
            naming,
            storage,
            limits,
            Retry(retries, retry_delay),
            tuple(env.items()),
            inherit_env if isinstance(inherit_env, bool) else tuple(inherit_env),
            hides_token=hides_token,
            suffix=suffix,
            max_pending=max_pending,
        )
        self._make_parts = functools.partial(
            parts.make_parts,
            self.storage_dir,
            engine=engine,
            max_running=max_running or max_running_on_host,
            max_running_per_tenant=max_running_per_tenant,
            max_running_on_host=parts.bound_of_host(executor, max_running, max_running_on_host),
            exit_drain=exit_drain,
            max_pending=max_pending,
            failure_ttl=failure_ttl,
            abandon_after=abandon_after,
            refresh_after=refresh_after,
            hooks=tuple(hooks),
        )
        self._executor_in_child = parts.in_child(executor)
        self._use(self._make_parts(executor=executor))
        if engine is None:
            parts.check_program(command, env, inherit_env)
        self._is_closed = False
        parts.renew_in_children(self)

    def _use(self, parts: "Parts") -> None:
        (
            self._engine,
            self._registry,
            self._failures,
            self._refreshing,
            self._tally,
            self._estimator,
            self._hooks,
            self._books,
        ) = parts

    def _renew_in_child(self) -> None:
        """Begin anew in a forked child, which has none of the threads and is to have none of the jobs.

        Whatever another thread had locked when this process was forked off stays locked for ever, so all of it is left
        as it is, and new parts are made.
        """
        from workqueue.parts import leave_pool_to_parent  # noqa: PLC0415 - see the constructor

        leave_pool_to_parent(self._engine)
        self._use(self._make_parts(executor=self._executor_in_child, max_running=self._n_threads))

    @property
    def _n_threads(self) -> int:
        """How many programs run at once in this process, as far as is known."""
        n_threads: int | None = getattr(self._engine, "n_threads", self._engine.max_running)
        return n_threads or 1

    @property
    def executor(self) -> Executor | None:
        """Whose threads run the programs; None when an `engine` was given that has none."""
        forks.check()
        return getattr(self._engine, "executor", None)

    @property
    def suffix(self) -> str:
        """How the name of the program's output file ends, as the queue was given it."""
        return self._tasks.suffix

    def ensure_run(self, params: Params, *, refresh: bool = False) -> Job | None:
        """Make sure that the result for these parameters is there, being built, or in the queue.

        It returns at once. Equal parameters share one job, whoever asks and however many ask at the same moment. A job
        that failed leaves nothing behind: the next call starts afresh.

        Args:
            params: an OverviewViewParams, or any tuple of strings; its fields become the program's arguments.
            refresh: build though there is a result, which goes on to be served until the new one takes its place; or
                though it failed a moment ago. A job that is being built is joined all the same.

        Returns:
            The job to watch, new or somebody's, or one that has ended already, as the run did that failed less than
            `failure_ttl` seconds ago; None when the result is there.

        Raises:
            InvalidParams: these can never run.
            QueueFull: as many jobs wait as may, and none of them is for these parameters.
            QueueClosed: the queue was closed, and neither has the result nor runs a job for it.
        """
        forks.check()
        self.check_params(params)
        key = self._naming.key(params)
        if refresh:
            self._failures.forget(key)
        elif self._storage.has(key):
            self._refresh_if_due(params, key)
            return None
        elif (failure := self._failures.get(key)) is not None:
            return self._failed(params, key, failure)
        return self._run(params, key, is_refresh=refresh)

    def _run(self, params: Params, key: str, *, is_refresh: bool, replaces: float | None = None) -> Job | None:
        """Join the key's job, or make it."""
        tenant = "" if self._tenant is None else self._tenant(params)
        if self._is_closed and self._registry.get(key) is None:
            raise QueueClosed("the work queue was closed; it takes no new jobs")
        while True:
            job, is_mine = self._registry.reserve(key, lambda: self._job(params, key))
            if is_mine:
                return self._launch(job, tenant, is_refresh=is_refresh, replaces=replaces)
            if job.join():
                return job
            # Somebody cancels it, at this moment, and has not come to this line himself.
            self._registry.retire(key, job)

    def _refresh_if_due(self, params: Params, key: str) -> None:
        """Build in the background what is served although it is old. Whatever goes wrong, the result is served."""
        if self._refreshing.seconds is None or self._is_closed or self._failures.get(key) is not None:
            return
        try:
            info = self._storage.info(key)
            if info is None or not self._refreshing.is_due(key, info.published_at):
                return
            job = self._run(params, key, is_refresh=True, replaces=info.published_at)
            if job is not None:
                with directly():
                    job.progress.subscribe()  # it is wanted, though nobody watches: see `abandon_after`
        except (QueueFull, QueueClosed):
            self._refreshing.forget(key)
        except Exception:
            logger.exception("cannot build an old result again", extra={"key": key})

    def _launch(self, job: Job, tenant: str, *, is_refresh: bool, replaces: float | None = None) -> Job | None:
        """Run a job that was just reserved, unless its result came in between the look and the reservation."""
        try:
            # Without this second look, a caller who looked before a run ended and reserved after it was forgotten
            # would run it again: 44 times in 3,000 bursts of 8 callers, measured.
            if not is_refresh and self._storage.has(job.key):
                job.report(succeeded())
                return None
            # For the same reason; those who joined this job meanwhile are told how the other one failed.
            if (failure := self._failures.get(job.key)) is not None:
                job.report(failure)
                return job
            job.enqueue()
            task = self._tasks.task(job, tenant=tenant, is_refresh=is_refresh, replaces=replaces)
            ticket = self._engine.submit(task, job.report)
        except QueueFull as err:
            job.report(failed(str(err)))
            raise
        except BaseException:
            # An interrupt, or an engine's bug. Others may have got this job meanwhile, and wait; unless it has ended.
            with contextlib.suppress(IllegalMove):
                job.report(failed("The job could not be queued."))
            raise
        job.attach(ticket)
        return job

    def _failed(self, params: Params, key: str, failure: Progress) -> Job:
        """A job for who asks again too soon, that has ended already."""
        job = self._job(params, key)
        job.report(failure)
        return job

    def _job(self, params: Params, key: str) -> Job:
        return Job(params, key, self._books, self._estimator.eta)

    @overload
    def jobs(self, *, everywhere: Literal[False] = False) -> list[JobSnapshot]: ...

    @overload
    def jobs(self, *, everywhere: Literal[True]) -> "list[SeenRun]": ...

    def jobs(self, *, everywhere: bool = False) -> "list[JobSnapshot] | list[SeenRun]":
        """The jobs that wait, run or are being cancelled, at this moment, in the order in which they were asked for.

        Args:
            everywhere: those of all processes of this host that have this storage, or of the cluster, as far as that is
                known here: those that run, then those that wait, in the order of the line. No process is asked. With an
                `engine` that knows of no others: those of this process. A `ClusterEngine` knows the progress and times
                of this process's jobs alone.

        Raises:
            StorageError: what other processes say cannot be read.
        """
        forks.check()
        if everywhere:
            return runs_everywhere(self._engine, self._registry.live())
        return [job.snapshot() for job in self._registry.live()]

    def live_job(self, params: Params) -> Job | None:
        """The job for these parameters that waits or runs in this process; None without one. It starts nothing.

        Raises:
            InvalidParams: these can never run.
        """
        forks.check()
        return self._registry.get(self.key_for_params(params))

    def is_being_built(self, params: Params) -> bool:
        """Whether the result for these parameters is being built: in this process, or by another that shares it.

        What waits in the line of another process is not being built yet. It starts nothing.

        Raises:
            InvalidParams: these can never run.
        """
        is_led: Callable[[str], bool] | None = getattr(self._engine, "is_led", None)
        return self.live_job(params) is not None or (is_led is not None and is_led(self._naming.key(params)))

    def ends(self) -> "list[SeenEnd]":
        """How the last runs of all processes of this host that have this storage ended, in the last hour; newest first.

        They are 200 at most, and kept when processes end. None with an `engine` that keeps none.

        Raises:
            StorageError: what other processes say cannot be read.
        """
        forks.check()
        return ends_everywhere(self._engine)

    def statistics(self, *, everywhere: bool = False) -> Statistics:
        """How many jobs are in which state, and what those that ended took; computed when asked, by a look at each.

        Args:
            everywhere: have `shared` tell of all processes of this host that have this storage, too. The other fields
                are about this process.

        Raises:
            StorageError: `everywhere`, and what other processes say cannot be read.
        """
        forks.check()
        engine = self._engine
        shared: Shared | None = getattr(engine, "shared", None)
        if everywhere:
            shared = shared_everywhere(engine, self._registry.live())
        return self._tally.statistics(self.jobs(), getattr(engine, "unguarded", None), shared)

    def cancel(self, key: str) -> bool:
        """Cancel the job of this key, in whichever process of this host it waits or runs; see `Job.cancel`.

        It returns at once. With an `engine` of your own, or a `ClusterEngine`: one that this process has asked for.

        Args:
            key: of one of `jobs`.

        Returns:
            Whether there was one that was still to end.

        Raises:
            StorageError: other processes cannot be told; the text says why.
        """
        forks.check()
        job = self._registry.get(key)
        # A job of this process tells the others by itself.
        return (job is not None and job.cancel()) or cancel_everywhere(self._engine, key)

    def delete(self, params: Params) -> bool:
        """Remove the result for these parameters, and what is remembered of a failure; return whether there was one.

        A job that is building it goes on. Who has the result open reads it to its end.

        Raises:
            InvalidParams: these can never run.
            StorageError: it cannot be removed; the text says why.
        """
        forks.check()
        key = self.key_for_params(params)
        self._failures.forget(key)
        return self._storage.delete(key)

    def close(self, drain: float | None = None, *, pending: Literal["fail", "finish"] = "fail") -> None:
        """Take no new jobs, and return when all have ended; every stream then has its end.

        Idempotent, callable from any thread; a second call with less time makes a first one hurry. Called by an
        observer it does not wait for the job that is telling it. Results that are there are still found. A queue that
        nobody closed closes when the interpreter ends, with `exit_drain` as its `drain`.

        Args:
            drain: seconds that programs are given before they get SIGTERM, and 5 seconds later SIGKILL; None: as long
                as they take.
            pending: "fail": jobs that wait end at once, with an error that says why. "finish": they are run too, as
                far as `drain` allows.

        Raises:
            ValueError: for a `drain` below 0, or another word for `pending`.
        """
        if drain is not None and not drain >= 0:
            raise ValueError(f"drain must be a number of seconds, 0 or more, or None; got {drain!r}")
        check_word(pending, "pending", ("fail", "finish"))
        forks.check()
        self._is_closed = True
        self._engine.close(drain, finish_pending=pending == "finish")
        self._books.close()

    def handle_signals(self, drain: float | None = None) -> None:
        """From now on close this queue before SIGTERM or SIGINT do what they do.

        For a program that is its own server's master; a server such as gunicorn or uvicorn has its own way to say that
        it stops, and the queue then closes when its interpreter ends. Called once, in the main thread.

        Args:
            drain: seconds that running programs are given, which the log tells; a second signal gives them none. None:
                `exit_drain`.

        Raises:
            ValueError: called in another thread; or for a `drain` below 0.
        """
        if drain is None:
            drain = getattr(self._engine, "exit_drain", 0.0)
        check_at_least(0, drain=drain)
        ClosingHandler(self._close_at_signal, drain).install()

    def _close_at_signal(self, drain: float) -> None:
        if not self._is_closed:  # else it is told already
            from workqueue.engines.local.at_exit import announce  # noqa: PLC0415 - see the constructor

            self._is_closed = True
            announce(self._engine, drain)
        self.close(drain)

    def __enter__(self) -> "WorkQueue":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(None if kind is None else 0.0)
