"""Calls that other threads ask of an event loop: in order, a loop woken once for many, and others served in between."""

import asyncio
import gc
import threading

import pytest

from tests.streams.conftest import PATIENCE, in_thread, join
from workqueue.streams import doorbell as doorbells
from workqueue.streams.doorbell import CALLS_AT_ONCE, Doorbell, doorbell_of


class CountingLoop(asyncio.SelectorEventLoop):
    n_wakes = 0

    def call_soon_threadsafe(self, *arguments: object, **options: object) -> asyncio.Handle:
        self.n_wakes += 1
        return super().call_soon_threadsafe(*arguments, **options)  # type: ignore[arg-type]


def test_a_loop_has_one_doorbell_for_as_long_as_somebody_has_it() -> None:
    async def ask() -> Doorbell:
        return doorbell_of(asyncio.get_running_loop())

    with asyncio.Runner() as runner:
        first = runner.run(ask())
        assert runner.run(ask()) is first
        with asyncio.Runner() as other:
            assert other.run(ask()) is not first
        n_doorbells = len(doorbells._doorbells)
        del first
        gc.collect()
        assert len(doorbells._doorbells) < n_doorbells


def test_a_thousand_calls_come_in_order_and_wake_the_loop_once() -> None:
    called: list[int] = []
    n = 4 * CALLS_AT_ONCE
    loop = CountingLoop()

    async def main() -> int:
        all_called = asyncio.Event()
        doorbell = doorbell_of(loop)

        def ask() -> None:
            for i in range(n):
                doorbell.call_soon(lambda i=i: called.append(i))  # type: ignore[misc]
            doorbell.call_soon(all_called.set)

        before = loop.n_wakes
        # The loop waits here, so that it comes to no door in between.
        join(in_thread(ask))
        n_wakes = loop.n_wakes - before
        await asyncio.wait_for(all_called.wait(), PATIENCE)
        return n_wakes

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main()) == 1
    assert called == list(range(n))


def test_other_calls_of_the_loop_have_their_turn_in_between() -> None:
    turns: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        doorbell, all_called = doorbell_of(loop), asyncio.Event()
        for _ in range(2 * CALLS_AT_ONCE):
            doorbell.call_soon(lambda: turns.append("ours"))
        doorbell.call_soon(all_called.set)
        loop.call_soon(lambda: turns.append("another's"))
        await asyncio.wait_for(all_called.wait(), PATIENCE)

    asyncio.run(main())
    assert turns.index("another's") == CALLS_AT_ONCE


def test_a_call_that_is_asked_for_during_a_call_comes_after_it() -> None:
    called: list[str] = []

    async def main() -> None:
        doorbell, done = doorbell_of(asyncio.get_running_loop()), asyncio.Event()

        def first() -> None:
            doorbell.call_soon(lambda: (called.append("second"), done.set()))
            called.append("first")

        doorbell.call_soon(first)
        await asyncio.wait_for(done.wait(), PATIENCE)

    asyncio.run(main())
    assert called == ["first", "second"]


def test_a_closed_loop_says_so_to_each_who_rings() -> None:
    async def ask() -> Doorbell:
        return doorbell_of(asyncio.get_running_loop())

    doorbell = asyncio.run(ask())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            doorbell.call_soon(lambda: None)


def test_a_loop_that_was_closed_before_it_came_to_the_door_says_so_to_the_next() -> None:
    loop = asyncio.new_event_loop()
    rung = threading.Event()
    doorbell = Doorbell(loop)
    doorbell.call_soon(rung.set)
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        doorbell.call_soon(rung.set)
    assert not rung.is_set()
