"""What the tests of streams share: an observer that records, threads that start at once, nothing left behind."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from reactivex import abc

from workqueue.streams import ProgressSubject, callback, hub

#: Only a test that hangs ever waits so long.
PATIENCE = 30.0


class Recorder(abc.ObserverBase[Any]):
    """An observer that keeps what it is told; endings are "completed" or the error."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.endings: list[Any] = []
        self.ended = threading.Event()

    def on_next(self, value: Any) -> None:
        self.values.append(value)

    def on_error(self, error: Exception) -> None:
        self._end(error)

    def on_completed(self) -> None:
        self._end("completed")

    def _end(self, ending: Any) -> None:
        self.endings.append(ending)
        self.ended.set()


class Gate:
    """A place in a test where one thread stops until another has looked."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened = threading.Event()

    def stop_here(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def wait_until_reached(self) -> None:
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()


def run_together(*functions: Callable[[], Any]) -> list[Any]:
    """Run each function in a thread of its own, all started at one moment; return or raise what they did."""
    barrier = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE)
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        futures = [pool.submit(run, function) for function in functions]
        return [future.result(PATIENCE) for future in futures]


def in_thread(function: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def join(thread: threading.Thread) -> None:
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def turns(n: int = 5) -> None:
    """Let the event loop go round so many times."""
    for _ in range(n):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test no hub, no callback's task and no callback's thread is left."""
    yield
    for thread in threading.enumerate():
        if thread.name == "workqueue-callback":
            join(thread)
    left = [*hub._hubs.values(), *callback._tasks]
    # So that one test's leak does not fail the next test too.
    hub._hubs.clear()
    callback._tasks.clear()
    assert left == []


def subject_of(*values: int) -> ProgressSubject[int]:
    subject = ProgressSubject[int]()
    for value in values:
        subject.on_next(value)
    return subject


def finished(*values: int) -> ProgressSubject[int]:
    subject = subject_of(*values)
    subject.on_completed()
    return subject
