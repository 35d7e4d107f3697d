"""A job's stream as bytes: when it begins, when it ends, and what is left of it."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import ensure
from workqueue import Job, WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web import ProgressStream

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


@pytest.fixture
def job(queue: WorkQueue, engine: ManualEngine) -> Job:
    """One that runs."""
    job = ensure(queue, "a", "b")
    engine.start(job)
    return job


def fraction(piece: bytes) -> float:
    return float(json.loads(piece[piece.index(b"{") : piece.index(b"}") + 1])["fraction"])


async def read(pieces: AsyncIterator[bytes]) -> list[bytes]:
    return [piece async for piece in pieces]


def test_the_first_piece_comes_at_once_and_each_event_is_one_piece(job: Job, engine: ManualEngine) -> None:
    pieces = ProgressStream(job, NDJSON).to_generator()
    assert fraction(next(pieces)) == 0.0
    for i in (0.25, 0.5):
        engine.progress(job, i)
        assert fraction(next(pieces)) == i
    engine.succeed(job)
    assert [fraction(piece) for piece in pieces] == [1.0]


def test_the_async_stream_says_the_same(job: Job, engine: ManualEngine) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(job, NDJSON).to_async_iter()
        assert fraction(await anext(pieces)) == 0.0
        for i in (0.25, 0.5):
            engine.progress(job, i)
            assert fraction(await anext(pieces)) == i
        engine.succeed(job)
        assert [fraction(piece) for piece in await read(pieces)] == [1.0]

    asyncio.run(scenario())


def test_the_sync_stream_is_not_async_nor_the_other_way_round(job: Job) -> None:
    """Frameworks that find both take the wrong one."""
    for which in (job, None):
        stream = ProgressStream(which)
        assert not hasattr(stream.to_generator(), "__aiter__")
        assert not hasattr(stream.to_async_iter(), "__iter__")
        assert not hasattr(stream, "__iter__")
        assert not hasattr(stream, "__aiter__")


def test_a_job_that_is_done_already_is_one_piece(job: Job) -> None:
    assert list(ProgressStream(None).to_generator()) == [b"[]\n"]
    assert asyncio.run(read(ProgressStream(None).to_async_iter())) == [b"[]\n"]


def test_a_heartbeat_says_the_latest_again(job: Job, engine: ManualEngine) -> None:
    engine.progress(job, 0.5)
    pieces = ProgressStream(job, NDJSON, heartbeat=0.01, max_duration=None).to_generator()
    assert [fraction(next(pieces)) for _ in range(3)] == [0.5, 0.5, 0.5]
    pieces.close()


# The end before the end


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock that streams look at."""
    now = [100.0]
    monkeypatch.setattr("workqueue.web.stream.time.monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


@pytest.mark.parametrize("accept", [NDJSON, SSE])
def test_a_stream_ends_with_the_first_event_after_max_duration(
    job: Job, engine: ManualEngine, clock: Callable[[float], None], accept: str
) -> None:
    pieces = ProgressStream(job, accept, max_duration=5.0).to_generator()
    next(pieces)
    clock(4.9)
    engine.progress(job, 0.25)
    assert fraction(next(pieces)) == 0.25
    clock(0.2)
    engine.progress(job, 0.5)
    assert list(pieces) == []
    assert job.n_watchers == 0


def test_the_async_stream_ends_so_too(job: Job, engine: ManualEngine, clock: Callable[[float], None]) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(job, NDJSON, max_duration=5.0).to_async_iter()
        await anext(pieces)
        clock(4.9)
        engine.progress(job, 0.25)
        assert fraction(await anext(pieces)) == 0.25
        clock(0.2)
        assert await read(pieces) == []
        assert job.n_watchers == 0

    asyncio.run(scenario())


def test_an_array_goes_on(job: Job, engine: ManualEngine, clock: Callable[[float], None]) -> None:
    """Its end would say that the job has ended."""
    pieces = ProgressStream(job, max_duration=5.0).to_generator()
    next(pieces)
    clock(1000.0)
    engine.succeed(job)
    assert fraction(next(pieces)) == 1.0


def test_a_silent_stream_ends_too_whatever_the_heartbeat(job: Job) -> None:
    """Otherwise a server that waits for its streams would wait for the program."""
    assert len(list(ProgressStream(job, NDJSON, heartbeat=None, max_duration=0.01).to_generator())) >= 1
    pieces = ProgressStream(job, NDJSON, heartbeat=1000.0, max_duration=0.01).to_async_iter()
    assert len(asyncio.run(read(pieces))) >= 1


def test_a_job_that_has_ended_meanwhile_is_told_to_its_end(
    job: Job, engine: ManualEngine, clock: Callable[[float], None]
) -> None:
    """Whoever came again instead would have a failed job run again, and never hear why."""
    pieces = ProgressStream(job, NDJSON, max_duration=5.0).to_generator()
    next(pieces)
    clock(1000.0)
    engine.fail(job, 1, "why")
    assert json.loads(next(pieces))["error"].endswith("why")


def test_the_async_stream_tells_it_too(job: Job, engine: ManualEngine, clock: Callable[[float], None]) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(job, NDJSON, max_duration=5.0).to_async_iter()
        await anext(pieces)
        clock(1000.0)
        engine.fail(job, 1, "why")
        assert json.loads(await anext(pieces))["error"].endswith("why")

    asyncio.run(scenario())


# What is left


def test_a_stream_that_is_closed_or_never_begun_leaves_nothing(job: Job) -> None:
    pieces = ProgressStream(job).to_generator()
    next(pieces)
    assert job.n_watchers == 1
    pieces.close()
    assert job.n_watchers == 0
    ProgressStream(job).to_generator().close()


def test_an_async_stream_that_is_cancelled_leaves_nothing(job: Job) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(job, heartbeat=None).to_async_iter()
        await anext(pieces)
        task = asyncio.ensure_future(read(pieces))
        await asyncio.sleep(0)
        assert job.n_watchers == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert job.n_watchers == 0

    asyncio.run(scenario())


def test_an_async_stream_can_be_closed(job: Job) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(job).to_async_iter()
        await anext(pieces)
        await pieces.aclose()
        assert job.n_watchers == 0
        assert await read(pieces) == []

    asyncio.run(scenario())


def test_an_async_stream_that_is_dropped_leaves_nothing(job: Job) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(job).to_async_iter()
        await anext(pieces)
        del pieces
        gc.collect()
        await asyncio.sleep(0)
        assert job.n_watchers == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_duration_must_be_one(seconds: float) -> None:
    with pytest.raises(ValueError, match="max_duration must be a number of seconds above 0, or None"):
        ProgressStream(None, max_duration=seconds)


def test_closing_the_queue_ends_every_stream(queue: WorkQueue, engine: ManualEngine) -> None:
    waiting = ensure(queue, "waits")
    pieces = ProgressStream(waiting).to_generator()
    next(pieces)
    queue.close()
    assert json.loads(list(pieces)[-1].lstrip(b",").removesuffix(b"]\n"))["returncode"] == -999


def test_a_client_that_asks_for_a_short_stream_gets_one(job: Job, engine: ManualEngine) -> None:
    """At most as long as the application says, and to the end of what is no stream by itself."""
    assert ProgressStream(job, f"{SSE};wait=5")._max_duration == 5
    assert ProgressStream(job, f"{SSE};wait=5")._heartbeat == 5
    assert ProgressStream(job, f"{SSE};wait=5", max_duration=None, heartbeat=None)._heartbeat == 5
    assert ProgressStream(job, f"{SSE};wait=90")._max_duration == 45
    assert ProgressStream(job, "application/json;wait=5")._max_duration is None
    pieces = ProgressStream(job, f"{NDJSON};wait=1", heartbeat=0.01).to_generator()
    assert len(list(pieces)) > 1  # without an end of the job
    engine.succeed(job)
