"""What becomes of a set, told to a page that starts nothing by looking."""

from collections.abc import Callable

import pytest

from workqueue import Job, OverviewViewParams, WorkQueue
from workqueue.demo.last_jobs import LastJobs
from workqueue.testing import ManualEngine
from workqueue.web import Problem

PARAMS = OverviewViewParams("http://overview", "7", "token")
OTHER = OverviewViewParams("http://overview", "8", "token")


@pytest.fixture
def queue(make_queue: Callable[..., WorkQueue], engine: ManualEngine) -> WorkQueue:
    return make_queue("unused", engine=engine)


@pytest.fixture
def jobs(queue: WorkQueue) -> LastJobs:
    return LastJobs(queue)


def started(jobs: LastJobs) -> Job:
    job = jobs.start(PARAMS)
    assert job is not None
    return job


def test_a_set_is_built(jobs: LastJobs, engine: ManualEngine) -> None:
    assert jobs.standing(PARAMS) == "idle"
    job = started(jobs)
    assert jobs.standing(PARAMS) == "waiting"
    engine.start(job)
    assert jobs.standing(PARAMS) == "running"
    assert jobs.look(PARAMS) is jobs.start(PARAMS) is job
    engine.succeed(job)
    assert jobs.standing(PARAMS) == "built"
    assert jobs.look(PARAMS) is jobs.start(PARAMS) is None
    assert jobs.standing(OTHER) == "idle"


def test_a_look_starts_nothing(jobs: LastJobs, engine: ManualEngine) -> None:
    with pytest.raises(Problem, match=r"409.*nothing builds this set"):
        jobs.look(PARAMS)
    job = started(jobs)
    engine.start(job)
    engine.fail(job)
    for _ in range(2):
        assert jobs.standing(PARAMS) == "failed"
        assert jobs.look(PARAMS) is job
    assert engine.tasks == []
    again = started(jobs)
    assert again is not job
    assert jobs.look(PARAMS) is again


def test_a_job_that_another_page_has_started_is_seen(jobs: LastJobs, queue: WorkQueue, engine: ManualEngine) -> None:
    job = queue.ensure_run(PARAMS)
    assert job is not None
    assert jobs.standing(PARAMS) == "waiting"
    engine.start(job)
    engine.fail(job)
    assert jobs.standing(PARAMS) == "failed"
    assert jobs.look(PARAMS) is job
    # And one whose end was not seen, since it was built after all.
    again = queue.ensure_run(PARAMS)
    assert again is not None
    engine.start(again)
    engine.succeed(again)
    assert jobs.standing(PARAMS) == "built"
    assert jobs.look(PARAMS) is None


def test_what_is_cancelled_runs_until_it_has_stopped(jobs: LastJobs, engine: ManualEngine) -> None:
    jobs.cancel(PARAMS)  # nothing
    job = started(jobs)
    engine.start(job)
    jobs.cancel(PARAMS)
    assert jobs.standing(PARAMS) == "running"
    assert jobs.look(PARAMS) is job
    engine.stop(job)
    assert jobs.standing(PARAMS) == "failed"


def test_what_has_ended_is_forgotten(jobs: LastJobs, engine: ManualEngine) -> None:
    job = started(jobs)
    engine.start(job)
    engine.fail(job)
    jobs.forget()
    assert jobs.standing(PARAMS) == "idle"
    with pytest.raises(Problem):
        jobs.look(PARAMS)
