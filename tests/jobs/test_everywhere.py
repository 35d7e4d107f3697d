"""What is told of an engine that knows of no other processes: the jobs of this one."""

from tests.conftest import ensure
from workqueue import Progress, WorkQueue
from workqueue.engines import Picture, SeenEnd, SeenRun, Shared
from workqueue.testing import ManualEngine


def test_without_a_picture_a_queue_tells_of_its_own_jobs(queue: WorkQueue, engine: ManualEngine) -> None:
    waiting, running = ensure(queue, "a"), ensure(queue, "b")
    engine.start(running)
    engine.progress(running, 0.5)
    running.progress.subscribe(lambda _: None)
    first, second = queue.jobs(everywhere=True)
    assert (first.key, first.is_running, first.watchers) == (running.key, True, 1)
    assert first.progress == Progress(fraction=0.5)
    assert first.queued_at is not None
    assert first.began_at is not None
    assert first.queued_at <= first.began_at
    assert first.process
    assert (second.key, second.is_running, second.began_at, second.watchers) == (waiting.key, False, None, 0)
    assert second.process == ""
    assert queue.ends() == []
    assert queue.statistics(everywhere=True).shared == Shared(1, 0, 1, 1)
    assert queue.statistics().shared is None


class Pictured(ManualEngine):
    """An engine that knows of others."""

    shared: Shared | None = None

    def picture(self) -> Picture:
        runs = [SeenRun(letter * 40, "", letter == "a", 0, Progress()) for letter in "ab"]
        end = SeenEnd("c" * 40, "", Progress(returncode=0), None, None, 1.0, "")
        return Picture(None, (runs[0],), (runs[1],), (end,))


def test_an_engine_that_says_what_is_shared_is_believed(queue: WorkQueue, make_queue: type[WorkQueue]) -> None:
    engine = Pictured()
    queue = make_queue("program", engine=engine)
    assert queue.statistics(everywhere=True).shared is None
    engine.shared = Shared(4, 3, 2, 1)
    assert queue.statistics(everywhere=True).shared == Shared(4, 3, 2, 1)


def test_a_job_of_this_process_that_others_do_not_know_of_yet_is_told_too(make_queue: type[WorkQueue]) -> None:
    engine = Pictured()
    queue = make_queue("program", engine=engine)
    job = ensure(queue, "x")
    engine.start(job)
    assert [run.key for run in queue.jobs(everywhere=True)] == ["a" * 40, job.key, "b" * 40]
    assert [end.key for end in queue.ends()] == ["c" * 40]
