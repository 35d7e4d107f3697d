"""A job that waits is told for how long, by its queue's own runs; wherever somebody may look for it."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from tests.servers.server import eventually as wait_until
from workqueue import Job, Progress, State, WorkQueue
from workqueue.jobs.estimate import MIN_RUNS
from workqueue.progress import WaitsAgain
from workqueue.testing import ManualEngine
from workqueue.web import ProgressStream

MakeQueue = Callable[..., WorkQueue]


class Engine(ManualEngine):
    """Says that one runs at once."""

    max_running = 1  # type: ignore[assignment]


class Clock:
    """Stands still until it is told to go on; the time of day is the same."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """As the module's own."""
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("times", "estimator"):
        monkeypatch.setattr(f"workqueue.jobs.{module}.time", clock)
    return clock


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def queue(make_queue: MakeQueue, engine: Engine) -> WorkQueue:
    return make_queue("unused", engine=engine)


def run_some(queue: WorkQueue, engine: ManualEngine, clock: Clock, n: int = MIN_RUNS, took: float = 60.0) -> None:
    """Runs that have ended, after a minute each."""
    for i in range(n):
        job = ensure(queue, f"ran {i} {clock.now}")
        engine.start(job)
        clock.now += took
        engine.succeed(job)


def test_it_is_told_wherever_a_job_is_looked_at(queue: WorkQueue, engine: Engine, clock: Clock) -> None:
    run_some(queue, engine, clock)
    runs, waits, behind = (ensure(queue, name) for name in ("runs", "waits", "behind"))
    engine.start(runs)
    told: list[Progress] = []
    waits.progress.subscribe(told.append)
    assert (told[-1], told[-1].eta) == (Progress(1), 60.0)
    clock.now += 20.0
    assert (waits.eta, behind.eta, runs.eta) == (40.0, 100.0, None)
    assert waits.current_progress == Progress(1)
    assert waits.current_progress.eta == waits.snapshot().eta == waits.snapshot().progress.eta == 40.0
    assert {job.params: job.eta for job in queue.jobs()} == {("runs",): None, ("waits",): 40.0, ("behind",): 100.0}
    engine.succeed(runs)
    engine.start(waits)
    assert waits.eta is None
    assert waits.current_progress.eta is told[-1].eta is None
    assert behind.eta == 60.0
    engine.succeed(waits)
    assert waits.snapshot().eta is None


def test_who_comes_late_is_told_the_estimate_of_now(queue: WorkQueue, engine: Engine, clock: Clock) -> None:
    """The place is the same; those who came before are told again, once for all who come."""
    run_some(queue, engine, clock)
    engine.start(ensure(queue, "runs"))
    waits = ensure(queue, "waits")
    told: list[Progress] = []
    for seconds in (0.0, 5.0, 5.0, 10.0, 0.0, 30.0, 0.0):
        clock.now += seconds
        waits.progress.subscribe(told.append if not told else lambda _: None)
    assert told == [Progress(1)] * 3
    assert [progress.eta for progress in told] == [60.0, 40.0, 10.0]


def test_of_few_runs_nothing_is_told(queue: WorkQueue, engine: Engine, clock: Clock) -> None:
    run_some(queue, engine, clock, MIN_RUNS - 1)
    runs, waits = ensure(queue, "runs"), ensure(queue, "waits")
    engine.start(runs)
    assert waits.eta is None
    assert waits.current_progress.as_dict() == Progress(1).as_dict()
    clock.now += 60.0
    engine.fail(runs)  # which says as much of what runs take
    engine.start(waits)
    assert ensure(queue, "another").eta == 60.0


def test_what_somebody_stopped_says_nothing(queue: WorkQueue, engine: Engine, clock: Clock) -> None:
    run_some(queue, engine, clock)
    stopped, refused = ensure(queue, "stopped"), ensure(queue, "refused")
    engine.start(stopped)
    clock.now += 10_000.0
    stopped.cancel()
    assert stopped.state is State.CANCELLING
    engine.stop(stopped)
    refused.cancel()  # before it began
    engine.start(ensure(queue, "runs"))
    assert ensure(queue, "waits").eta == 60.0


def test_the_time_between_two_tries_is_none_of_running(queue: WorkQueue, engine: Engine, clock: Clock) -> None:
    run_some(queue, engine, clock)
    tried, waits = ensure(queue, "tried"), ensure(queue, "waits")
    engine.start(tried)
    clock.now += 5.0
    tried.report(WaitsAgain(1, "Waits to be run again: a server is away"))
    assert tried.eta is tried.current_progress.eta is None  # it does not wait for a place
    clock.now += 10_000.0
    assert waits.eta == 30.0  # of those that run nothing is known
    tried.report(Progress())
    clock.now += 60.0
    engine.succeed(tried)
    engine.start(waits)
    assert ensure(queue, "another").eta == 60.0


