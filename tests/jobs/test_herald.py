"""Those who watch a job that waits are told its place as the line moves, and nobody else costs anything."""

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.conftest import ensure, write_program
from tests.program.ordeal import wait_for
from workqueue import Job, Progress, WorkQueue
from workqueue.jobs import herald
from workqueue.jobs.herald import Herald
from workqueue.testing import ManualEngine

MakeQueue = Callable[..., WorkQueue]


def heralds() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "workqueue-herald"]


def jobs_of(queue: WorkQueue, n: int) -> list[Job]:
    jobs = [queue.ensure_run((str(i),)) for i in range(n)]
    assert None not in jobs
    return [job for job in jobs if job is not None]


def join_heralds() -> None:
    for thread in heralds():
        thread.join(10)
    assert heralds() == []


def test_a_watcher_is_told_its_place_at_once_and_as_the_line_moves(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = jobs_of(queue, 3)
    seen: list[Progress] = []
    jobs[2].progress.subscribe(seen.append)
    assert seen == [Progress(n_ahead_in_queue=2)]
    engine.fail(jobs[0])
    wait_for(jobs[2], lambda progress: progress.n_ahead_in_queue == 1)
    engine.start(jobs[1])
    engine.succeed(jobs[1])
    wait_for(jobs[2], lambda progress: progress.n_ahead_in_queue == 0)
    engine.start(jobs[2])
    engine.succeed(jobs[2])
    assert seen[-2:] == [Progress(), Progress(fraction=1.0, returncode=0)]
    join_heralds()


def test_moves_that_come_together_are_told_together(
    queue: WorkQueue, engine: ManualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher behind a hundred jobs that end within one gap is told two places, not a hundred."""
    asleep, awake = threading.Event(), threading.Event()

    def pause(_: Herald, seconds: float) -> None:
        if seconds == herald.SETTLE_SECONDS:
            return
        assert seconds >= herald.GAP_SECONDS
        asleep.set()
        assert awake.wait(10)

    monkeypatch.setattr(Herald, "_pause", pause)
    jobs = jobs_of(queue, 101)
    seen: list[int] = []
    jobs[100].progress.subscribe(lambda progress: seen.append(progress.n_ahead_in_queue))
    engine.fail(jobs[0])
    assert asleep.wait(10)
    for job in jobs[1:100]:
        engine.fail(job)
    assert seen[-1] in (100, 99)
    awake.set()
    wait_for(jobs[100], lambda progress: progress.n_ahead_in_queue == 0)
    assert len(seen) <= 4
    engine.fail(jobs[100])
    join_heralds()


def test_after_a_round_that_took_long_the_next_is_later(
    queue: WorkQueue, engine: ManualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are told take a second of every four at most, whatever their number."""

    class Clock:
        now = 0.0
        slept: SimpleQueue[float] = SimpleQueue()

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("workqueue.jobs.herald.time", clock)
    monkeypatch.setattr(Herald, "_pause", lambda _, seconds: clock.slept.put(seconds))
    jobs = jobs_of(queue, 2)

    def take_a_second(progress: Progress) -> None:
        if progress.n_ahead_in_queue == 0:
            clock.now += 1.0

    jobs[1].progress.subscribe(take_a_second)
    engine.fail(jobs[0])
    assert [clock.slept.get(timeout=10) for _ in range(2)] == [herald.SETTLE_SECONDS, herald.REST * 1.0]
    engine.fail(jobs[1])
    join_heralds()


def test_nobody_watching_means_no_thread(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = jobs_of(queue, 5)
    engine.fail(jobs[0])
    assert jobs[4].current_progress.n_ahead_in_queue == 3
    assert heralds() == []


def test_watching_a_job_that_runs_means_no_thread(queue: WorkQueue, engine: ManualEngine) -> None:
    [job] = jobs_of(queue, 1)
    engine.start(job)
    job.progress.subscribe(lambda _: None)
    assert heralds() == []


def test_one_thread_serves_all_who_watch(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = jobs_of(queue, 20)
    for job in jobs:
        job.progress.subscribe(lambda _: None)
    assert heralds() == []
    engine.fail(jobs[0])
    assert len(heralds()) == 1
    queue.close()
    join_heralds()


def test_a_job_that_is_watched_from_the_start_and_begins_at_once_needs_no_thread(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", note)
    queue = make_queue(write_program(tmp_path / "program", 'echo built >"$output"'))
    for i in range(5):
        job = ensure(queue, str(i))
        job.progress.subscribe(lambda _: None)
        assert job.wait(10).returncode == 0
    assert "workqueue-herald" not in started


def test_without_a_thread_to_spare_the_next_move_tries_again(
    queue: WorkQueue, engine: ManualEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    jobs = jobs_of(queue, 3)
    jobs[2].progress.subscribe(lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        engine.fail(jobs[0])
    assert "there is no thread for it" in caplog.text
    assert heralds() == []
    engine.fail(jobs[1])
    wait_for(jobs[2], lambda progress: progress.n_ahead_in_queue == 0)
    engine.fail(jobs[2])
    join_heralds()


def test_the_thread_goes_once_those_who_watched_have_gone(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = jobs_of(queue, 4)
    watching = jobs[3].progress.subscribe(lambda _: None)
    engine.fail(jobs[0])
    assert len(heralds()) == 1
    watching.dispose()
    engine.fail(jobs[1])
    join_heralds()
    jobs[3].progress.subscribe(lambda _: None)
    engine.fail(jobs[2])
    assert len(heralds()) == 1


@pytest.mark.parametrize("how", ["start", "fail", "succeed", "close"])
def test_the_thread_goes_with_the_last_job_that_waited(queue: WorkQueue, engine: ManualEngine, how: str) -> None:
    """However it ends, and even if the thread looks between the line's move and the job's end."""
    for i in range(20):
        job = queue.ensure_run((how, str(i)))
        if job is None:
            continue
        job.progress.subscribe(lambda _: None)
        if how == "close":
            queue.close()
            break
        getattr(engine, how)(job)
        if how == "start":
            engine.fail(job)
    join_heralds()


def test_a_herald_that_looks_before_the_end_is_reported_looks_again_after_it(
    queue: WorkQueue, engine: ManualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window: an engine says that the line moved, the herald finds the job still waiting, then the job ends."""
    [job] = jobs_of(queue, 1)
    looked = threading.Event()

    def pause(_: Herald, seconds: float) -> None:
        if seconds != herald.SETTLE_SECONDS:
            looked.set()

    monkeypatch.setattr(Herald, "_pause", pause)
    job.progress.subscribe(lambda _: None)
    engine._moved()
    assert looked.wait(10)
    engine._moved = lambda: None  # the move was told already
    engine.fail(job)
    join_heralds()
