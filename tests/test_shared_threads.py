"""What one client's observer, or one hook, raises in a thread that serves many costs the others nothing.

SystemExit, a library's timeout and the like are no Exception; each of them, in each thread, with real queues.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import pytest

from tests.conftest import ensure
from tests.streams.conftest import PATIENCE, Gate, Recorder, in_thread, join
from workqueue import Hooks, Job, JobSnapshot, Progress, State, WorkQueue
from workqueue.engines.host.notices import Notices
from workqueue.engines.local.later import Later
from workqueue.engines.local.refusals import Refusals
from workqueue.testing import ManualEngine, ScriptedProgram

MakeQueue = Callable[..., WorkQueue]

R = TypeVar("R", bound=Recorder)


class Timeout(BaseException):
    """As gevent's and eventlet's are."""


@pytest.fixture(params=[RuntimeError, SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, Timeout])
def error(request: pytest.FixtureRequest) -> BaseException:
    kind: type[BaseException] = request.param
    return kind("one's own")


class Raiser(Recorder):
    """Raises in every thread but the one that subscribes, whose own exception it would be."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error
        self.raised_in: list[str] = []

    def on_next(self, value: object) -> None:
        super().on_next(value)
        self._raise()

    def on_completed(self) -> None:
        super().on_completed()
        self._raise()

    def _raise(self) -> None:
        thread = threading.current_thread()
        if thread is not threading.main_thread():
            self.raised_in.append(thread.name)
            raise self._error


class RaiserAtTheEnd(Raiser):
    def on_next(self, value: object) -> None:
        Recorder.on_next(self, value)


