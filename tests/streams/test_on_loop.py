"""Observers that subscribe where an event loop runs are called there, so that whatever asyncio has may be used."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler import ImmediateScheduler, NewThreadScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler

from tests.streams.conftest import PATIENCE, Recorder, finished, in_thread, join, subject_of, turns
from workqueue.streams import ProgressSubject, to_async_iter, to_generator
from workqueue.streams.broadcast import DEFAULT_HISTORY


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On a loop in debug mode, which raises where a loop is touched by a thread that is not its own."""
    asyncio.run(asyncio.wait_for(main(), PATIENCE), debug=True)


class Writing:
    """A thread that writes 1, 2, 3 and the end once the loop has nothing to do but to wait for it."""

    def __init__(self, subject: ProgressSubject[int]) -> None:
        begin = threading.Event()

        def write() -> None:
            assert begin.wait(PATIENCE)
            for value in (1, 2, 3):
                subject.on_next(value)
            subject.on_completed()

        self._thread = in_thread(write)
        asyncio.get_running_loop().call_soon(begin.set)

    async def wait(self) -> None:
        await asyncio.to_thread(join, self._thread)


COMPOSE: dict[str, Callable[[ProgressSubject[int]], Observable[int]]] = {
    "itself": lambda subject: subject,
    "composed": lambda subject: subject.map(lambda value: value),
}


def tenfold(value: int) -> int:
    return value * 10


@pytest.mark.parametrize(
    ("wait", "last"),
    [
        (lambda subject: subject, 3),
        (lambda subject: subject.pipe(ops.map(tenfold)), 30),
        (lambda subject: subject.pipe(ops.filter(lambda value: value < 3), ops.scan(lambda a, b: a + b, 0)), 3),
        (lambda subject: subject.pipe(ops.to_list()), [1, 2, 3]),
        (lambda subject: subject.pipe(ops.flat_map(reactivex.just)), 3),
        (lambda subject: subject.pipe(ops.to_future()), 3),
        (lambda subject: subject.map(tenfold).to_future(), 30),
        (lambda subject: subject.pipe(ops.take(2)), 2),
        (lambda subject: subject.pipe(ops.debounce(0.001)), 3),
    ],
    ids=["itself", "map", "scan", "to_list", "flat_map", "to_future", "map and to_future", "take", "debounce"],
)
def test_a_coroutine_that_awaits_is_woken_at_the_end(
    wait: Callable[[ProgressSubject[int]], Awaitable[object]], last: object, caplog: pytest.LogCaptureFixture
) -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        writing = Writing(subject)
        assert await wait(subject) == last
        await writing.wait()

    run(main)
    assert subject.n_observers == 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "wait", [lambda subject: subject, lambda subject: subject.map(tenfold)], ids=["itself", "composed"]
)
def test_what_has_ended_is_awaited_too(wait: Callable[[ProgressSubject[int]], Awaitable[int]]) -> None:
    async def main() -> None:
        assert await wait(finished(1, 2)) in {2, 20}

    run(main)


@pytest.mark.parametrize("compose", COMPOSE.values(), ids=COMPOSE)
@pytest.mark.parametrize("on_a_loop", [True, False])
def test_run_blocks_until_the_end_whatever_the_thread(
    compose: Callable[[ProgressSubject[int]], Observable[int]], on_a_loop: bool
) -> None:
    """A loop's too: a notebook's cell is run by one."""
    subject = ProgressSubject[int]()

    def block() -> None:
        writer = in_thread(lambda: [subject.on_next(1), subject.on_completed()])
        assert compose(subject).run() == 1
        join(writer)

    async def main() -> None:
        block()

    if on_a_loop:
        run(main)
    else:
        block()


@pytest.mark.parametrize("compose", COMPOSE.values(), ids=COMPOSE)
def test_a_generator_may_block_a_loop(compose: Callable[[ProgressSubject[int]], Observable[int]]) -> None:
    subject = subject_of(1)

    async def main() -> None:
        reader = to_generator(compose(subject), heartbeat=None)
        assert next(reader) == 1
        writer = in_thread(lambda: [subject.on_next(2), subject.on_completed()])
        assert list(reader) == [2]
        join(writer)

    run(main)


def test_the_past_is_told_at_once_and_the_rest_on_the_loop_in_order() -> None:
    subject = subject_of(1, 2)
    threads: list[threading.Thread] = []

    async def main() -> None:
        recorder, ended = Recorder(), asyncio.Event()
        subject.do_action(lambda _: threads.append(threading.current_thread())).do_action(
            on_completed=ended.set
        ).subscribe(recorder)
        assert recorder.values == [1, 2]

        def write() -> None:
            for value in range(3, 9):
                subject.on_next(value)
            subject.on_completed()

        join(in_thread(write))
        assert recorder.values == [1, 2]  # this thread, which is the loop's, was not free
        await ended.wait()
        assert (recorder.values, recorder.endings) == ([1, 2, 3, 4, 5, 6, 7, 8], ["completed"])

    run(main)
    assert set(threads) == {threading.main_thread()}


