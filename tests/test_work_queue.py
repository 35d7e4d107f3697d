"""The way of one request: who gets which job, and when."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conftest import ensure
from tests.program.ordeal import wait_for
from workqueue import InvalidParams, Job, OverviewViewParams, Progress, QueueClosed, QueueFull, State, WorkQueue
from workqueue.engines import Report, Task, Ticket
from workqueue.storage import DiskStorage
from workqueue.testing import ManualEngine, ScriptedProgram, collect, output, say, wait

T = TypeVar("T")
MakeQueue = Callable[..., WorkQueue]
PARAMS = OverviewViewParams("https://overview.example", "123", "secret")


# Making one


def test_a_queue_needs_a_place_for_its_results() -> None:
    with pytest.raises(TypeError, match="WorkQueue needs a storage_dir, the directory where results are kept"):
        WorkQueue("program")


def test_a_queue_has_one_place_for_its_results(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="or a storage; not both"):
        WorkQueue("program", storage_dir=tmp_path, storage=DiskStorage(tmp_path))
    with WorkQueue("/bin/sh", storage=DiskStorage(tmp_path / "results")) as queue:
        assert queue.storage_dir == tmp_path / "results"


@pytest.mark.parametrize("names", [("executor", "max_running"), ("executor", "engine"), ("max_running", "engine")])
def test_only_one_may_say_how_many_run(tmp_path: Path, names: tuple[str, str]) -> None:
    with ThreadPoolExecutor(1) as executor:
        options = {"executor": executor, "max_running": 1, "engine": ManualEngine()}
        with pytest.raises(TypeError, match="one of executor, max_running and engine"):
            WorkQueue("program", storage_dir=tmp_path, **{name: options[name] for name in names})  # type: ignore[arg-type]


@pytest.mark.parametrize("max_running", [0, -1])
def test_something_must_be_allowed_to_run(tmp_path: Path, max_running: int) -> None:
    with pytest.raises(ValueError, match=f"max_running must be 1 or more; got {max_running}"):
        WorkQueue("program", storage_dir=tmp_path, max_running=max_running)


def test_a_negative_number_of_jobs_cannot_wait(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_pending must be 0 or more; got -1"):
        WorkQueue("program", storage_dir=tmp_path, max_pending=-1)


def test_programs_are_given_no_negative_time_at_the_end(tmp_path: Path, queue: WorkQueue) -> None:
    with pytest.raises(ValueError, match=r"exit_drain must be 0 or more; got -1\.0"):
        WorkQueue("program", storage_dir=tmp_path, exit_drain=-1.0)
    with pytest.raises(TypeError, match="exit_drain is for the engine to keep"):
        WorkQueue("program", storage_dir=tmp_path, engine=ManualEngine(), exit_drain=1.0)
    with pytest.raises(ValueError, match=r"drain must be 0 or more; got -1\.0"):
        queue.handle_signals(drain=-1.0)


@pytest.mark.parametrize(
    "suffix", ["mp4", ".", "..", ".a/b", "/../x", ".a\0", ".a b", ".ä", ".-wal", ".x\n", "." + "x" * 32, None, b".mp4"]
)
def test_what_is_no_end_of_a_name_is_no_suffix(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ValueError, match="suffix must be a dot and then up to 31 letters") as refused:
        WorkQueue("program", storage_dir=tmp_path, suffix=suffix)
    assert str(refused.value).endswith(f"got {suffix!r}")


def test_a_suffix_travels_with_the_task_and_not_into_the_key(tmp_path: Path) -> None:
    engine = ManualEngine()
    with WorkQueue("program", storage_dir=tmp_path, engine=engine, suffix=".tar.gz") as queue:
        job = ensure(queue, "a")
        [task] = engine.tasks
        assert (task.suffix, task.key) == (".tar.gz", queue.key_for_params(("a",)))
        engine.start(job)
        engine.succeed(job)
        assert queue.destination_path_for_params(("a",)).read_bytes() == b"built"


def test_a_queue_that_is_made_touches_nothing(tmp_path: Path) -> None:
    """No directory, no thread, until there is a job; the program need not be there yet."""
    with WorkQueue("/bin/sh", storage_dir=tmp_path / "storage") as queue:
        assert threading.active_count() >= 1
        assert not (tmp_path / "storage").exists()
        assert isinstance(queue.executor, ThreadPoolExecutor)


def test_an_engine_of_ones_own_has_no_executor(queue: WorkQueue) -> None:
    assert queue.executor is None


# How many may wait


def test_a_full_queue_refuses_a_new_job_until_one_has_ended(make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue("program", engine=engine, max_pending=2)
    first, second = ensure(queue, "1"), ensure(queue, "2")
    with pytest.raises(QueueFull):
        queue.ensure_run(("3",))
    assert ensure(queue, "1") is first  # who only joins takes no place
    engine.start(first)
    engine.succeed(first)
    assert queue.ensure_run(("1",)) is None
    assert ensure(queue, "3") is not second


@pytest.mark.parametrize("how", ["max_running", "executor"])
def test_as_many_as_can_run_do_not_count_as_waiting(make_queue: MakeQueue, tmp_path: Path, how: str) -> None:
    """Deterministic: a job counts from the moment it is queued, whether its thread has started or not."""
    with ThreadPoolExecutor(2) as executor, ScriptedProgram(tmp_path / "program", wait("go"), output(b"x")) as program:
        option = {"max_running": 2} if how == "max_running" else {"executor": executor}
        queue = make_queue(program.path, max_pending=1, **option)
        jobs = [ensure(queue, str(i)) for i in range(3)]
        with pytest.raises(QueueFull):
            queue.ensure_run(("3",))
        for _ in jobs:
            program.release("go")
        for job in jobs:
            job.wait()


def test_an_executor_that_hides_its_size_counts_as_having_no_thread(make_queue: MakeQueue) -> None:
    class Hidden(Executor):
        def submit(self, function: Callable[..., T], /, *_: object, **__: object) -> Future[T]:
            return Future()

    queue = make_queue("/bin/sh", executor=Hidden(), max_pending=0)
    with pytest.raises(QueueFull):
        queue.ensure_run(("a",))


# Who gets what


def test_who_asks_while_a_job_waits_or_runs_gets_that_job(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a", "b")
    assert ensure(queue, "a", "b") is job
    engine.start(job)
    assert ensure(queue, "a", "b") is job
    assert ensure(queue, "ab") is not job
    assert len(engine.tasks) == 2


def test_equal_parameters_are_one_job_whatever_their_type(queue: WorkQueue) -> None:
    job = queue.ensure_run(PARAMS)
    assert job is not None
    assert job.params == PARAMS
    assert queue.ensure_run(tuple(PARAMS)) is job
    assert "secret" not in repr(job)


def test_who_asks_when_it_is_built_gets_none(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    path = queue.destination_path_for_params(("a",))
    assert path == queue.storage_dir / job.key
    assert not path.exists()
    engine.succeed(job, b"result")
    assert queue.ensure_run(("a",)) is None
    assert path.read_bytes() == b"result"


def test_the_result_is_there_before_the_end_is_announced(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    answers: list[Job | None] = []
    job.progress.subscribe(on_completed=lambda: answers.append(queue.ensure_run(("a",))))
    engine.succeed(job)
    assert answers == [None]


def test_a_job_that_failed_is_forgotten_before_it_is_announced(queue: WorkQueue, engine: ManualEngine) -> None:
    """Who is told of the failure and asks again at once gets a new job."""
    job = ensure(queue, "a")
    successors: list[Job | None] = []

    def retry(progress: Progress) -> None:
        if progress.returncode is not None:
            successors.append(queue.ensure_run(("a",)))

    job.progress.subscribe(retry)
    engine.start(job)
    engine.fail(job)
    [successor] = successors
    assert successor is not None
    assert successor is not job
    assert ensure(queue, "a") is successor
    assert successor.state is State.PENDING


def test_a_result_that_is_taken_away_is_built_again(queue: WorkQueue, engine: ManualEngine) -> None:
    engine.succeed(ensure(queue, "a"), b"first")
    queue.destination_path_for_params(("a",)).unlink()
    engine.succeed(ensure(queue, "a"), b"second")
    assert queue.destination_path_for_params(("a",)).read_bytes() == b"second"


class Looks:
    """Does something before a look in storage, by its number from 1 on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hooks: dict[int, Callable[[], object]]) -> None:
        has = DiskStorage.has
        self.n = 0

        def look(storage: DiskStorage, key: str) -> bool:
            self.n += 1
            hooks.pop(self.n, lambda: None)()
            return has(storage, key)

        monkeypatch.setattr(DiskStorage, "has", look)