def watched(job: Job, observer: R) -> R:
    job.progress.subscribe(observer)
    return observer


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("kind", [Raiser, RaiserAtTheEnd])
def test_the_thread_that_runs_a_program(
    make_queue: MakeQueue,
    program: ScriptedProgram,
    error: BaseException,
    kind: type[Raiser],
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = make_queue(program.path, max_running=1)
    jobs = [ensure(queue, str(i)) for i in range(2)]
    raisers = [watched(jobs[0], kind(error)) for _ in range(2)]
    sibling = watched(jobs[0], Recorder())
    for job in jobs:
        program.wait_reached("gate")
        program.release("gate")
        assert job.wait(PATIENCE).returncode == 0
    assert sibling.values[-1].returncode == 0
    assert sibling.endings == ["completed"]
    for raiser in raisers:
        [name] = raiser.raised_in  # and then it was dropped
        assert name.startswith("workqueue_")
    assert caplog.text.count("an observer of progress raised") == 2


def test_the_follower(make_queue: MakeQueue, program: ScriptedProgram, error: BaseException) -> None:
    """Two queues over one storage are as two processes: the second follows what the first runs."""
    leader, follower = make_queue(program.path), make_queue(program.path)
    for key in ("a", "b"):
        led = ensure(leader, key)
        program.wait_reached("gate")
        followed = ensure(follower, key)
        raiser, sibling = watched(followed, Raiser(error)), watched(followed, Recorder())
        program.release("gate")
        assert led.wait(PATIENCE).returncode == 0
        assert followed.wait(PATIENCE).returncode == 0
        assert raiser.raised_in == ["workqueue-follower"]
        assert sibling.endings == ["completed"]
    follower.close()
    leader.close()
    assert "workqueue-follower" not in names()


def test_the_herald(queue: WorkQueue, engine: ManualEngine, error: BaseException) -> None:
    jobs = [ensure(queue, str(i)) for i in range(6)]
    places: SimpleQueue[int] = SimpleQueue()

    def fail(progress: Progress) -> None:
        if threading.current_thread().name == "workqueue-herald":
            raise error

    for job in jobs[1:5]:
        job.progress.subscribe(fail)
    jobs[5].progress.subscribe(lambda progress: places.put(progress.n_ahead_in_queue))
    for n_left in range(5, 0, -1):
        while places.get(timeout=PATIENCE) != n_left:
            pass
        engine.start(jobs[5 - n_left])
        engine.fail(jobs[5 - n_left])
    queue.close()
    assert "workqueue-herald" not in names()


def test_the_herald_tells_the_others_when_a_place_cannot_be_looked_up(
    queue: WorkQueue, engine: ManualEngine, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [ensure(queue, str(i)) for i in range(8)]
    refresh, places = Job.refresh_place, SimpleQueue[int]()

    def fail_for_all_but_the_last(job: Job) -> None:
        if job is not jobs[7] and threading.current_thread().name == "workqueue-herald":
            raise error
        refresh(job)

    for job in jobs[1:7]:
        job.progress.subscribe(lambda _: None)
    jobs[7].progress.subscribe(lambda progress: places.put(progress.n_ahead_in_queue))
    assert places.get(timeout=PATIENCE) == 7
    # Six raise, so that hardly ever the last one is told before the first that raises.
    monkeypatch.setattr(Job, "refresh_place", fail_for_all_but_the_last)
    engine.fail(jobs[0])
    assert places.get(timeout=PATIENCE) == 6
    queue.close()


def test_the_thread_of_the_hooks(
    make_queue: MakeQueue, program: ScriptedProgram, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad(Hooks):
        def queued(self, job: JobSnapshot) -> None:
            raise error

        def ended(self, job: JobSnapshot) -> None:
            raise error

    class Good(Hooks):
        def __init__(self) -> None:
            self.ends: SimpleQueue[State] = SimpleQueue()

        def ended(self, job: JobSnapshot) -> None:
            self.ends.put(job.state)

    good = Good()
    queue = make_queue(program.path, hooks=[Bad(), good])
    for i in range(2):
        job = ensure(queue, str(i))
        program.wait_reached("gate")
        program.release("gate")
        job.wait(PATIENCE)
        assert good.ends.get(timeout=PATIENCE) is State.SUCCEEDED
    assert caplog.text.count("a hook raised") == 4
    queue.close()
    assert "workqueue-hooks" not in names()


def test_the_thread_that_cancels_what_nobody_watches(
    make_queue: MakeQueue, program: ScriptedProgram, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: SimpleQueue[str] = SimpleQueue()
    abandon = Job.abandon

    class Ends(Hooks):
        def ended(self, job: JobSnapshot) -> None:
            ended.put(str(job.params))

    def fail_for_the_first(job: Job, n_visits: int) -> bool:
        if job.params == ("first",):
            raise error
        return abandon(job, n_visits)

    queue = make_queue(program.path, abandon_after=0.1, hooks=[Ends()], max_running=2)
    with monkeypatch.context() as patch:
        patch.setattr(Job, "abandon", fail_for_the_first)
        first, second = ensure(queue, "first"), ensure(queue, "second")
        assert "second" in ended.get(timeout=PATIENCE)
        assert (first.state.is_final, second.state) == (False, State.CANCELLED)
    assert "first" in ended.get(timeout=PATIENCE)
    queue.close()
    assert "workqueue-abandonment" not in names()


def test_the_thread_that_refuses_what_an_executor_lost(
    make_queue: MakeQueue, program: ScriptedProgram, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    executor = ThreadPoolExecutor(1)
    queue = make_queue(program.path, executor=executor)
    running = ensure(queue, "running")
    program.wait_reached("gate")
    lost = [ensure(queue, str(i)) for i in range(4)]
    for job in lost:
        job.progress.subscribe(lambda progress: None, on_completed=lambda: _raise(error))
    executor.shutdown(wait=False, cancel_futures=True)
    for job in lost:
        assert "The executor cancelled this job" in (job.wait(PATIENCE).error or "")
    program.release("gate")
    assert running.wait(PATIENCE).returncode == 0
    queue.close()
    assert "workqueue-refusals" not in names()
    assert caplog.text.count("an observer of progress raised at the end of the stream") == 4


def test_who_closes_waits_for_the_thread_that_refuses() -> None:
    gate = Gate()

    def is_short() -> bool:
        gate.stop_here()
        return False

    refusals = Refusals(is_short, list, lambda run, outcome: False)
    refusals.add("a reason")
    gate.wait_until_reached()
    closer = in_thread(refusals.close)
    closer.join(0.05)
    assert closer.is_alive()
    gate.open()
    join(closer)
    assert "workqueue-refusals" not in names()


def _raise(error: BaseException) -> None:
    raise error


def test_the_thread_that_calls_later(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    later, called = Later(), threading.Event()
    later.call(0.0, lambda: _raise(error))
    later.call(0.01, called.set)
    assert called.wait(PATIENCE)
    later.close()
    assert "workqueue-later" not in names()
    assert caplog.text.count("exception in workqueue") == 1


def test_of_tasks_that_stand_in_each_others_way_none_is_lost_with_the_turn_of_another(
    make_queue: MakeQueue, program: ScriptedProgram, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage raises when a program is done; the thread goes on to the task that waited for this tenant's."""
    queue = make_queue(program.path, max_running=2, max_running_per_tenant=1, tenant=lambda _: "one")
    has = queue._storage.has

    def fail(key: str) -> bool:
        if threading.current_thread().name.startswith("workqueue_") and key == first.key:
            raise error
        return has(key)

    gate = Gate()
    monkeypatch.setattr(queue._engine.executor, "_initializer", gate.stop_here)
    first, second = ensure(queue, "first"), ensure(queue, "second")
    monkeypatch.setattr(queue._storage, "has", fail)
    gate.open()
    assert "Internal error" in (first.wait(PATIENCE).error or "")
    program.wait_reached("gate")
    program.release("gate")
    assert second.wait(PATIENCE).returncode == 0


def test_a_queue_that_closes_waits_for_the_read_of_its_notices(
    make_queue: MakeQueue, program: ScriptedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window: the thread that it shares with another queue is about to read them, by their descriptor's number."""
    other = make_queue(program.path, storage_dir=tmp_path / "other")
    queue = make_queue(program.path)
    jobs = [ensure(other, "a"), ensure(queue, "a")]
    for _ in jobs:
        program.wait_reached("gate")
    gate, done, read, close = Gate(), list[str](), Notices.read, Notices.close

    def is_ours(notices: Notices) -> bool:
        return notices._path.is_relative_to(queue.storage_dir)

    def slow(notices: Notices) -> list[str]:
        if not is_ours(notices):
            return read(notices)
        gate.stop_here()
        keys = read(notices)
        done.append("read")
        return keys

    def noted(notices: Notices) -> None:
        close(notices)
        if is_ours(notices):
            done.append("closed")

    with monkeypatch.context() as patch:
        patch.setattr(Notices, "read", slow)
        patch.setattr(Notices, "close", noted)
        Notices(queue.storage_dir / ".jobs").post("key")
        gate.wait_until_reached()
        closer = in_thread(lambda: queue.close(drain=0.0))
        assert jobs[1].wait(PATIENCE).returncode not in (None, 0)
        closer.join(0.05)
        assert (closer.is_alive(), done) == (True, [])
        gate.open()
        join(closer)
        assert done[:2] == ["read", "closed"]
    program.release("gate")
    assert jobs[0].wait(PATIENCE).returncode == 0


def test_an_interrupt_of_the_main_thread_reaches_it_and_the_job_ends(queue: WorkQueue) -> None:
    job = ensure(queue, "a")
    sibling = Recorder()
    job.progress.subscribe(lambda progress: _raise(KeyboardInterrupt()) if progress.returncode is not None else None)
    watched(job, sibling)
    with pytest.raises(KeyboardInterrupt):
        job.cancel()
    assert (job.state, sibling.endings) == (State.CANCELLED, ["completed"])
