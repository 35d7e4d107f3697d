"""Jobs that nobody watches are cancelled, if that is wanted."""

import math
import threading
from collections.abc import Callable

import pytest

from tests.conftest import ensure
from workqueue import Hooks, Job, JobSnapshot, State, WorkQueue
from workqueue.jobs.abandonment import Abandonment
from workqueue.testing import ManualEngine, ScriptedProgram, collect

MakeQueue = Callable[..., WorkQueue]


class Ends(Hooks):
    """Tells of an end without watching."""

    def __init__(self) -> None:
        self.each = threading.Semaphore(0)

    def ended(self, job: JobSnapshot) -> None:
        self.each.release()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_job_that_nobody_watches_is_cancelled(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    ends = Ends()
    job = ensure(make_queue(program.path, abandon_after=0.1, hooks=[ends]), "a")
    assert ends.each.acquire(timeout=10)
    assert (job.state, collect(job)[-1].returncode) == (State.CANCELLED, -998)


def test_a_watched_job_goes_on_and_the_thread_that_looks_ends_with_it(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    ends = Ends()
    queue = make_queue(program.path, abandon_after=0.5, hooks=[ends], max_running=2)
    watched = ensure(queue, "watched")
    is_half_done = threading.Event()
    subscription = watched.progress.subscribe(lambda told: is_half_done.set() if told.fraction == 0.5 else None)
    ensure(queue, "abandoned")
    assert ends.each.acquire(timeout=10)
    assert is_half_done.wait(10)
    assert watched.state is State.RUNNING
    subscription.dispose()
    assert ends.each.acquire(timeout=10)
    assert watched.state is State.CANCELLED
    # That no thread is left is seen after each test.


def test_the_thread_that_looks_ends_with_the_last_job_however_late_its_next_look_is(
    make_queue: MakeQueue, engine: ManualEngine
) -> None:
    job = ensure(make_queue("program", engine=engine, abandon_after=1e6), "a")
    [thread] = [thread for thread in threading.enumerate() if thread.name == "workqueue-abandonment"]
    job.cancel()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def jobs(queue: WorkQueue, engine: ManualEngine) -> list[Job]:
    jobs = [ensure(queue, name) for name in ("waits", "runs")]
    engine.start(jobs[1])
    return jobs


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def abandonment(jobs: list[Job], clock: Clock) -> Abandonment:
    return Abandonment(10.0, lambda: jobs, clock)


def states(jobs: list[Job]) -> list[State]:
    return [job.state for job in jobs]


def test_it_takes_the_whole_time(jobs: list[Job], abandonment: Abandonment, clock: Clock) -> None:
    abandonment.look()
    clock.now = 9.9
    abandonment.look()
    assert states(jobs) == [State.PENDING, State.RUNNING]
    clock.now = 10.0
    abandonment.look()
    assert states(jobs) == [State.CANCELLED, State.CANCELLING]
    abandonment.look()


@pytest.mark.parametrize("visit", ["subscribe", "ask", "wait"])
def test_who_comes_and_leaves_between_two_looks_begins_the_time_anew(
    visit: str, queue: WorkQueue, jobs: list[Job], abandonment: Abandonment, clock: Clock
) -> None:
    abandonment.look()
    clock.now = 9.0
    if visit == "subscribe":
        jobs[0].progress.subscribe(lambda _: None).dispose()
    elif visit == "ask":
        assert queue.ensure_run(("waits",)) is jobs[0]
    else:
        with pytest.raises(TimeoutError):
            jobs[0].wait(0)
    clock.now = 10.0
    abandonment.look()
    assert states(jobs) == [State.PENDING, State.CANCELLING]
    clock.now = 20.0
    abandonment.look()
    assert jobs[0].state is State.CANCELLED


def test_a_thread_that_waits_watches(jobs: list[Job], abandonment: Abandonment, clock: Clock) -> None:
    thread = threading.Thread(target=jobs[0].wait)
    thread.start()
    while not jobs[0].n_watchers:
        pass
    abandonment.look()
    clock.now = 100.0
    abandonment.look()
    assert states(jobs) == [State.PENDING, State.CANCELLING]
    jobs[0].cancel()
    thread.join(10)


def test_who_comes_between_the_look_and_the_cancel_keeps_the_job(queue: WorkQueue, jobs: list[Job]) -> None:
    """The window: the look has counted visits, the cancel has not yet compared them."""
    job = jobs[0]
    n_visits = job.n_visits
    assert queue.ensure_run(("waits",)) is job
    assert not job.abandon(n_visits)
    assert job.state is State.PENDING
    assert job.abandon(job.n_visits)
    assert job.state is State.CANCELLED


def test_a_job_that_could_not_be_looked_at_is_not_taken_and_the_next_one_is(
    make_queue: MakeQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system has no thread to spare; who joined the job meanwhile is told its end."""
    ends = Ends()
    queue = make_queue(program.path, abandon_after=60.0, hooks=[ends])
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "workqueue-abandonment":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            queue.ensure_run(("a",))
    assert ends.each.acquire(timeout=10)
    assert (queue.jobs(), queue.statistics().failed) == ([], 1)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    program.release("gate")
    assert job.wait(10).returncode == 0


@pytest.mark.parametrize("seconds", [0, -1.0, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(seconds: float, make_queue: MakeQueue) -> None:
    with pytest.raises(ValueError, match="abandon_after must be a number of seconds above 0"):
        make_queue("program", abandon_after=seconds)
