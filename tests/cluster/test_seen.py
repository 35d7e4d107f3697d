"""What a process of a cluster tells of the jobs of all."""

from collections.abc import Callable
from pathlib import Path

from tests.cluster.workers import WorkerProcess
from tests.conftest import ensure
from tests.servers.server import eventually
from workqueue import Progress, WorkQueue
from workqueue.engines.cluster import ClusterEngine
from workqueue.storage.disk import DiskStorage
from workqueue.testing import ScriptedProgram


def test_a_queue_tells_of_the_jobs_of_all_as_far_as_it_has_heard(
    make_engine: Callable[..., ClusterEngine],
    start_worker: Callable[..., WorkerProcess],
    program: ScriptedProgram,
    tmp_path: Path,
) -> None:
    results, engine = tmp_path / "results", make_engine()
    with (
        WorkQueue(program.path, storage=DiskStorage(results), engine=engine) as queue,
        WorkQueue(program.path, storage=DiskStorage(results), engine=make_engine()) as other,
    ):
        assert queue.jobs(everywhere=True) == []  # it has not joined
        mine = ensure(queue, "a")
        eventually(lambda: [run.key for run in engine.picture().waiting] == [mine.key])
        theirs = ensure(other, "b")
        eventually(lambda: len(engine.picture().waiting) == 2)
        start_worker(program.path, results, "--max-running", "1")
        program.wait_reached("gate")
        eventually(lambda: mine.current_progress.fraction == 0.5)
        running, waiting = queue.jobs(everywhere=True)
        assert (running.key, running.is_running, running.progress) == (mine.key, True, Progress(fraction=0.5))
        assert running.process
        assert running.queued_at is not None
        assert running.began_at is not None
        assert (waiting.key, waiting.is_running, waiting.n_ahead) == (theirs.key, False, 1)
        assert (waiting.queued_at, waiting.watchers, waiting.process) == (None, None, "")
        # The other has not heard how far a run is that it does not watch.
        running, waiting = eventually(lambda: (seen := other.jobs(everywhere=True))[0].is_running and seen)
        assert (running.key, running.progress, running.began_at) == (mine.key, Progress(), None)
        assert (waiting.key, waiting.queued_at is not None) == (theirs.key, True)
        shared = queue.statistics(everywhere=True).shared
        assert shared == (1, 1, 1, 1)
        assert queue.ends() == []
        program.release("gate", times=2)
        assert mine.wait(20).returncode == theirs.wait(20).returncode == 0
        eventually(lambda: queue.jobs(everywhere=True) == [])
