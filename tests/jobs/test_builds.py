"""Those that need not know what there was to do: they watch one stream, or wait for the result."""

import asyncio
import pickle
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reactivex.subject import ReplaySubject

from tests.conftest import ensure, write_program
from tests.servers.server import eventually
from workqueue import BuildFailed, InvalidParams, Job, Progress, QueueClosed, WorkQueue, WorkQueueError
from workqueue.progress import CANCELLED, NO_EXIT_STATUS, succeeded
from workqueue.storage import DiskStorage
from workqueue.streams import to_async_iter, to_generator
from workqueue.testing import ManualEngine, ScriptedProgram

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture(params=["build", "build_async"])
def build(request: pytest.FixtureRequest) -> Callable[[WorkQueue, tuple[str, ...]], Progress]:
    """Both ways to wait."""
    if request.param == "build":
        return lambda queue, params: queue.build(params)
    return lambda queue, params: asyncio.run(queue.build_async(params))


# One stream


def test_a_job_is_watched(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    stream = queue.watch(("a",))
    assert stream is job.progress
    engine.start(job)
    engine.succeed(job)
    assert list(to_generator(stream))[-1] == succeeded()


def test_a_result_that_is_there_is_one_event_that_says_so(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    engine.succeed(job)
    stream = queue.watch(("a",))
    assert isinstance(stream, ReplaySubject)
    assert list(to_generator(stream)) == [succeeded()]
    assert list(to_generator(stream)) == [succeeded()]

    async def read() -> list[Progress]:
        return [progress async for progress in to_async_iter(stream)]

    assert asyncio.run(read()) == [succeeded()]


def test_parameters_that_can_never_run_are_one_event_with_the_reason(queue: WorkQueue) -> None:
    [last] = to_generator(queue.watch(("a", "\0")))
    with pytest.raises(InvalidParams) as refused:
        queue.ensure_run(("a", "\0"))
    assert last == Progress(fraction=1.0, returncode=NO_EXIT_STATUS, error=str(refused.value))


def test_a_queue_that_is_full_or_closed_is_one_event_with_the_reason(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", "sleep 100"), max_running=1, max_pending=0)
    ensure(queue, "a")
    [full] = to_generator(queue.watch(("b",)))
    assert "as many jobs" in (full.error or "").lower() or "full" in (full.error or "")
    queue.close(drain=0.0)
    [closed] = to_generator(queue.watch(("b",)))
    assert closed.error == "the work queue was closed; it takes no new jobs"


# The wait


def test_a_build_returns_the_last_event_and_the_next_one_finds_the_result(
    make_queue: MakeQueue, tmp_path: Path, build: Callable[[WorkQueue, tuple[str, ...]], Progress]
) -> None:
    queue = make_queue(write_program(tmp_path / "program", f'echo run >> {tmp_path / "runs"}; echo built > "$output"'))
    assert build(queue, ("a",)) == succeeded()
    assert build(queue, ("a",)) == succeeded()
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_build_that_fails_raises_with_the_last_event(
    make_queue: MakeQueue, tmp_path: Path, build: Callable[[WorkQueue, tuple[str, ...]], Progress]
) -> None:
    queue = make_queue(write_program(tmp_path / "program", "echo why >&2; exit 3"))
    with pytest.raises(BuildFailed, match="Exited with code 3\nstderr:\nwhy") as failed:
        build(queue, ("a",))
    assert isinstance(failed.value, WorkQueueError)
    last = failed.value.progress
    assert (last.returncode, last.fraction) == (3, 1.0)
    copy = pickle.loads(pickle.dumps(failed.value))
    assert (type(copy), copy.progress, str(copy)) == (BuildFailed, last, last.error)


def test_a_build_that_was_cancelled_has_failed(queue: WorkQueue) -> None:
    async def scenario() -> Progress:
        building = asyncio.ensure_future(queue.build_async(("a",)))
        await asyncio.to_thread(lambda: eventually(lambda: queue.live_job(("a",))).cancel())
        return await building

    with pytest.raises(BuildFailed, match="The job was cancelled") as failed:
        asyncio.run(scenario())
    assert failed.value.progress.returncode == CANCELLED


def test_a_build_that_is_refused_raises_what_ensure_run_raises(
    queue: WorkQueue, build: Callable[[WorkQueue, tuple[str, ...]], Progress]
) -> None:
    with pytest.raises(InvalidParams):
        build(queue, ("\0",))
    queue.close()
    with pytest.raises(QueueClosed):
        build(queue, ("a",))


def test_who_waits_no_longer_leaves_the_build_alone(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    with program:
        queue = make_queue(program.path)
        with pytest.raises(TimeoutError, match="has not ended after"):
            queue.build(("a",), timeout=0.01)

        async def wait() -> None:
            async with asyncio.timeout(0.01):
                await queue.build_async(("a",))

        with pytest.raises(TimeoutError):
            asyncio.run(wait())
        job = queue.live_job(("a",))
        assert job is not None
        program.release("gate")
        assert queue.build(("a",), timeout=20) == succeeded()
        assert len(program.runs) == 1


def test_a_time_out_counts_the_look_into_the_storage(
    make_queue: MakeQueue, engine: ManualEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    waited: list[float | None] = []

    class SlowStorage(DiskStorage):
        """A look takes half a second of the test's clock."""

        def has(self, key: str) -> bool:
            nonlocal now
            now += 0.5
            return super().has(key)

    def wait(job: Job, timeout: float | None = None) -> Progress:
        waited.append(timeout)
        return wait_for_real(job, 0.0)

    wait_for_real = Job.wait
    monkeypatch.setattr(Job, "wait", wait)
    monkeypatch.setattr("workqueue.jobs.builds.time", SimpleNamespace(monotonic=lambda: now))
    queue = make_queue("unused", engine=engine, storage_dir=None, storage=SlowStorage(tmp_path / "results"))
    for timeout, left in ((10.0, 9.0), (0.25, 0.0)):
        with pytest.raises(TimeoutError, match=f"has not ended after {timeout} seconds"):
            queue.build((str(timeout),), timeout)
        assert waited.pop() == left


# await


@pytest.mark.parametrize("wait", [lambda job: job, lambda job: job.progress], ids=["job", "progress"])
def test_a_job_is_awaited(queue: WorkQueue, engine: ManualEngine, wait: Callable[[Any], Any]) -> None:
    job = ensure(queue, "a")

    async def scenario() -> None:
        waiting = asyncio.ensure_future(last_of(wait(job)))
        await asyncio.to_thread(eventually, lambda: job.n_watchers)
        await asyncio.to_thread(engine.fail, job, 7)
        assert (await waiting).returncode == 7
        assert (await wait(job)).returncode == 7

    asyncio.run(scenario(), debug=True)
    assert job.n_watchers == 0


async def last_of(awaitable: Any) -> Progress:
    progress = await awaitable
    assert isinstance(progress, Progress)
    return progress


def test_a_watcher_that_is_told_on_a_loop_counts(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")

    async def scenario() -> None:
        told: list[Progress] = []
        with job.progress.subscribe(told.append):
            assert job.n_watchers == 1
            await asyncio.to_thread(engine.start, job)
            await asyncio.to_thread(engine.progress, job, 0.5)
            await asyncio.to_thread(eventually, lambda: told[-1].fraction == 0.5)
        assert job.n_watchers == 0

    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    run(scenario())


def test_a_reader_cannot_end_a_job_for_others(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    with pytest.raises(TypeError, match=r"to stop the job, call job\.cancel\(\)"), job.progress:
        pass
    engine.start(job)
    engine.succeed(job)
    assert list(to_generator(job.progress))[-1] == succeeded()
