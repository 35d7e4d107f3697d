"""Readers that come and go while jobs run and end: none is left, and none misses the end."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

from tests.conftest import write_program
from tests.races.conftest import run_in_threads
from workqueue import Job, Progress, WorkQueue
from workqueue.streams import to_callback, to_generator
from workqueue.testing import ManualEngine

MakeQueue = Callable[..., WorkQueue]


def read_a_little(job: Job) -> None:
    for _ in itertools.islice(to_generator(job.progress, heartbeat=None), 2):
        pass


def look_in(job: Job) -> None:
    job.progress.subscribe(lambda _: None).dispose()


def be_called_once(job: Job) -> None:
    called = threading.Event()
    subscription = to_callback(job.progress, lambda _: called.set(), heartbeat=None)
    assert called.wait(30)
    subscription.dispose()


def leave_by_an_error(job: Job) -> None:
    def fail(progress: Progress) -> None:
        raise LookupError("reader")

    job.progress.subscribe(fail)


def test_a_thousand_readers_that_come_read_a_little_and_go_leave_no_subscription(
    make_queue: MakeQueue, tmp_path: Path, caplog: object
) -> None:
    """Over real programs that print all the while; one is still waiting in the queue."""
    stop = tmp_path / "stop"
    text = f'while [ ! -e "{stop}" ]; do echo 0.25; echo 0.5; done; echo built > "$output"'
    queue = make_queue(write_program(tmp_path / "program", text))
    jobs = [job for i in range(3) if (job := queue.ensure_run((str(i),))) is not None]
    assert len(jobs) == 3
    ways = [read_a_little, look_in, be_called_once, leave_by_an_error]

    def read(thread: int) -> None:
        for i in range(50):
            job, way = jobs[(thread + i) % 3], ways[(thread + i // 3) % 4]
            if job is jobs[2] and way is read_a_little:
                way = look_in  # what waits has no second event
            way(job)

    run_in_threads(20, read)
    # A callback that was called in the moment of its dispose may end a little later.
    for thread in threading.enumerate():
        if thread.name == "workqueue-callback":
            thread.join(10)
    for job in jobs[:2]:
        assert job.state.value == "running"
    assert [job.n_watchers for job in jobs[:2]] == [0, 0]
    stop.touch()
    assert [job.wait(30).returncode for job in jobs] == [0, 0, 0]
    assert [job.n_watchers for job in jobs] == [0, 0, 0]


def test_a_job_that_ends_while_readers_come_tells_each_of_them_its_end_once(make_queue: MakeQueue) -> None:
    engine = ManualEngine()
    queue = make_queue("program", engine=engine)
    n_readers, n_jobs = 6, 150
    barrier = threading.Barrier(n_readers + 1)
    jobs = [job for i in range(n_jobs) if (job := queue.ensure_run((str(i),))) is not None]
    ends: list[list[object]] = []

    def run(i: int) -> None:
        for job in jobs:
            barrier.wait(30)
            if i == n_readers:
                engine.start(job)
                engine.fail(job, 3)
                continue
            events: list[object] = []
            ended = threading.Event()
            job.progress.subscribe(events.append, on_completed=ended.set)
            assert ended.wait(30)
            ends.append(events)

    run_in_threads(n_readers + 1, run)
    assert len(ends) == n_readers * n_jobs
    for events in ends:
        returncodes = [event.returncode for event in events if isinstance(event, Progress)]
        assert returncodes == [None] * (len(events) - 1) + [3]
    assert {job.n_watchers for job in jobs} == {0}
