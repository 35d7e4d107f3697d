"""Jobs that go where a test sends them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ensure
from workqueue import Progress, QueueClosed, State, WorkQueue
from workqueue.engines import Task
from workqueue.errors import OutputError
from workqueue.storage import DiskStorage
from workqueue.testing import ManualEngine, collect

MakeQueue = Callable[..., WorkQueue]


def test_a_job_that_is_built(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a", "b")
    [task] = engine.tasks
    assert (task.key, task.arguments, task.command) == (job.key, ("a", "b"), (str(queue.program_path),))
    engine.start(job)
    assert job.state is State.RUNNING
    engine.progress(job, 0.5, "half")
    engine.succeed(job, b"the result")
    assert collect(job) == [
        Progress(),
        Progress(fraction=0.5, message="half"),
        Progress(fraction=1.0, returncode=0),
    ]
    assert queue.destination_path_for_params(("a", "b")).read_bytes() == b"the result"
    assert engine.tasks == []
    assert queue.ensure_run(("a", "b")) is None


def test_a_job_that_fails(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    engine.fail(job, 2, "reason")
    assert job.wait(0) == Progress(fraction=1.0, returncode=2, error="Exited with code 2\nstderr:\nreason")
    assert ensure(queue, "a") is not job


def test_the_line_moves_as_jobs_start_and_end_in_any_order(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = [ensure(queue, str(i)) for i in range(4)]
    assert [job.current_progress.n_ahead_in_queue for job in jobs] == [0, 1, 2, 3]
    engine.start(jobs[2])
    assert [job.current_progress.n_ahead_in_queue for job in jobs] == [1, 2, 0, 3]
    engine.fail(jobs[0])
    engine.fail(jobs[2])
    assert [job.current_progress.n_ahead_in_queue for job in (jobs[1], jobs[3])] == [0, 1]
    assert [task.arguments for task in engine.tasks] == [("1",), ("3",)]


def test_a_job_that_has_ended_is_not_in_the_engine(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    engine.fail(job)
    for act in (engine.start, engine.fail, engine.succeed, lambda job: engine.progress(job, 0.5)):
        with pytest.raises(LookupError, match="is not in this engine: it has ended, or was never submitted"):
            act(job)


def test_an_output_that_is_no_result_is_the_tests_error(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    with pytest.raises(OutputError, match="it should have written to its output file"):
        engine.succeed(job, b"")
    engine.succeed(job, b"x")


def test_closing_ends_every_job(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = [ensure(queue, "a"), ensure(queue, "b")]
    engine.start(jobs[0])
    queue.close()
    assert {job.wait(0).error for job in jobs} == {"The work queue was closed."}
    with pytest.raises(QueueClosed):
        queue.ensure_run(("c",))


def test_a_closed_engine_takes_nothing(engine: ManualEngine, tmp_path: Path) -> None:
    engine.close()
    told: list[Progress] = []
    ticket = engine.submit(Task("key", Path("/program"), (), DiskStorage(tmp_path)), told.append)
    assert [progress.error for progress in told] == ["The work queue was closed."]
    assert ticket.n_ahead() == 0