def test_what_is_written_on_the_loop_itself_is_told_at_once() -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        recorder = Recorder()
        subject.subscribe(recorder)
        subject.on_next(1)
        assert recorder.values == [1]
        join(in_thread(lambda: subject.on_next(2)))
        subject.on_next(3)  # not before 2
        assert recorder.values == [1]
        await turns()
        assert recorder.values == [1, 2, 3]
        subject.on_completed()
        assert recorder.endings == ["completed"]

    run(main)


def test_an_error_comes_on_the_loop_too() -> None:
    subject, error = ProgressSubject[int](), ValueError("boom")

    async def main() -> None:
        recorder = Recorder()
        subject.subscribe(recorder)
        join(in_thread(lambda: subject.on_error(error)))
        assert recorder.endings == []
        await turns()
        assert recorder.endings == [error]

    run(main)


def test_a_queue_of_asyncio_may_be_fed() -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        subject.subscribe(queue.put_nowait)
        writing = Writing(subject)
        assert [await queue.get() for _ in range(3)] == [1, 2, 3]
        await writing.wait()

    run(main)


@pytest.mark.parametrize("kind", [AsyncIOScheduler, AsyncIOThreadSafeScheduler])
def test_a_scheduler_of_asyncio_says_on_which_loop(kind: type[AsyncIOScheduler]) -> None:
    """As operators pass on the one that they were subscribed with; here from a thread that has no loop."""
    subject = subject_of(1)
    threads: list[threading.Thread] = []

    async def main() -> None:
        scheduler, ended = kind(asyncio.get_running_loop()), asyncio.Event()
        seen = subject.map(lambda value: (threads.append(threading.current_thread()), value)[1])
        recorder = Recorder()
        subscribe = lambda: seen.do_action(on_completed=ended.set).subscribe(recorder, scheduler=scheduler)  # noqa: E731
        join(in_thread(subscribe))
        assert recorder.values == []
        join(in_thread(lambda: [subject.on_next(2), subject.on_completed()]))
        await ended.wait()
        assert recorder.values == [1, 2]

    run(main)
    assert set(threads) == {threading.main_thread()}


def test_any_other_scheduler_says_the_writers_thread() -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        recorder = Recorder()
        subject.subscribe(recorder, scheduler=ImmediateScheduler.singleton())
        join(in_thread(lambda: subject.on_next(1)))
        assert recorder.values == [1]

    run(main)


def test_timed_operators_may_use_the_loop() -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        scheduler = AsyncIOScheduler(asyncio.get_running_loop())
        writing = Writing(subject)
        seen = [value async for value in to_async_iter(subject.debounce(0.001, scheduler), heartbeat=None)]
        assert seen[-1] == 3
        await writing.wait()

    run(main)


@pytest.mark.parametrize(
    "compose",
    [
        lambda subject: subject.sample(0.001),
        lambda subject: subject.delay(0.001),
        lambda subject: subject.observe_on(NewThreadScheduler()).delay(0.001),
    ],
    ids=["sample", "delay", "delay asked for in another thread"],
)
def test_timed_operators_of_an_iterator_take_the_loops_timers(
    compose: Callable[[ProgressSubject[int]], Observable[int]],
) -> None:
    """Not a thread each for each client."""
    subject = ProgressSubject[int]()
    threads: list[threading.Thread] = []

    async def main() -> None:
        seen = compose(subject).do_action(lambda _: threads.append(threading.current_thread()))
        writing = Writing(subject)
        assert [value async for value in to_async_iter(seen, heartbeat=None)][-1] == 3
        await writing.wait()

    run(main)
    assert set(threads) == {threading.main_thread()}


# Loops that are behind, or gone


def test_a_loop_that_is_behind_loses_the_oldest_and_never_the_last() -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        recorder = Recorder()
        subject.subscribe(recorder)

        def write() -> None:
            for value in range(1000):
                subject.on_next(value)
            subject.on_completed()

        join(in_thread(write))
        await turns()
        assert recorder.values == list(range(1000))[-DEFAULT_HISTORY:]
        assert recorder.endings == ["completed"]

    run(main)


@pytest.mark.parametrize("compose", COMPOSE.values(), ids=COMPOSE)
def test_a_loop_that_was_closed_has_its_observers_told_by_the_writer(
    compose: Callable[[ProgressSubject[int]], Observable[int]], caplog: pytest.LogCaptureFixture
) -> None:
    """A subscription made by asyncio.run(setup()), or in an asynchronous view under WSGI, outlives its loop."""
    caplog.set_level(logging.DEBUG, "workqueue")
    subject, recorder, sibling = ProgressSubject[int](), Recorder(), Recorder()

    async def main() -> None:
        compose(subject).subscribe(recorder)

    run(main)
    subject.subscribe(sibling)
    join(in_thread(lambda: [subject.on_next(1), subject.on_next(2), subject.on_completed()]))
    assert (recorder.values, recorder.endings) == ([1, 2], ["completed"])
    assert (sibling.values, sibling.endings) == ([1, 2], ["completed"])
    assert subject.n_observers == 0
    assert len([message for message in caplog.messages if "an event loop was closed" in message]) == 1