class Gated:
    """Real programs. The one that is asked for "runs" stands at a gate until the end."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        os.mkfifo(directory / "gate")
        text = f'[ "$1" != runs ] || read go < "{directory}/gate"\necho built > "$2"'
        self.program = write_program(directory / "program", text)
        self.storage = directory / "storage"
        self.gate = os.open(directory / "gate", os.O_RDWR)

    def __enter__(self) -> "Gated":
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.gate)

    def end(self, *jobs: Job) -> None:
        """All of them build."""
        os.write(self.gate, b"go\n")
        assert [job.wait(60).returncode for job in jobs] == [0] * len(jobs)


def build_some(queue: WorkQueue) -> None:
    for i in range(MIN_RUNS):
        assert queue.build((str(i),)).returncode == 0


def test_real_programs(tmp_path: Path, make_queue: MakeQueue) -> None:
    with Gated(tmp_path / "programs") as gated:
        queue = make_queue(gated.program, storage_dir=gated.storage, max_running=1)
        build_some(queue)
        runs, waits = ensure(queue, "runs"), ensure(queue, "waits")
        told: list[Progress] = []
        waits.progress.subscribe(told.append)
        assert told[-1].n_ahead_in_queue == 1
        assert all(eta is not None and eta >= 0 for eta in (told[-1].eta, waits.eta))
        gated.end(runs, waits)
        assert told[-1].eta is None


def test_behind_another_processs_run(tmp_path: Path, make_queue: MakeQueue) -> None:
    """The line is one, and so is the record of the runs that ended."""
    with Gated(tmp_path / "programs") as gated:
        here, there = (make_queue(gated.program, storage_dir=gated.storage, max_running=1) for _ in range(2))
        build_some(here)
        runs = ensure(there, "runs")
        waits, waits_there = ensure(here, "waits"), ensure(there, "waits too")
        assert waits.current_progress.n_ahead_in_queue == 1
        assert waits.eta is not None
        assert waits_there.current_progress.n_ahead_in_queue == 2
        assert waits_there.eta is not None
        gated.end(runs, waits, waits_there)


def test_one_that_joins_a_run_late_knows_how_long_it_has_run(tmp_path: Path, make_queue: MakeQueue) -> None:
    with Gated(tmp_path / "programs") as gated:
        here, there = (make_queue(gated.program, storage_dir=gated.storage, max_running=1) for _ in range(2))
        runs = ensure(here, "runs")
        assert wait_until(lambda: runs.state is State.RUNNING and (runs.latest_run_seconds or 0) > 0.2)
        joins = ensure(there, "runs")
        assert wait_until(lambda: joins.state is State.RUNNING)
        assert (joins.latest_run_seconds or 0.0) > 0.2
        gated.end(runs, joins)


def test_where_others_overtake_nothing_is_told(tmp_path: Path, make_queue: MakeQueue) -> None:
    with Gated(tmp_path / "programs") as gated:
        queue = make_queue(gated.program, storage_dir=gated.storage, max_running=2, max_running_per_tenant=1)
        build_some(queue)
        runs, waits = ensure(queue, "runs"), ensure(queue, "waits")
        assert waits.current_progress.n_ahead_in_queue == 1
        assert waits.eta is None
        gated.end(runs, waits)


# On the wire


def etas(pieces: Sequence[bytes]) -> list[float | None]:
    events = [json.loads(piece[piece.index(b"{") : piece.index(b"}") + 1]) for piece in pieces]
    return [event.get("eta") for event in events]


@pytest.fixture
def waiting(queue: WorkQueue, engine: Engine, clock: Clock) -> Job:
    """One that waits for one that has just begun."""
    run_some(queue, engine, clock)
    engine.start(ensure(queue, "runs"))
    return ensure(queue, "waits")


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/event-stream"])
def test_heartbeats_count_down(waiting: Job, queue: WorkQueue, engine: Engine, clock: Clock, accept: str) -> None:
    pieces = ProgressStream(waiting, accept, heartbeat=0.01).to_generator()
    told = [next(pieces)]
    for _ in range(3):
        clock.now += 10.0
        told.append(next(pieces))
    assert etas(told) == [60.0, 50.0, 40.0, 30.0]
    runs = queue.live_job(("runs",))
    assert runs is not None
    engine.succeed(runs)
    engine.start(waiting)
    engine.succeed(waiting)
    rest = list(pieces)
    assert rest
    assert etas(rest[-1:]) == [None]


def test_heartbeats_of_the_async_stream_do_too(waiting: Job, clock: Clock) -> None:
    async def scenario() -> None:
        pieces = ProgressStream(waiting, "application/x-ndjson", heartbeat=0.01).to_async_iter()
        told = [await anext(pieces)]
        for _ in range(3):
            clock.now += 10.0
            told.append(await anext(pieces))
        # A heartbeat may be encoded before it is asked for.
        assert etas(told)[0] == 60.0
        assert etas(told) == sorted(etas(told), reverse=True)
        while etas(told)[-1] != 30.0:
            told.append(await anext(pieces))

    asyncio.run(scenario())


def test_what_operators_make_of_an_event_has_it_too(waiting: Job) -> None:
    from reactivex import operators as ops

    stream = ProgressStream(
        waiting,
        "application/x-ndjson",
        events=lambda progress: progress.pipe(ops.map(lambda event: Progress(event.n_ahead_in_queue, message="soon"))),
    )
    pieces = stream.to_generator()
    assert json.loads(next(pieces)) == {**Progress(1, message="soon").as_dict(), "eta": 60.0}
    pieces.close()
