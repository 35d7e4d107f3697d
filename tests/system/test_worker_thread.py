"""A thread that serves many: there while there is something to do, and ended by nothing else."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from tests.streams.conftest import PATIENCE, Gate
from workqueue.system import worker_thread
from workqueue.system.worker_thread import WorkerThread

NAME = "workqueue-test"


class Work:
    """Functions to be called by a worker thread, and what they returned."""

    def __init__(self) -> None:
        self.left: deque[Callable[[], object]] = deque()
        self.results: SimpleQueue[object] = SimpleQueue()
        self.worker = WorkerThread(NAME, self._turn)

    def add(self, function: Callable[[], object]) -> None:
        self.left.append(function)
        self.worker.start()

    def _turn(self) -> bool:
        if not self.left:
            return False
        self.results.put(self.left.popleft()())
        return True


@pytest.fixture
def work() -> Work:
    return Work()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def raising(error: BaseException) -> Callable[[], object]:
    def function() -> object:
        raise error

    return function


def test_the_thread_is_there_while_there_is_work_and_has_ended_after_join(work: Work) -> None:
    assert threads() == []
    gate = Gate()
    work.add(gate.stop_here)
    gate.wait_until_reached()
    [thread] = threads()
    assert thread.daemon
    work.add(threading.current_thread)
    gate.open()
    work.results.get(timeout=PATIENCE)
    assert work.results.get(timeout=PATIENCE) is thread
    work.worker.join()
    assert threads() == []
    work.add(lambda: "another thread")
    assert work.results.get(timeout=PATIENCE) == "another thread"
    work.worker.join()


@pytest.mark.parametrize("kind", [OSError, SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_whatever_a_turn_raises_is_logged_and_the_same_thread_goes_on(
    work: Work, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    work.add(gate.stop_here)
    gate.wait_until_reached()
    before = threads()
    work.add(raising(kind("a turn's")))
    work.add(threading.current_thread)
    gate.open()
    work.results.get(timeout=PATIENCE)
    assert [work.results.get(timeout=PATIENCE)] == before
    [record] = caplog.records
    assert record.getMessage() == f"the thread {NAME} goes on after an exception"
    assert record.exc_info is not None
    assert record.exc_info[0] is kind
    work.worker.join()


def test_turns_that_raise_one_after_the_other_wait_longer_and_longer(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        slept: SimpleQueue[float] = SimpleQueue()

        def sleep(self, seconds: float) -> None:
            self.slept.put(seconds)

    clock = Clock()
    monkeypatch.setattr(worker_thread, "time", clock)
    work.left.extend([*map(raising, [OSError(i) for i in range(5)]), lambda: "well", raising(OSError())])
    work.worker.start()
    assert [clock.slept.get(timeout=PATIENCE) for _ in range(6)] == [0.0, 0.01, 0.1, 1.0, 1.0, 0.0]
    work.worker.join()


@pytest.mark.filterwarnings("ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_by_an_accident_is_replaced(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logging of what a turn raised raises, too."""

    def fail(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger("workqueue"), "exception", fail)
        gate, before = Gate(), threading.enumerate()
        work.add(gate.stop_here)
        gate.wait_until_reached()
        [first] = threads()
        work.add(raising(OSError()))
        work.add(threading.current_thread)
        gate.open()
        work.results.get(timeout=PATIENCE)
        second = work.results.get(timeout=PATIENCE)
    assert isinstance(second, threading.Thread)
    assert second is not first
    work.worker.join()
    first.join(PATIENCE)
    assert threading.enumerate() == before


@pytest.mark.filterwarnings("ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_could_not_be_replaced_is_started_by_the_next_call(
    work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise SystemExit

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    gate = Gate()
    work.add(gate.stop_here)
    gate.wait_until_reached()
    [first] = threads()
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger("workqueue"), "exception", fail)
        patch.setattr(threading.Thread, "start", refuse)
        work.add(raising(OSError()))
        work.add(lambda: "done")
        gate.open()
        first.join(PATIENCE)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            work.worker.start()
    assert f"the thread {NAME} has ended, and no other can be started now" in caplog.text
    assert threads() == []
    work.results.get(timeout=PATIENCE)
    work.worker.start()
    assert work.results.get(timeout=PATIENCE) == "done"
    work.worker.join()


def test_a_start_that_falls_into_the_last_turn_is_not_lost() -> None:
    """The window: the turn found nothing, and has not said so yet."""
    gate, work, done = Gate(), deque[str](), SimpleQueue[str]()

    def turn() -> bool:
        if work:
            done.put(work.popleft())
            return True
        gate.stop_here()
        return False

    worker = WorkerThread(NAME, turn)
    worker.start()
    gate.wait_until_reached()
    work.append("late")
    worker.start()
    gate.open()
    assert done.get(timeout=PATIENCE) == "late"
    worker.join()
    assert threads() == []


def test_who_is_called_by_the_thread_does_not_wait_for_it(work: Work) -> None:
    def join() -> bool:
        work.worker.join()
        return work.worker.is_current()

    work.add(join)
    assert work.results.get(timeout=PATIENCE) is True
    assert not work.worker.is_current()
    work.worker.join()


def test_join_has_an_end_though_a_turn_has_none(work: Work) -> None:
    gate = Gate()
    work.add(gate.stop_here)
    gate.wait_until_reached()
    work.worker.join(0.01)
    assert len(threads()) == 1
    gate.open()
    work.worker.join()


def test_join_before_any_start_does_nothing(work: Work) -> None:
    work.worker.join()


def test_of_many_that_start_it_at_once_all_are_served_by_one_thread_at_a_time(work: Work) -> None:
    n_threads, n_each, most = 8, 200, 0

    def add_each() -> None:
        nonlocal most
        for _ in range(n_each):
            work.add(threading.current_thread)
            most = max(most, sum(thread is work.worker._thread for thread in threads()))

    adders = [threading.Thread(target=add_each) for _ in range(n_threads)]
    for adder in adders:
        adder.start()
    served = [work.results.get(timeout=PATIENCE) for _ in range(n_threads * n_each)]
    for adder in adders:
        adder.join(PATIENCE)
    assert {thread.name for thread in served if isinstance(thread, threading.Thread)} == {NAME}
    assert most <= 1
    work.worker.join()