@pytest.mark.parametrize("end", ["completed", ValueError("boom")], ids=["completed", "error"])
def test_what_waited_for_a_loop_that_was_closed_is_told_first(end: Any) -> None:
    subject, recorder = subject_of(1), Recorder()

    async def main() -> None:
        subject.subscribe(recorder)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    # The loop is asked to come, and is closed before it does.
    subject.on_next(2)
    subject.on_next(3)
    assert recorder.values == [1]
    loop.close()
    if end == "completed":
        subject.on_completed()
    else:
        subject.on_error(end)
    assert (recorder.values, recorder.endings) == ([1, 2, 3], [end])


def test_a_loop_that_is_closed_while_it_is_rung_for_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, recorder = ProgressSubject[int](), Recorder()

    async def main() -> None:
        subject.subscribe(recorder)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    ring = loop.call_soon_threadsafe

    def close_and_ring(*arguments: Any) -> Any:
        loop.close()  # between the look at it and the ring
        return ring(*arguments)

    monkeypatch.setattr(loop, "call_soon_threadsafe", close_and_ring)
    subject.on_next(1)
    subject.on_next(2)
    subject.on_completed()
    assert (recorder.values, recorder.endings) == ([1, 2], ["completed"])


def test_one_that_raises_once_its_loop_was_closed_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    subject, bad, good = ProgressSubject[int](), Raising(ValueError("boom")), Recorder()

    async def main() -> None:
        subject.subscribe(bad)
        subject.subscribe(good)

    run(main)
    subject.on_next(1)
    subject.on_next(2)
    subject.on_completed()
    assert (bad.values, bad.endings) == ([1], [])
    assert (good.values, good.endings) == ([1, 2], ["completed"])
    assert caplog.messages == ["an observer of progress raised, and is dropped"]


def test_an_interrupt_once_the_loop_was_closed_loses_nothing_that_waits() -> None:
    """In the main thread it may come from a signal's handler, and is the writer's."""
    subject, good = ProgressSubject[int](), Recorder()
    interrupts = [SystemExit(3)]

    class Interrupted(Recorder):
        def on_next(self, value: object) -> None:
            super().on_next(value)
            if interrupts:
                raise interrupts.pop()

    recorder = Interrupted()

    async def main() -> None:
        subject.subscribe(recorder)
        subject.subscribe(good)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    subject.on_next(1)
    loop.close()
    with pytest.raises(SystemExit):
        subject.on_next(2)
    subject.on_completed()
    assert (recorder.values, recorder.endings) == (good.values, good.endings) == ([1, 2], ["completed"])


def test_what_was_disposed_before_the_loop_came_to_it_is_not_told() -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        recorder = Recorder()
        handle = subject.subscribe(recorder)
        join(in_thread(lambda: subject.on_next(1)))
        handle.dispose()
        await turns()
        assert recorder.values == []

    run(main)


# Observers that raise


class Raising(Recorder):
    """Raises what it is given at each event and at the end."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def on_next(self, value: object) -> None:
        super().on_next(value)
        raise self._error

    def on_completed(self) -> None:
        super().on_completed()
        raise self._error


def test_an_observer_that_raises_on_the_loop_is_logged_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    subject = ProgressSubject[int]()

    async def main() -> None:
        bad, good = Raising(ValueError("boom")), Recorder()
        subject.subscribe(bad)
        subject.subscribe(good)
        join(in_thread(lambda: [subject.on_next(1), subject.on_next(2)]))
        await turns()
        subject.on_next(3)
        subject.on_completed()
        await turns()
        assert (bad.values, bad.endings) == ([1], [])
        assert (good.values, good.endings) == ([1, 2, 3], ["completed"])

    run(main)
    assert [record.getMessage() for record in caplog.records if record.name == "workqueue"] == [
        "an observer of progress raised, and is dropped"
    ]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_the_observers_own_on_a_loop_that_is_not_the_main_threads(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    subject = ProgressSubject[int]()
    good = Recorder()

    async def main() -> None:
        subject.subscribe(Raising(kind()))
        subject.subscribe(good)
        writing = Writing(subject)
        assert await subject == 3
        await writing.wait()
        await turns()

    join(in_thread(lambda: run(main)))
    assert (good.values, good.endings) == ([1, 2, 3], ["completed"])
    assert "an observer of progress raised, and is dropped" in caplog.messages


def test_an_interrupt_on_the_main_threads_loop_goes_on_once_the_siblings_were_told() -> None:
    subject, good = ProgressSubject[int](), Recorder()

    async def main() -> None:
        subject.subscribe(Raising(SystemExit(3)))
        subject.subscribe(good)
        join(in_thread(lambda: subject.on_next(1)))
        await asyncio.Event().wait()

    with pytest.raises(SystemExit):
        run(main)
    assert good.values == [1]
