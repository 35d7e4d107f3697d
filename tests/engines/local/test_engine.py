"""Whatever becomes of an executor and its futures, each job ends once and no client waits for ever."""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ensure, write_program
from tests.program.ordeal import wait_for
from workqueue import Job, Progress, QueueClosed, State, WorkQueue
from workqueue.engines import LocalEngine, Task
from workqueue.engines.local import engine as local
from workqueue.program.command import command_of
from workqueue.progress import WaitsAgain
from workqueue.storage import DiskStorage
from workqueue.testing import ScriptedProgram, collect, output, say, wait

MakeQueue = Callable[..., WorkQueue]

CLOSED_PENDING = "The work queue was closed before this job began."
CLOSED_RUNNING = "The work queue was closed while this job ran."


@pytest.fixture
def program(tmp_path: Path) -> ScriptedProgram:
    """Says 0.5, waits at "gate", builds."""
    return ScriptedProgram(tmp_path / "program", say(0.5), wait("gate"), output(b"built"))


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def join(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


class HandExecutor(Executor):
    """Keeps what it is given; the test runs or cancels it."""

    def __init__(self) -> None:
        self.futures: list[Future[None]] = []
        self.calls: list[Callable[[], None]] = []

    def submit(self, function: Callable[..., None], /, *args: object, **options: object) -> "Future[None]":  # type: ignore[override]
        future: Future[None] = Future()
        self.futures.append(future)
        self.calls.append(lambda: function(*args, **options))
        return future


# Running


def test_no_more_programs_run_at_once_than_max_running(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=3)
    jobs = [ensure(queue, str(i)) for i in range(7)]
    for n_gone in range(5):
        program.wait_reached("gate")
        if n_gone == 0:
            program.wait_reached("gate")
            program.wait_reached("gate")
        assert sum(job.state is State.RUNNING for job in jobs) == 3
        assert len(program.runs) == 3 + n_gone
        if n_gone < 4:
            program.release("gate")
    program.release("gate", times=3)
    assert [job.wait(10).returncode for job in jobs] == [0] * 7


def test_two_programs_run_at_once_unless_it_is_said(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    jobs = [ensure(queue, str(i)) for i in range(3)]
    program.wait_reached("gate")
    program.wait_reached("gate")
    assert [job.state for job in jobs] == [State.RUNNING, State.RUNNING, State.PENDING]
    assert jobs[2].current_progress == Progress(n_ahead_in_queue=2)
    program.release("gate", times=3)
    assert [job.wait(10).returncode for job in jobs] == [0] * 3


def test_the_callers_executor_says_how_many_and_stays_open(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    queue = make_queue(program.path, executor=executor)
    assert queue.executor is executor
    first, second = ensure(queue, "a"), ensure(queue, "b")
    program.wait_reached("gate")
    assert (first.state, second.state) == (State.RUNNING, State.PENDING)
    program.release("gate", times=2)
    assert second.wait(10).returncode == 0
    queue.close()
    assert executor.submit(lambda: "open").result(10) == "open"


@pytest.mark.parametrize("drain", [1e300, math.inf])
def test_any_time_to_drain_is_understood(make_queue: MakeQueue, program: ScriptedProgram, drain: float) -> None:
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    program.release("gate")
    queue.close(drain=drain)
    assert job.wait(0).returncode == 0


def test_an_own_pool_is_gone_after_close(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    program.release("gate")
    ensure(queue, "a").wait(10)
    assert any(thread.name.startswith("workqueue_") for thread in threading.enumerate())
    queue.close()
    assert not any(thread.name.startswith("workqueue_") for thread in threading.enumerate())


# An executor that does not run what it took


def test_an_executor_that_was_shut_down_before(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    queue = make_queue(program.path, executor=executor)
    executor.shutdown()
    for _ in range(2):
        job = ensure(queue, "a")
        assert collect(job) == [
            Progress(
                fraction=1.0,
                returncode=-999,
                error="The executor takes no more jobs: cannot schedule new futures after shutdown",
            )
        ]
        assert job.n_watchers == 0
    assert program.runs == []


def test_an_executor_that_is_shut_down_while_jobs_wait(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    """The one that runs goes on; those that wait, and were to be cancelled, end."""
    queue = make_queue(program.path, executor=executor)
    running, *waiting = [ensure(queue, str(i)) for i in range(4)]
    program.wait_reached("gate")
    executor.shutdown(wait=False, cancel_futures=True)
    for job in waiting:
        assert job.wait(10).error == "The executor cancelled this job before it began."
        assert (job.state, job.n_watchers) == (State.FAILED, 0)
    assert running.state is State.RUNNING
    program.release("gate")
    assert running.wait(10).returncode == 0


def test_an_executor_that_is_shut_down_gently_still_runs_what_waits(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    queue = make_queue(program.path, executor=executor)
    jobs = [ensure(queue, str(i)) for i in range(3)]
    executor.shutdown(wait=False)
    program.release("gate", times=3)
    assert [job.wait(10).returncode for job in jobs] == [0] * 3


def test_an_observer_may_ask_again_when_an_executor_cancels(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    """An executor cancels with its lock held; who asks again in that moment must not wait for that lock for ever."""
    queue = make_queue(program.path, executor=executor)
    running, waiting = ensure(queue, "a"), ensure(queue, "b")
    program.wait_reached("gate")
    successors: list[Job | None] = []
    waiting.progress.subscribe(on_completed=lambda: successors.append(queue.ensure_run(("b",))))
    shutdown = threading.Thread(
        target=lambda: executor.shutdown(wait=False, cancel_futures=True), daemon=True, name="shutdown"
    )
    shutdown.start()
    join(shutdown)
    waiting.wait(10)
    [successor] = successors
    assert successor is not None
    assert successor is not waiting
    assert successor.wait(10).error == "The executor takes no more jobs: cannot schedule new futures after shutdown"
    program.release("gate")
    assert running.wait(10).returncode == 0


def test_a_future_that_is_cancelled_by_hand_ends_the_newest_job_and_no_other(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    executor = HandExecutor()
    queue = make_queue(program.path, executor=executor)
    first, second = ensure(queue, "a"), ensure(queue, "b")
    assert executor.futures[0].cancel()
    assert second.wait(10).error == "The executor cancelled this job before it began."
    assert (first.state, first.current_progress.n_ahead_in_queue) == (State.PENDING, 0)
    again = ensure(queue, "b")
    assert again is not second
    program.release("gate", times=2)
    for i, job in ((1, first), (2, again)):
        executor.calls[i]()
        executor.futures[i].set_result(None)
        assert job.wait(10).returncode == 0


def test_a_thread_of_the_executor_runs_one_job_and_goes_back(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    """The executor may be shared: whatever else waits for a thread of it has its turn between two jobs."""
    executor = HandExecutor()
    queue = make_queue(program.path, executor=executor)
    jobs = [ensure(queue, str(i)) for i in range(2)]
    program.release("gate", times=2)
    executor.calls[0]()
    assert [job.state for job in jobs] == [State.SUCCEEDED, State.PENDING]
    executor.calls[1]()
    assert [job.state for job in jobs] == [State.SUCCEEDED, State.SUCCEEDED]


def test_an_executor_whose_threads_cannot_start(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    """Those that wait end with it, and whoever asks later too."""

    def fail() -> None:
        raise LookupError("initializer")

    with ThreadPoolExecutor(1, initializer=fail) as executor:
        queue = make_queue(program.path, executor=executor)
        first = ensure(queue, "a")
        error = first.wait(10).error or ""
        assert error.startswith(
            ("The executor could not run this job: BrokenThreadPool(", "The executor takes no more")
        )
        second = ensure(queue, "a")
        assert second is not first
        assert (second.wait(10).error or "").startswith("The executor takes no more jobs: A thread initializer failed")
    assert issubclass(BrokenExecutor, RuntimeError)


def test_an_executor_of_processes_cannot_run_jobs_and_says_so(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    with ProcessPoolExecutor(1) as executor:
        job = ensure(make_queue(program.path, executor=executor), "a")
        error = "The executor could not run this job: TypeError('a job needs an executor of threads')"
        assert job.wait(20).error == error
    assert program.runs == []


def test_an_executor_that_raises_anything_ends_the_job(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    class Refusing(Executor):
        def submit(self, function: object, /, *args: object, **options: object) -> "Future[None]":  # type: ignore[override]
            raise LookupError("no room")

    queue = make_queue(program.path, executor=Refusing())
    assert ensure(queue, "a").wait(10).error == "The executor takes no more jobs: no room"
    queue.close()


def test_an_executor_that_refuses_a_job_and_runs_it_all_the_same(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    """As ThreadPoolExecutor does, once the system has no thread to spare: what it raised for stays in its queue."""

    class Confused(HandExecutor):
        is_confused = True

        def submit(self, function: Callable[..., None], /, *args: object, **options: object) -> "Future[None]":  # type: ignore[override]
            future = super().submit(function, *args, **options)
            if self.is_confused:
                raise RuntimeError("can't start new thread")
            return future

    executor = Confused()
    queue = make_queue(program.path, executor=executor)
    refused = ensure(queue, "a")
    assert refused.wait(10).error == "The executor takes no more jobs: can't start new thread"
    executor.is_confused = False
    others = [ensure(queue, str(i)) for i in range(2)]
    program.release("gate", times=2)
    executor.calls[0]()  # runs what is first by now; one of the others' threads comes to nothing
    assert [job.state for job in others] == [State.SUCCEEDED, State.PENDING]
    for call, future in zip(executor.calls[1:], executor.futures[1:], strict=True):
        call()
        future.set_result(None)
    assert [arguments[0] for arguments in program.runs] == ["0", "1"]
    assert [job.wait(10).returncode for job in others] == [0, 0]


def test_an_executor_that_begins_a_job_before_it_refuses_it(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    """Then the job runs, and its end is the program's."""

    class Hasty(Executor):
        def submit(self, function: Callable[..., None], /, *args: object, **options: object) -> "Future[None]":  # type: ignore[override]
            self.thread = threading.Thread(target=function, args=args)
            self.thread.start()
            program.wait_reached("gate")
            raise RuntimeError("can't start new thread")

    executor = Hasty()
    queue = make_queue(program.path, executor=executor)
    job = ensure(queue, "a")
    assert job.state is State.RUNNING
    program.release("gate")
    assert job.wait(10).returncode == 0
    queue.close()
    executor.thread.join(10)


def test_a_report_that_raises_still_leaves_a_clean_engine(tmp_path: Path, program: ScriptedProgram) -> None:
    """A bug of whoever takes the reports must not keep the engine from closing."""

    def report(progress: Progress) -> None:
        raise LookupError("report")

    engine = LocalEngine()
    task = Task("key", command_of(program.path), ("a",), DiskStorage(tmp_path / "storage"))
    ticket = engine.submit(task, report)
    engine.close()
    assert ticket.n_ahead() == 0


def test_a_task_that_is_taken_back_is_told_nothing_and_is_in_nobodys_way(
    tmp_path: Path, program: ScriptedProgram
) -> None:
    engine, storage = LocalEngine(HandExecutor()), DiskStorage(tmp_path / "storage")
    told: list[Progress | WaitsAgain] = []
    first, second = (engine.submit(Task(key, command_of(program.path), (), storage), told.append) for key in "ab")
    assert second.n_ahead() == 1
    assert first.withdraw()
    assert (second.n_ahead(), engine.n_tasks) == (0, 1)
    assert not first.withdraw()
    assert second.withdraw()
    engine.close()
    assert told == []


def test_who_comes_before_others_that_wait_has_them_told(tmp_path: Path, program: ScriptedProgram) -> None:
    engine, storage, moves = LocalEngine(HandExecutor()), DiskStorage(tmp_path / "storage"), list[str]()
    n_moves: list[int] = []
    engine.call_when_moved(lambda: moves.append("moved"))
    for key, tenant in (("1", "a"), ("2", "a"), ("3", "b")):  # the last stands before the second
        task = Task(key, command_of(program.path), (), storage, tenant=tenant)
        engine.submit(task, lambda report: None)
        n_moves.append(len(moves))
    engine.close()
    assert n_moves == [0, 0, 1]


def test_a_cancellation_is_told_even_when_there_is_no_thread_to_spare(
    make_queue: MakeQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = HandExecutor()
    jobs = [ensure(make_queue(program.path, executor=executor), str(i)) for i in range(2)]

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for future in executor.futures:
            future.cancel()
    assert {job.wait(0).error for job in jobs} == {"The executor cancelled this job before it began."}


def test_many_that_are_cancelled_at_once_are_all_told(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    queue = make_queue(program.path, executor=executor)
    running, *waiting = [ensure(queue, str(i)) for i in range(300)]
    program.wait_reached("gate")
    executor.shutdown(wait=False, cancel_futures=True)
    assert {job.wait(10).error for job in waiting} == {"The executor cancelled this job before it began."}
    program.release("gate")
    assert running.wait(10).returncode == 0


def test_a_job_that_is_cancelled_while_others_are_told_is_told_too(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    """By the same thread: an observer that is slow at the first job's end holds up the second's, not the executor."""
    executor = HandExecutor()
    queue = make_queue(program.path, executor=executor)
    first, second = ensure(queue, "a"), ensure(queue, "b")
    told, go_on = threading.Event(), threading.Event()

    def be_slow() -> None:
        told.set()
        assert go_on.wait(10)

    second.progress.subscribe(on_completed=be_slow)
    executor.futures[0].cancel()
    assert told.wait(10)
    executor.futures[1].cancel()
    assert first.state is State.PENDING
    go_on.set()
    assert first.wait(10).error == "The executor cancelled this job before it began."


# Closing


def test_closing_ends_what_waits_and_lets_finish_what_runs(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=1)
    running, *waiting = [ensure(queue, str(i)) for i in range(3)]
    program.wait_reached("gate")
    closing = threading.Thread(target=queue.close)
    closing.start()
    assert [job.wait(10).error for job in waiting] == [CLOSED_PENDING] * 2
    assert running.state is State.RUNNING
    program.release("gate")
    join(closing)
    assert running.wait(0).returncode == 0
    assert queue.ensure_run(("0",)) is None
    with pytest.raises(QueueClosed, match="the work queue was closed; it takes no new jobs"):
        queue.ensure_run(("1",))


def test_closing_without_time_terminates_what_runs(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    queue.close(drain=0.0)
    assert job.wait(0) == Progress(fraction=1.0, returncode=-15, error=CLOSED_RUNNING)
    assert job.n_watchers == 0
    assert list(queue.storage_dir.glob(".tmp/*")) == []


def test_a_program_that_ignores_the_first_signal_is_killed(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "TERMINATE_SECONDS", 0.05)
    program = write_program(tmp_path / "program", "trap '' TERM; echo 0.5; while :; do sleep 1000; done")
    queue = make_queue(program)
    job = ensure(queue, "a")
    wait_for(job, lambda progress: progress.fraction == 0.5)
    queue.close(drain=0.0)
    assert job.wait(0) == Progress(fraction=1.0, returncode=-9, error=CLOSED_RUNNING)


def test_a_program_that_builds_when_it_is_terminated_has_built(make_queue: MakeQueue, tmp_path: Path) -> None:
    text = "trap 'echo built > \"$output\"; exit 0' TERM; echo 0.5; sleep 1000 & wait"
    queue = make_queue(write_program(tmp_path / "program", text))
    job = ensure(queue, "a")
    wait_for(job, lambda progress: progress.fraction == 0.5)
    queue.close(drain=0.0)
    assert job.wait(0).returncode == 0
    assert queue.ensure_run(("a",)) is None


def test_a_program_that_starts_after_the_signal_gets_it_all_the_same(
    make_queue: MakeQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window: the run has begun, its process is not there yet."""
    begun, stopped = threading.Event(), threading.Event()
    workspace, stop = DiskStorage.workspace, local.LocalRun.stop

    def make_slowly(self: DiskStorage, key: str, *more: Any) -> object:
        begun.set()
        assert stopped.wait(10)
        return workspace(self, key, *more)

    def stop_and_tell(self: local.LocalRun, grace: float, outcome: Progress) -> None:
        stop(self, grace, outcome)
        stopped.set()

    monkeypatch.setattr(DiskStorage, "workspace", make_slowly)
    monkeypatch.setattr(local.LocalRun, "stop", stop_and_tell)
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    assert begun.wait(10)
    queue.close(drain=0.0)
    assert job.wait(0) == Progress(fraction=1.0, returncode=-15, error=CLOSED_RUNNING)


def test_programs_that_end_in_time_are_not_signalled(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    program.release("gate")
    queue.close(drain=30.0)
    assert job.wait(0).returncode == 0


def test_closing_may_finish_what_waits(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=1)
    jobs = [ensure(queue, str(i)) for i in range(3)]
    program.release("gate", times=3)
    queue.close(pending="finish")
    assert [job.wait(0).returncode for job in jobs] == [0, 0, 0]
    with pytest.raises(QueueClosed):
        queue.ensure_run(("late",))


def test_closing_finishes_what_waits_only_as_far_as_its_time_goes(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=1)
    running, waiting = ensure(queue, "a"), ensure(queue, "b")
    program.wait_reached("gate")
    queue.close(drain=0.05, pending="finish")
    assert running.wait(0).error == CLOSED_RUNNING
    assert waiting.wait(0).error == CLOSED_PENDING
    assert len(program.runs) == 1


def test_an_observer_may_close_the_queue_whose_job_is_telling_it(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=1)
    running, waiting = ensure(queue, "a"), ensure(queue, "b")
    running.progress.subscribe(on_completed=queue.close)
    program.wait_reached("gate")
    program.release("gate")
    assert running.wait(10).returncode == 0
    assert waiting.wait(10).error == CLOSED_PENDING


@pytest.mark.parametrize(("options", "text"), [({"drain": -1.0}, "drain must be"), ({"pending": "no"}, "pending must")])
def test_closing_in_a_way_that_there_is_not_is_refused(
    make_queue: MakeQueue, program: ScriptedProgram, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        make_queue(program.path).close(**options)  # type: ignore[arg-type]


def test_closing_is_idempotent_and_may_be_done_by_several_at_once(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path)
    jobs = [ensure(queue, str(i)) for i in range(6)]
    program.wait_reached("gate")
    barrier = threading.Barrier(4)

    def close() -> None:
        barrier.wait(10)
        queue.close(drain=0.0)

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    join(*threads)
    queue.close()
    assert {job.wait(0).error for job in jobs} == {CLOSED_RUNNING, CLOSED_PENDING}


def test_a_callers_executor_is_closed_to_this_queue_alone(
    make_queue: MakeQueue, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    queue, other = (make_queue(program.path, executor=executor, storage_dir=program.path.parent / d) for d in "ab")
    first, second, others = ensure(queue, "a"), ensure(queue, "b"), ensure(other, "a")
    program.wait_reached("gate")
    queue.close(drain=0.0)
    assert [job.wait(0).error for job in (first, second)] == [CLOSED_RUNNING, CLOSED_PENDING]
    program.release("gate")
    assert others.wait(10).returncode == 0


def test_an_engine_that_is_closed_runs_nothing_more(
    tmp_path: Path, program: ScriptedProgram, executor: ThreadPoolExecutor
) -> None:
    """Also what was on its way to it when it was closed; the executor may be open still, and idle."""
    engine = LocalEngine(executor)
    engine.close()
    told: list[Progress] = []
    ticket = engine.submit(Task("key", command_of(program.path), (), DiskStorage(tmp_path / "storage")), told.append)
    assert [progress.error for progress in told] == [CLOSED_PENDING]
    assert ticket.n_ahead() == 0
    assert program.runs == []


def test_a_task_that_is_being_submitted_while_the_engine_closes_is_ended(
    tmp_path: Path, program: ScriptedProgram
) -> None:
    """The window: the task is known to the engine, and has no future yet."""
    submitting, closed = threading.Event(), threading.Event()

    class Slow(HandExecutor):
        def submit(self, function: Callable[..., None], /, *args: object, **options: object) -> "Future[None]":  # type: ignore[override]
            submitting.set()
            assert closed.wait(10)
            return super().submit(function, *args, **options)

    engine = LocalEngine(Slow())
    told: list[Progress] = []
    task = Task("key", command_of(program.path), (), DiskStorage(tmp_path / "storage"))
    submit = threading.Thread(target=lambda: engine.submit(task, told.append))
    submit.start()
    assert submitting.wait(10)
    close = threading.Thread(target=engine.close)
    close.start()
    while not engine._is_closed:
        close.join(0.001)
    closed.set()
    join(submit, close)
    assert [progress.error for progress in told] == [CLOSED_PENDING]


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_leaving_the_block_by_an_error_stops_what_runs(
    program: ScriptedProgram, tmp_path: Path, error: type[BaseException]
) -> None:
    jobs: list[Job] = []

    def leave() -> None:
        with WorkQueue(program.path, storage_dir=tmp_path / "storage") as queue:
            jobs.append(ensure(queue, "a"))
            program.wait_reached("gate")
            raise error

    with pytest.raises(error):
        leave()
    assert jobs[0].wait(0).error == CLOSED_RUNNING


def test_leaving_the_block_waits_for_what_runs(program: ScriptedProgram, tmp_path: Path) -> None:
    with WorkQueue(program.path, storage_dir=tmp_path / "storage") as queue:
        job = ensure(queue, "a")
        program.wait_reached("gate")
        program.release("gate")
    assert job.wait(0).returncode == 0


def test_a_result_is_found_in_a_closed_queue(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    program.release("gate")
    ensure(queue, "a").wait(10)
    queue.close()
    assert queue.ensure_run(("a",)) is None
