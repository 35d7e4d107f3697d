"""Who is woken when, on a clock that only the test moves."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.streams.waiters import TOLERANCE, WAKE_AT_ONCE, Waiters, settle


class Timer:
    def __init__(self, when: float, function: Callable[[], Any]) -> None:
        self.when = when
        self.function = function
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class NotedFuture(asyncio.Future[bool]):
    """Notes when it got its result."""

    def __init__(self, clock: "Clock", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.clock = clock
        self.begun = clock.now
        self.ended: float | None = None

    def set_result(self, result: bool) -> None:
        super().set_result(result)
        self.ended = self.clock.now


class Clock:
    """Of an event loop, what waiters use."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []
        self._loop = asyncio.new_event_loop()

    def time(self) -> float:
        return self.now

    def create_future(self) -> NotedFuture:
        return NotedFuture(self, self._loop)

    def call_at(self, when: float, function: Callable[[], Any]) -> Timer:
        self.timers.append(Timer(when, function))
        return self.timers[-1]

    def pending(self) -> list[Timer]:
        return sorted((timer for timer in self.timers if not timer.is_cancelled), key=lambda timer: timer.when)

    def move(self, seconds: float) -> None:
        """Let time pass, and call what is due on the way, at its time."""
        end = self.now + seconds
        while (pending := self.pending()) and pending[0].when <= end:
            self.now = max(self.now, pending[0].when)
            self.timers.remove(pending[0])
            pending[0].function()
        self.now = end

    def close(self) -> None:
        self._loop.close()


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    clock.close()


def waiters_of(clock: Clock, patience: float | None = 10.0) -> Waiters:
    return Waiters(clock, patience)  # type: ignore[arg-type]


def results(*futures: asyncio.Future[bool]) -> list[bool | None]:
    return [future.result() if future.done() else None for future in futures]


def test_each_is_timed_out_after_its_own_patience(clock: Clock) -> None:
    waiters = waiters_of(clock)
    first = waiters.add(1)
    clock.move(5)
    second = waiters.add(2)
    clock.move(4.9)
    assert results(first, second) == [None, None]
    clock.move(0.3)
    assert results(first, second) == [False, None]
    clock.move(5)
    assert results(first, second) == [False, False]
    assert len(waiters) == 0
    assert clock.pending() == []


def test_there_is_one_timer_however_many_wait(clock: Clock) -> None:
    waiters = waiters_of(clock)
    for reader in range(100):
        waiters.add(reader)
        clock.move(0.01)
    assert len(clock.pending()) == 1


def test_those_whose_patience_is_over_at_about_the_same_time_are_timed_out_by_one_timer(clock: Clock) -> None:
    waiters = waiters_of(clock)
    futures = []
    for reader in range(10):
        futures.append(waiters.add(reader))
        clock.move(10 * TOLERANCE / 20)
    (timer,) = clock.timers
    clock.move(timer.when - clock.now)
    assert results(*futures) == [False] * 10
    assert clock.timers == []


def test_more_than_are_woken_at_once_are_timed_out_a_part_per_turn(clock: Clock) -> None:
    waiters = waiters_of(clock)
    futures = [waiters.add(reader) for reader in range(WAKE_AT_ONCE + 1)]
    clock.now += 11
    (timer,) = clock.pending()
    clock.timers.clear()
    timer.function()
    assert results(*futures) == [False] * WAKE_AT_ONCE + [None]
    (timer,) = clock.pending()
    assert timer.when <= clock.now
    timer.function()
    assert results(futures[-1]) == [False]


def test_who_is_woken_is_not_timed_out_and_its_siblings_are(clock: Clock) -> None:
    waiters = waiters_of(clock)
    futures = [waiters.add(reader) for reader in range(3)]
    waiters.wake(0)
    waiters.wake(0)
    waiters.wake(7)
    assert results(*futures) == [True, None, None]
    clock.move(11)
    assert results(*futures) == [True, False, False]


def test_when_the_last_one_leaves_no_timer_stays_and_the_next_one_starts_it_again(clock: Clock) -> None:
    waiters = waiters_of(clock)
    waiters.add(1)
    waiters.wake(1)
    assert clock.pending() == []
    future = waiters.add(1)
    clock.move(11)
    assert results(future) == [False]


def test_who_waits_again_after_a_wake_of_all_has_its_whole_patience(clock: Clock) -> None:
    waiters = waiters_of(clock)
    first = waiters.add(1)
    clock.move(9)
    taken = waiters.take_all()
    assert taken == [first]
    assert len(waiters) == 0
    second = waiters.add(1)
    clock.move(9)
    assert results(first, second) == [None, None]
    clock.move(1.2)
    assert results(first, second) == [None, False]


def test_after_a_wake_of_all_with_nobody_back_the_timer_finds_nobody_and_stops(clock: Clock) -> None:
    waiters = waiters_of(clock)
    waiters.add(1)
    waiters.take_all()
    clock.move(11)
    assert clock.timers == []
    future = waiters.add(1)
    clock.move(11)
    assert results(future) == [False]


def test_without_a_limit_to_their_patience_they_need_no_timer(clock: Clock) -> None:
    waiters = waiters_of(clock, None)
    future = waiters.add(1)
    assert clock.timers == []
    waiters.wake(1)
    assert results(future) == [True]


def test_stopped_it_times_nobody_out(clock: Clock) -> None:
    waiters = waiters_of(clock)
    future = waiters.add(1)
    waiters.stop()
    waiters.stop()
    clock.move(100)
    assert results(future) == [None]


def test_a_cancelled_future_is_let_alone(clock: Clock) -> None:
    waiters = waiters_of(clock)
    for reader in range(2):
        waiters.add(reader).cancel()
    waiters.wake(0)
    clock.move(11)
    assert len(waiters) == 0
    future = waiters.add(2)
    settle(future, has_news=False)
    settle(future, has_news=True)
    assert results(future) == [False]


@given(
    st.lists(st.tuples(st.sampled_from(["add", "wake", "take all"]), st.integers(0, 9), st.floats(0, 4)), max_size=60)
)
def test_nobody_is_timed_out_early_nor_later_than_the_tolerance(moves: list[tuple[str, int, float]]) -> None:
    clock = Clock()
    waiters = waiters_of(clock)
    futures: list[Any] = []
    for move, reader, seconds in moves:
        if move == "add":
            futures.append(waiters.add(len(futures)))
        elif move == "wake":
            waiters.wake(reader)
        elif move == "take all":
            for future in waiters.take_all():
                settle(future, has_news=True)
        clock.move(seconds)
    assert len(waiters) == sum(not future.done() for future in futures)
    clock.move(20)
    for future in futures:
        waited = future.ended - future.begun
        if future.result():
            assert waited <= 10 * (1 + TOLERANCE) + 1e-6
        else:
            assert 10 <= waited <= 10 * (1 + TOLERANCE) + 1e-6
    clock.close()
