"""How things stand, in records."""

from tests.conftest import ensure
from workqueue import State, WorkQueue
from workqueue.testing import ManualEngine


def test_every_job_is_counted_where_it_is(queue: WorkQueue, engine: ManualEngine) -> None:
    jobs = {name: ensure(queue, name) for name in ("ok", "bad", "stopped", "stopping", "runs", "waits")}
    for name in ("ok", "bad", "stopped", "stopping", "runs"):
        engine.start(jobs[name])
    engine.succeed(jobs["ok"])
    engine.fail(jobs["bad"])
    jobs["stopped"].cancel()
    engine.stop(jobs["stopped"])
    jobs["stopping"].cancel()
    jobs["runs"].progress.subscribe(lambda _: None)
    engine.progress(jobs["runs"], 0.25, "a quarter")
    statistics = queue.statistics()
    assert statistics[:7] == (1, 1, 1, 1, 1, 1, 1)
    assert statistics.wait_seconds >= 0.0
    assert statistics.run_seconds >= 0.0
    assert {job.key: job.state for job in queue.jobs()} == {
        jobs["stopping"].key: State.CANCELLING,
        jobs["runs"].key: State.RUNNING,
        jobs["waits"].key: State.PENDING,
    }
    [runs] = [job for job in queue.jobs() if job.state is State.RUNNING]
    assert (runs.params, runs.progress.message, runs.watchers) == (("runs",), "a quarter", 1)


def test_a_new_queue_has_nothing_to_tell(queue: WorkQueue) -> None:
    assert queue.jobs() == []
    assert queue.statistics() == (0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, None, None)
