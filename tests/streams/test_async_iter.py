"""`to_async_iter`, and the hub that its readers share."""

import asyncio
import functools
import gc
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.internal import DisposedException

from tests.streams.conftest import PATIENCE, finished, in_thread, join, run_together, subject_of, turns
from workqueue.streams import AsyncReader, ProgressSubject, hub, to_async_iter
from workqueue.streams.waiters import WAKE_AT_ONCE, settle


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test function of a coroutine function."""

    @functools.wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), PATIENCE))

    del run.__wrapped__  # type: ignore[attr-defined]
    return run


async def collect(reader: AsyncIterator[int]) -> list[int]:
    return [value async for value in reader]


async def take(reader: AsyncIterator[int], n: int) -> list[int]:
    return [await anext(reader) for _ in range(n)]


def the_hub() -> hub.Hub[Any]:
    (only,) = hub._hubs.values()
    return only


def n_waiting() -> int:
    return sum(len(waiters) for waiters in the_hub()._waiters.values())


# One reader


@on_a_loop
async def test_it_subscribes_at_the_first_value_asked_for_and_not_before() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)
    await turns()
    assert subject.n_observers == 0
    assert await anext(reader) == 1
    assert subject.n_observers == 1
    await reader.aclose()
    assert subject.n_observers == 0


def test_it_can_be_made_where_no_loop_runs_and_read_where_one_does() -> None:
    assert asyncio.run(collect(to_async_iter(finished(1)))) == [1]


@on_a_loop
async def test_it_gives_values_as_they_come_and_ends_with_the_source() -> None:
    subject, received = subject_of(), []

    async def read() -> None:
        async for value in to_async_iter(subject):
            received.append(value)

    task = asyncio.create_task(read())
    for value in range(5):
        await turns()
        subject.on_next(value)
    await turns()
    subject.on_completed()
    await task
    assert received == [0, 1, 2, 3, 4]
    assert subject.n_observers == 0


@on_a_loop
async def test_a_writer_in_another_thread_wakes_it() -> None:
    subject, told = subject_of(), threading.Semaphore(0)

    def write() -> None:
        for value in range(20):
            subject.on_next(value)
            assert told.acquire(timeout=PATIENCE)
        subject.on_completed()

    received = []
    reader = to_async_iter(subject)
    writer = asyncio.get_running_loop().run_in_executor(None, write)
    async for value in reader:
        received.append(value)
        told.release()
    await writer
    assert received == list(range(20))


@on_a_loop
async def test_a_finished_source_gives_its_last_value_and_ends() -> None:
    assert await collect(to_async_iter(finished(1, 2, 3))) == [3]
    assert await collect(to_async_iter(finished())) == []


@on_a_loop
async def test_a_buffer_of_n_gives_the_newest_n_of_what_is_unread() -> None:
    for buffer in (1, 2, 3, 5, 64):
        subject = subject_of()
        reader = to_async_iter(subject, buffer=buffer)
        task = asyncio.create_task(anext(reader))
        await turns()
        for value in range(5):
            subject.on_next(value)
        subject.on_completed()
        assert [await task, *await collect(reader)] == list(range(5))[-buffer:]


@on_a_loop
async def test_a_buffer_of_n_gives_the_newest_n_of_the_history() -> None:
    for buffer in (1, 2, 3, 5, 100):
        assert await collect(to_async_iter(finished(*range(5)), buffer=buffer)) == list(range(5))[-buffer:]


@on_a_loop
async def test_readers_with_different_buffers_share_a_subscription_and_each_gets_its_own_number() -> None:
    subject = subject_of()
    readers = {buffer: to_async_iter(subject, buffer=buffer) for buffer in (1, 4, 2)}
    tasks = {buffer: asyncio.create_task(collect(reader)) for buffer, reader in readers.items()}
    await turns()
    assert subject.n_observers == 1
    for value in range(5):
        subject.on_next(value)
    subject.on_completed()
    assert {buffer: await task for buffer, task in tasks.items()} == {1: [4], 2: [3, 4], 4: [1, 2, 3, 4]}


@on_a_loop
async def test_a_reader_slower_than_the_source_gets_the_latest_and_the_end() -> None:
    subject = subject_of(0)
    reader = to_async_iter(subject)
    assert await anext(reader) == 0
    for value in range(1, 100):
        subject.on_next(value)
    assert await anext(reader) == 99
    subject.on_next(100)
    subject.on_completed()
    assert await collect(reader) == [100]


@on_a_loop
async def test_it_reads_any_observable() -> None:
    assert await collect(to_async_iter(reactivex.of(1, 2, 3), buffer=3)) == [1, 2, 3]
    assert await collect(to_async_iter(finished(1, 2).pipe(ops.map(lambda value: value * 10)))) == [20]


@on_a_loop
async def test_a_heartbeat_repeats_the_latest_value() -> None:
    reader = to_async_iter(subject_of(1, 2), heartbeat=0.01)
    assert await take(reader, 4) == [2, 2, 2, 2]
    await reader.aclose()


@on_a_loop
async def test_there_is_no_heartbeat_before_the_first_value() -> None:
    subject = subject_of()
    task = asyncio.create_task(collect(to_async_iter(subject, heartbeat=1e-6)))
    await turns(50)
    assert not task.done()
    subject.on_completed()
    assert await task == []


@on_a_loop
async def test_a_value_that_comes_between_a_time_out_and_its_heartbeat_is_told_once_and_in_order() -> None:
    """Else the end of a job would be told twice, progress would go back, or, its wake spent, a reader never end."""
    subject = subject_of(0)
    reader = to_async_iter(subject, heartbeat=1000, buffer=3)
    assert await anext(reader) == 0
    task = asyncio.create_task(collect(reader))
    await turns()
    ((future, _),) = the_hub().waiters(1000)._waits.values()
    settle(future, has_news=False)  # the time-out strikes; its reader runs in the next turn
    for value in (1, 2, 3):
        subject.on_next(value)
    subject.on_completed()
    assert await task == [1, 2, 3]


@on_a_loop
async def test_the_last_value_is_not_repeated_once_the_source_has_ended() -> None:
    assert await collect(to_async_iter(finished(1), heartbeat=1e-9)) == [1]


@on_a_loop
async def test_a_wake_without_news_repeats_nothing() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)
    assert await anext(reader) == 1
    task = asyncio.create_task(anext(reader))
    for _ in range(3):
        await turns()
        the_hub()._wake_all()
    await turns()
    assert not task.done()
    subject.on_next(2)
    assert await task == 2
    await reader.aclose()


@on_a_loop
async def test_it_raises_what_the_source_ended_with_after_its_last_value() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)
    assert await anext(reader) == 1
    subject.on_next(2)
    subject.on_error(ValueError("boom"))
    assert await anext(reader) == 2
    with pytest.raises(ValueError, match="boom"):
        await anext(reader)
    assert await collect(reader) == []


@on_a_loop
async def test_a_source_that_refuses_subscribers_raises_at_the_first_value() -> None:
    subject = subject_of(1)
    subject.dispose()
    with pytest.raises(DisposedException):
        await anext(to_async_iter(subject))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"heartbeat": 0}, "heartbeat must be a number of seconds above 0, or None for none; got 0"),
        ({"heartbeat": float("nan")}, "heartbeat must be .* got nan"),
        ({"buffer": 0}, "buffer must be 1 or more unread values; got 0"),
    ],
)
def test_options_that_cannot_work_raise_at_the_call(options: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        to_async_iter(subject_of(1), **options)  # type: ignore[arg-type]


@on_a_loop
async def test_no_heartbeat_is_an_option() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject, heartbeat=None)
    assert await anext(reader) == 1
    task = asyncio.create_task(collect(reader))
    await turns()
    subject.on_completed()
    assert await task == []


def test_it_is_no_blocking_iterator() -> None:
    reader = to_async_iter(subject_of())
    assert isinstance(reader, AsyncReader)
    assert aiter(reader) is reader
    assert not hasattr(reader, "__iter__")
    assert not hasattr(reader, "__next__")


# Going away


@on_a_loop
async def test_aclose_ends_it_for_a_task_that_waits() -> None:
    subject = subject_of()
    reader = to_async_iter(subject)
    task = asyncio.create_task(collect(reader))
    await turns()
    assert subject.n_observers == 1
    await reader.aclose()
    await reader.aclose()
    assert await task == []
    assert subject.n_observers == 0


@on_a_loop
async def test_aclose_before_the_first_value_never_subscribes() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)
    await reader.aclose()
    assert await collect(reader) == []
    assert subject.n_observers == 0


@on_a_loop
async def test_a_value_on_its_way_does_not_reach_a_reader_that_was_closed() -> None:
    subject = subject_of()
    reader = to_async_iter(subject)
    task = asyncio.create_task(collect(reader))
    await turns()
    subject.on_next(1)
    await reader.aclose()
    assert await task == []


@on_a_loop
async def test_leaving_its_context_unsubscribes_also_by_an_exception() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)

    async def fail_inside() -> None:
        async with reader as entered:
            assert entered is reader
            assert await anext(reader) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_inside()
    assert subject.n_observers == 0
    assert await collect(reader) == []


@on_a_loop
async def test_cancelling_a_task_unsubscribes_it_and_not_its_siblings() -> None:
    subject = subject_of()
    tasks = [asyncio.create_task(collect(to_async_iter(subject))) for _ in range(3)]
    await turns()
    tasks[1].cancel()
    await turns()
    assert the_hub().n_readers == 2
    subject.on_next(1)
    subject.on_completed()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == results[2] == [1]
    assert isinstance(results[1], asyncio.CancelledError)
    assert subject.n_observers == 0


@on_a_loop
async def test_cancelling_the_last_reader_leaves_no_subscription() -> None:
    subject = subject_of()
    task = asyncio.create_task(collect(to_async_iter(subject)))
    await turns()
    assert subject.n_observers == 1
    task.cancel()
    await asyncio.wait([task])
    assert subject.n_observers == 0


@on_a_loop
async def test_a_time_out_of_its_reader_unsubscribes_and_ends_it() -> None:
    subject = subject_of()
    reader = to_async_iter(subject)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(reader), 0.01)
    assert subject.n_observers == 0
    assert await collect(reader) == []


@on_a_loop
async def test_abandoned_it_unsubscribes() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)
    await anext(reader)
    assert subject.n_observers == 1
    del reader
    gc.collect()
    await turns()
    assert subject.n_observers == 0


@on_a_loop
async def test_a_break_unsubscribes() -> None:
    subject = subject_of(1)
    async for _ in to_async_iter(subject):
        break
    gc.collect()
    await turns()
    assert subject.n_observers == 0


@on_a_loop
async def test_garbage_collected_by_another_thread_it_unsubscribes_on_its_loop() -> None:
    subject = subject_of(1)
    cycle: list[Any] = [to_async_iter(subject)]
    cycle.append(cycle)
    await anext(cycle[0])
    gc.disable()
    try:
        del cycle
        await asyncio.get_running_loop().run_in_executor(None, gc.collect)
    finally:
        gc.enable()
    await turns()
    assert subject.n_observers == 0


def test_garbage_collected_after_its_loop_was_closed_it_unsubscribes() -> None:
    subject = subject_of(1)
    reader = to_async_iter(subject)
    assert asyncio.run(take(reader, 1)) == [1]
    assert subject.n_observers == 1
    del reader
    gc.collect()
    assert subject.n_observers == 0


@on_a_loop
async def test_two_tasks_on_one_iterator_are_refused_and_the_first_goes_on() -> None:
    subject = subject_of()
    reader = to_async_iter(subject)
    first = asyncio.create_task(anext(reader))
    await turns()
    with pytest.raises(RuntimeError, match="another task is already waiting for this iterator"):
        await anext(reader)
    subject.on_next(1)
    assert await first == 1
    await reader.aclose()


# Many readers, one subscription


@on_a_loop
async def test_ten_thousand_readers_share_one_subscription_and_all_see_the_end() -> None:
    subject, n = subject_of(0), 10_000
    tasks = [asyncio.create_task(collect(to_async_iter(subject))) for _ in range(n)]
    await turns()
    assert subject.n_observers == 1
    assert the_hub().n_readers == n
    subject.on_next(1)
    while n_waiting() < n or the_hub()._to_wake:
        await turns()
    subject.on_next(2)
    subject.on_completed()
    assert await asyncio.gather(*tasks) == [[0, 1, 2]] * n
    assert subject.n_observers == 0


@on_a_loop
async def test_readers_are_woken_a_part_per_turn() -> None:
    """Whatever else the loop serves has its turn in between."""
    subject, n = subject_of(), 3 * WAKE_AT_ONCE
    readers = [to_async_iter(subject) for _ in range(n)]
    tasks = [asyncio.create_task(anext(reader)) for reader in readers]
    await turns()
    subject.on_next(1)
    n_done = []
    for _ in range(6):
        await turns(1)
        n_done.append(sum(task.done() for task in tasks))
    assert n_done[-1] == n
    steps = [b - a for a, b in itertools.pairwise([0, *n_done])]
    assert max(steps) == WAKE_AT_ONCE
    for reader in readers:
        await reader.aclose()


@on_a_loop
async def test_a_value_that_comes_while_readers_are_being_woken_reaches_all_of_them() -> None:
    subject, n = subject_of(), 3 * WAKE_AT_ONCE
    tasks = [asyncio.create_task(collect(to_async_iter(subject))) for _ in range(n)]
    await turns()
    subject.on_next(1)
    await turns(2)
    assert the_hub()._to_wake
    subject.on_next(2)
    await turns(1)
    subject.on_completed()
    results = await asyncio.gather(*tasks)
    assert all(values in ([1, 2], [2]) for values in results)
    assert [1, 2] in results


@on_a_loop
async def test_many_values_at_once_ask_the_loop_for_one_wake() -> None:
    subject = subject_of(0)
    reader = to_async_iter(subject)
    await anext(reader)
    await turns()
    loop, n_wakes = asyncio.get_running_loop(), 0
    ask = loop.call_soon_threadsafe

    def count(*arguments: Any, **options: Any) -> Any:
        nonlocal n_wakes
        n_wakes += 1
        return ask(*arguments, **options)

    loop.call_soon_threadsafe = count  # type: ignore[method-assign]
    for value in range(1, 100):
        subject.on_next(value)
    assert n_wakes == 1
    assert await anext(reader) == 99
    await turns()
    subject.on_next(100)
    assert n_wakes == 2
    await reader.aclose()


@on_a_loop
async def test_a_reader_that_comes_later_shares_the_subscription_and_starts_with_the_newest() -> None:
    subject = subject_of(1)
    first, second = to_async_iter(subject), to_async_iter(subject)
    assert await anext(first) == 1
    subject.on_next(2)
    assert await anext(second) == 2
    assert subject.n_observers == 1
    await first.aclose()
    assert subject.n_observers == 1
    await second.aclose()
    assert subject.n_observers == 0


@on_a_loop
async def test_who_comes_after_the_end_is_served_while_others_still_read() -> None:
    subject = subject_of(1)
    first = to_async_iter(subject)
    assert await anext(first) == 1
    subject.on_next(2)
    subject.on_completed()
    assert await collect(to_async_iter(subject)) == [2]
    assert await collect(first) == [2]


@on_a_loop
async def test_readers_of_two_sources_do_not_share() -> None:
    one, two = subject_of(1), subject_of(2)
    readers = [to_async_iter(one), to_async_iter(two)]
    assert [await anext(reader) for reader in readers] == [1, 2]
    assert (one.n_observers, two.n_observers, len(hub._hubs)) == (1, 1, 2)
    for reader in readers:
        await reader.aclose()


@on_a_loop
async def test_a_thousand_readers_that_come_read_a_little_and_go_leave_no_subscription() -> None:
    subject = subject_of(0)

    async def read(number: int) -> None:
        reader = to_async_iter(subject)
        values = await take(reader, 1 + number % 3)
        assert values == sorted(set(values))
        if number % 2:
            await reader.aclose()

    tasks = [asyncio.create_task(read(number)) for number in range(1_000)]
    for value in itertools.count(1):
        await turns(3)
        if all(task.done() for task in tasks):
            break
        subject.on_next(value)
    await asyncio.gather(*tasks)
    gc.collect()
    await turns()
    assert subject.n_observers == 0


@on_a_loop
async def test_an_interrupt_while_the_hub_subscribes_leaves_no_dead_hub_for_the_next_reader() -> None:
    calls: list[None] = []

    def on_subscribe() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise GeneratorExit

    subject: ProgressSubject[int] = ProgressSubject(on_subscribe=on_subscribe)
    subject.on_next(1)
    with pytest.raises(GeneratorExit):
        await anext(to_async_iter(subject))
    assert hub._hubs == {}
    reader = to_async_iter(subject)
    assert await anext(reader) == 1
    await reader.aclose()
    assert subject.n_observers == 0


# Loops and threads


def test_several_loops_in_several_threads_all_see_the_end() -> None:
    subject, n_loops, n_readers = subject_of(0), 4, 100
    are_reading = threading.Semaphore(0)

    async def read() -> list[int]:
        values = []
        async for value in to_async_iter(subject):
            values.append(value)
            if value == 0:
                are_reading.release()
        return values

    async def read_all() -> list[list[int]]:
        return await asyncio.gather(*[read() for _ in range(n_readers)])

    def write() -> None:
        for _ in range(n_loops * n_readers):
            assert are_reading.acquire(timeout=PATIENCE)
        assert subject.n_observers == n_loops
        for value in range(1, 200):
            subject.on_next(value)
        subject.on_completed()

    *results, _ = run_together(*[lambda: asyncio.run(read_all())] * n_loops, write)
    for values in itertools.chain(*results):
        assert values == sorted(set(values))
        assert (values[0], values[-1]) == (0, 199)
    assert subject.n_observers == 0


def test_a_loop_closed_with_readers_on_it_harms_neither_the_writer_nor_another_loop() -> None:
    subject = subject_of(0)
    closed = asyncio.new_event_loop()
    abandoned = to_async_iter(subject)
    assert closed.run_until_complete(anext(abandoned)) == 0
    closed.close()

    has_begun = threading.Event()
    received: list[int] = []

    async def read() -> None:
        async for value in to_async_iter(subject):
            received.append(value)
            has_begun.set()

    sibling = in_thread(lambda: asyncio.run(read()))
    assert has_begun.wait(PATIENCE)
    assert subject.n_observers == 2
    subject.on_next(1)
    assert subject.n_observers == 1
    subject.on_next(2)
    subject.on_completed()
    join(sibling)
    assert (received[0], received[-1]) == (0, 2)
    del abandoned


@pytest.mark.parametrize(
    "compose", [lambda subject: subject, lambda subject: subject.map(lambda value: value)], ids=["itself", "composed"]
)
@pytest.mark.parametrize("heartbeat", [None, 60.0])
def test_a_task_that_is_collected_after_its_loop_was_closed_leaves_no_hub(
    compose: Callable[[ProgressSubject[int]], Any], heartbeat: float | None
) -> None:
    subject = subject_of(1)
    loop = asyncio.new_event_loop()
    waits = loop.create_task(collect(to_async_iter(compose(subject), heartbeat)))
    loop.run_until_complete(turns())
    assert (subject.n_observers, n_waiting()) == (1, 1)
    loop.close()
    waits._log_destroy_pending = False  # type: ignore[attr-defined] - which asyncio logs as an error
    del waits
    gc.collect()
    assert hub._hubs == {}
    assert subject.n_observers == 0


def test_the_end_that_comes_after_the_loop_was_closed_harms_nobody() -> None:
    subject = subject_of(0)
    abandoned = to_async_iter(subject)
    asyncio.run(take(abandoned, 1))
    subject.on_completed()
    assert subject.n_observers == 0
    assert hub._hubs == {}
    del abandoned


def test_a_task_that_still_waits_when_its_loop_ends_is_unsubscribed() -> None:
    subject = subject_of()

    async def leave_waiting() -> Awaitable[Any]:
        task = asyncio.create_task(collect(to_async_iter(subject)))
        await turns()
        assert subject.n_observers == 1
        return task

    asyncio.run(leave_waiting())
    assert subject.n_observers == 0


def test_a_newer_hub_in_its_place_is_left_alone_by_the_end_of_an_older_one() -> None:
    subject = subject_of(1)

    async def read() -> None:
        loop = asyncio.get_running_loop()
        older = hub.acquire(subject)
        del hub._hubs[id(loop), id(subject)]
        newer = hub.acquire(subject)
        older._end()
        assert the_hub() is newer
        hub.release(older)
        assert the_hub() is newer
        hub.release(newer)

    asyncio.run(read())
    assert subject.n_observers == 0


def test_racing_writer_and_readers_that_come_and_go_lose_no_end() -> None:
    """A round each: readers come and go on a loop while the writer, in its thread, writes and ends."""

    async def read_all(subject: ProgressSubject[int]) -> list[list[int]]:
        return await asyncio.gather(*[collect(to_async_iter(subject)) for _ in range(20)])

    def write(subject: ProgressSubject[int]) -> None:
        for value in range(1, 20):
            subject.on_next(value)
        subject.on_completed()

    for _ in range(50):
        subject = subject_of(0)
        results, _ = run_together(
            lambda subject=subject: asyncio.run(read_all(subject)), lambda subject=subject: write(subject)
        )
        for values in results:
            assert values == sorted(set(values))
            assert values[-1] == 19
        assert subject.n_observers == 0
