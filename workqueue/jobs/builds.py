"""2 builds: parameters -> one stream, whatever becomes of them; or the wait for their result."""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator

from reactivex.subject import ReplaySubject

from workqueue.errors import BuildFailed, InvalidParams, QueueClosed, QueueFull
from workqueue.jobs.job import Job
from workqueue.params import Params
from workqueue.progress import Progress, failed, succeeded
from workqueue.streams.generator import to_generator
from workqueue.streams.on_loop import in_thread
from workqueue.streams.subject import Writer


class Builds(ABC):
    """The part of a `WorkQueue` for callers that need not know what there was to do. Callable from any thread."""

    @abstractmethod
    def ensure_run(self, params: Params, *, refresh: bool = False) -> Job | None:
        """See `WorkQueue`."""

    def watch(self, params: Params) -> ReplaySubject[Progress]:
        """Make sure that the result is there or being built, and return the stream that tells of it.

        ::

            for progress in to_generator(queue.watch(("a", "b"))):
                print(progress)

        It is the job's progress; or, if the result is there, one event that says so; or, if these parameters are
        refused, one event with the reason as its `error`. So every stream ends with an event that has a returncode. It
        looks into the storage, as `ensure_run` does, so a coroutine calls it with `asyncio.to_thread`.

        Args:
            params: see `ensure_run`.

        Raises:
            StorageError: nobody can tell whether the result is there; the text says why.
        """
        try:
            job = self.ensure_run(params)
        except (InvalidParams, QueueFull, QueueClosed) as error:
            return _only(failed(str(error)))
        return _only(succeeded()) if job is None else job.progress

    def build(self, params: Params, timeout: float | None = None) -> Progress:
        """Block until the result is there, and return the last event.

        Args:
            params: see `ensure_run`.
            timeout: seconds to wait at most; None: as long as it takes. The look into the storage counts, though it is
                not cut short.

        Raises:
            BuildFailed: the build has ended without a result; its `progress` is the last event.
            TimeoutError: it has not ended by then. It goes on.
            InvalidParams, QueueFull, QueueClosed: see `ensure_run`.
        """
        end = None if timeout is None else time.monotonic() + timeout
        job = self.ensure_run(params)
        return succeeded() if job is None else _checked(_wait(job, timeout, end))

    async def build_async(self, params: Params) -> Progress:
        """Wait on the asyncio event loop until the result is there, and return the last event.

        For a time-out, use ``asyncio.timeout``. A task that is cancelled stops waiting; the build goes on.

        Args:
            params: see `ensure_run`.

        Raises:
            BuildFailed: the build has ended without a result; its `progress` is the last event.
            InvalidParams, QueueFull, QueueClosed: see `ensure_run`.
        """
        job = await in_thread(self.ensure_run, params)
        return _checked(succeeded() if job is None else await job)

    def report_job_progress_until_completed(self, job: Job) -> Generator[Progress, None, None]:
        """The job's progress as a blocking generator: ``to_generator(job.progress)``."""
        return to_generator(job.progress)


def _only(progress: Progress) -> ReplaySubject[Progress]:
    """A stream of one event, which has ended."""
    writer: Writer[Progress] = Writer(history=1)
    writer.on_next(progress)
    writer.on_completed()
    return writer.subject


def _wait(job: Job, timeout: float | None, end: float | None) -> Progress:
    if end is None:
        return job.wait()
    try:
        return job.wait(max(0.0, end - time.monotonic()))
    except TimeoutError:  # it tells what was left
        raise TimeoutError(f"the job {job.key} has not ended after {timeout} seconds") from None


def _checked(last: Progress) -> Progress:
    if last.returncode != 0:
        raise BuildFailed(last)
    return last