def publish(queue: WorkQueue, key: str) -> None:
    with DiskStorage(queue.storage_dir).workspace(key) as workspace:
        workspace.output.write_bytes(b"result")
        workspace.publish()


def test_a_result_that_comes_between_the_looks_is_found_and_nothing_runs(
    queue: WorkQueue, engine: ManualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who joined in that window is told that it is built."""
    key = queue.destination_path_for_params(("a",)).name
    joined: list[Job] = []
    told: list[Progress] = []

    def join_and_publish() -> None:
        joined.append(ensure(queue, "a"))
        joined[0].progress.subscribe(told.append)
        publish(queue, key)

    looks = Looks(monkeypatch, {2: join_and_publish})
    assert queue.ensure_run(("a",)) is None
    assert looks.n == 3
    assert engine.tasks == []
    assert told == [Progress(fraction=1.0, returncode=0)]
    assert joined[0].wait(0).returncode == 0
    assert joined[0].n_watchers == 0
    assert queue.ensure_run(("a",)) is None


def test_an_interrupt_at_the_second_look_ends_the_job_of_those_who_joined(
    queue: WorkQueue, engine: ManualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[Job] = []

    def join_and_interrupt() -> None:
        joined.append(ensure(queue, "a"))
        raise KeyboardInterrupt

    Looks(monkeypatch, {2: join_and_interrupt})
    with pytest.raises(KeyboardInterrupt):
        queue.ensure_run(("a",))
    assert joined[0].wait(0) == Progress(fraction=1.0, returncode=-999, error="The job could not be queued.")
    assert ensure(queue, "a") is not joined[0]


def test_an_engine_that_raises_ends_the_job_of_those_who_joined(make_queue: MakeQueue) -> None:
    class Broken(ManualEngine):
        def submit(self, task: Task, report: Report) -> Ticket:  # type: ignore[override]
            joined.append(ensure(queue, "a"))
            raise LookupError("engine")

    joined: list[Job] = []
    queue = make_queue("program", engine=Broken())
    with pytest.raises(LookupError, match="engine"):
        queue.ensure_run(("a",))
    assert collect(joined[0], timeout=0.0)[-1].error == "The job could not be queued."


def test_an_engine_that_ends_a_job_at_once(make_queue: MakeQueue) -> None:
    """The caller gets the job all the same, with its end in it."""

    class Hasty(ManualEngine):
        def submit(self, task: Task, report: Report) -> Ticket:  # type: ignore[override]
            report(Progress(fraction=1.0, returncode=4, error="no"))
            return super().submit(task, lambda _: None)

    queue = make_queue("program", engine=Hasty())
    assert collect(ensure(queue, "a"), timeout=0.0) == [Progress(fraction=1.0, returncode=4, error="no")]


# The line


def test_five_jobs_that_wait_are_told_their_places_as_the_line_moves(make_queue: MakeQueue, tmp_path: Path) -> None:
    """By real programs: each watcher sees its own place go down to 0, never up, then its job run and end."""
    program = ScriptedProgram(tmp_path / "program", say(0.5), wait("gate"), output(b"built"))
    queue = make_queue(program.path, max_running=1)
    jobs = [ensure(queue, str(i)) for i in range(6)]
    program.wait_reached("gate")
    seen: list[list[Progress]] = [[] for _ in jobs]
    for job, events in zip(jobs, seen, strict=True):
        job.progress.subscribe(events.append)
    # The first job may have been seen waiting by itself; now each has all before it ahead.
    assert [job.current_progress.n_ahead_in_queue for job in jobs[1:]] == [1, 2, 3, 4, 5]
    for i, job in enumerate(jobs):
        for follower, place in zip(jobs[i + 1 :], range(1, 6), strict=False):
            wait_for(follower, lambda progress, place=place: progress.n_ahead_in_queue == place)
        program.release("gate")
        assert job.wait(10).returncode == 0
    for i, events in enumerate(seen[1:], start=1):
        places = [event.n_ahead_in_queue for event in events]
        assert places == sorted(places, reverse=True)
        assert set(places) == set(range(i + 1))
        assert [event.returncode for event in events] == [None] * (len(events) - 1) + [0]
    assert [job.n_watchers for job in jobs] == [0] * 6


# The other methods


def test_a_word_that_is_no_form_of_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="result must be 'file' or 'directory'; got 'folder'"):
        WorkQueue("/bin/sh", storage_dir=tmp_path, result="folder")  # type: ignore[arg-type]


@pytest.mark.parametrize("params", [["a"], ("a", 1), ("a\0",), ("\ud800",), ("x" * 9000,), PARAMS._replace(server="x")])
def test_what_can_never_run_is_refused_and_leaves_nothing(
    queue: WorkQueue, engine: ManualEngine, params: tuple[str, ...]
) -> None:
    for ask in (queue.ensure_run, queue.destination_path_for_params):
        with pytest.raises(InvalidParams):
            ask(params)
    assert engine.tasks == []
    assert not queue.storage_dir.exists()


def test_only_allowed_servers_are_served(make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue("program", engine=engine, allowed_servers=[PARAMS.server])
    for _ in range(2):
        assert queue.ensure_run(PARAMS) is not None
        with pytest.raises(InvalidParams, match="is not one of those this plugin serves"):
            queue.ensure_run(PARAMS._replace(server="https://other.example"))


def test_servers_that_can_never_be_asked_for_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="allowed_servers must be a collection of URLs, not one URL"):
        WorkQueue("program", storage_dir=tmp_path, allowed_servers=PARAMS.server)
    with pytest.raises(InvalidParams):
        WorkQueue("program", storage_dir=tmp_path, allowed_servers=["not a URL"])


def test_progress_can_be_read_by_a_generator(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    progress = queue.report_job_progress_until_completed(job)
    assert next(progress) == Progress()
    engine.start(job)
    engine.progress(job, 0.5, "half")
    assert next(progress) == Progress(fraction=0.5, message="half")
    engine.succeed(job)
    assert list(progress) == [Progress(fraction=1.0, returncode=0)]
    assert job.n_watchers == 0


def test_a_closed_queue_still_tells_of_what_is_there_and_what_ends(queue: WorkQueue, engine: ManualEngine) -> None:
    engine.succeed(ensure(queue, "a"))
    queue.close()
    queue.close()
    assert queue.ensure_run(("a",)) is None
    with pytest.raises(QueueClosed):
        queue.ensure_run(("b",))


def test_a_job_that_still_runs_in_a_closed_queue_can_be_joined(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", wait("gate"), output(b"built"))
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    closing = threading.Thread(target=queue.close)
    closing.start()
    while not queue._is_closed:
        closing.join(0.001)
    assert ensure(queue, "a") is job
    program.release("gate")
    closing.join(10)
    assert job.wait(0).returncode == 0


# Looking, without asking


def test_a_job_is_looked_for_and_nothing_is_started(queue: WorkQueue, engine: ManualEngine) -> None:
    assert queue.live_job(PARAMS) is None
    assert not queue.is_being_built(PARAMS)
    assert engine.tasks == []
    job = ensure(queue, *PARAMS)
    assert queue.live_job(PARAMS) is job
    assert queue.is_being_built(PARAMS)
    assert queue.live_job(("another",)) is None
    engine.start(job)
    engine.succeed(job)
    assert queue.live_job(PARAMS) is None
    assert not queue.is_being_built(PARAMS)
    with pytest.raises(InvalidParams):
        queue.live_job(("a\0",))
    with pytest.raises(InvalidParams):
        queue.is_being_built(("a\0",))


def test_what_another_queue_builds_is_being_built(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    """Of one that shares the storage, in this process or another; once it has begun, not while it waits."""
    first, second = make_queue(program.path), make_queue(program.path)
    job = ensure(first, "a")
    program.wait_reached("gate")
    assert second.live_job(("a",)) is None
    assert second.is_being_built(("a",))
    assert not second.is_being_built(("b",))
    program.release("gate")
    assert job.wait(20).returncode == 0
    assert not second.is_being_built(("a",))


def test_a_queue_tells_its_suffix(make_queue: MakeQueue) -> None:
    assert make_queue("/bin/sh", suffix=".mp4").suffix == ".mp4"
    assert make_queue("/bin/sh").suffix == ""
