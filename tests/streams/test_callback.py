import asyncio
import gc
import threading
from collections.abc import Awaitable
from typing import Any

import pytest
import reactivex

from tests.streams.conftest import PATIENCE, Gate, finished, in_thread, join, run_together, subject_of, turns
from workqueue.streams import callback, to_callback


class Target:
    """A plain `send` with its `on_error` and `on_completed`."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.errors: list[Exception] = []
        self.n_completed = 0
        self.threads: set[threading.Thread] = set()
        self.has_value = threading.Semaphore(0)
        self.has_ended = threading.Event()

    def send(self, value: int) -> None:
        self.values.append(value)
        self.threads.add(threading.current_thread())
        self.has_value.release()

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)
        self.threads.add(threading.current_thread())
        self.has_ended.set()

    def on_completed(self) -> None:
        self.n_completed += 1
        self.threads.add(threading.current_thread())
        self.has_ended.set()

    def wait_for_value(self) -> None:
        assert self.has_value.acquire(timeout=PATIENCE)

    def wait_for_end(self) -> None:
        assert self.has_ended.wait(PATIENCE)


def join_pushers() -> None:
    for thread in threading.enumerate():
        if thread.name == "workqueue-callback":
            join(thread)


async def until_pushed() -> None:
    await asyncio.gather(*callback._tasks, return_exceptions=True)
    await turns()


# A plain send, where no loop runs: a thread of its own


def test_a_plain_send_is_called_by_a_thread_of_its_own_in_order_then_on_completed() -> None:
    subject, target = subject_of(), Target()
    to_callback(subject, target.send, target.on_error, target.on_completed)
    for value in range(5):
        subject.on_next(value)
        target.wait_for_value()
    subject.on_completed()
    target.wait_for_end()
    join_pushers()
    assert (target.values, target.errors, target.n_completed) == ([0, 1, 2, 3, 4], [], 1)
    (thread,) = target.threads
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert subject.n_observers == 0


def test_without_on_completed_the_end_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    target = Target()
    to_callback(finished(1), target.send)
    join_pushers()
    assert target.values == [1]
    assert caplog.records == []


def test_a_slow_send_never_holds_up_the_source_and_gets_the_latest_and_the_end() -> None:
    subject, target, gate = subject_of(0), Target(), Gate()

    def send(value: int) -> None:
        target.send(value)
        if value == 0:
            gate.stop_here()

    to_callback(subject, send, target.on_error, target.on_completed)
    gate.wait_until_reached()
    for value in range(1, 100):
        subject.on_next(value)
    subject.on_completed()
    gate.open()
    target.wait_for_end()
    assert (target.values, target.n_completed) == ([0, 99], 1)


def test_a_buffer_of_n_keeps_the_newest_n_for_a_slow_send() -> None:
    subject, target, gate = subject_of(0), Target(), Gate()

    def send(value: int) -> None:
        target.send(value)
        if value == 0:
            gate.stop_here()

    to_callback(subject, send, on_completed=target.on_completed, buffer=3)
    gate.wait_until_reached()
    for value in range(1, 10):
        subject.on_next(value)
    subject.on_completed()
    gate.open()
    target.wait_for_end()
    assert target.values == [0, 7, 8, 9]


def test_silence_sends_the_latest_again() -> None:
    target = Target()
    handle = to_callback(subject_of(7), target.send, heartbeat=0.01)
    for _ in range(4):
        target.wait_for_value()
    handle.dispose()
    join_pushers()
    assert set(target.values) == {7}


def test_a_send_that_raises_is_not_called_again_and_on_error_gets_it_once() -> None:
    subject, target, error = subject_of(1), Target(), ConnectionError("gone")

    def send(value: int) -> None:
        target.send(value)
        raise error

    to_callback(subject, send, target.on_error, target.on_completed)
    target.wait_for_end()
    join_pushers()
    subject.on_next(2)
    subject.on_completed()
    assert (target.values, target.errors, target.n_completed) == ([1], [error], 0)
    assert subject.n_observers == 0


def test_a_send_that_raises_is_logged_where_there_is_no_on_error(caplog: pytest.LogCaptureFixture) -> None:
    subject, error = subject_of(1), ConnectionError("gone")

    def send(_: int) -> None:
        raise error

    to_callback(subject, send)
    join_pushers()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("workqueue", "WARNING")
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert subject.n_observers == 0


def test_what_the_source_ended_with_goes_to_on_error() -> None:
    target, error = Target(), ValueError("boom")
    to_callback(reactivex.throw(error), target.send, target.on_error, target.on_completed)
    target.wait_for_end()
    assert (target.values, target.errors, target.n_completed) == ([], [error], 0)


@pytest.mark.parametrize("which", ["on_error", "on_completed"])
def test_an_on_error_or_on_completed_that_raises_is_logged(which: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError(which)

    source = finished(1) if which == "on_completed" else reactivex.throw(ValueError("boom"))
    to_callback(source, lambda _: None, fail, fail)
    join_pushers()
    assert [record.getMessage() for record in caplog.records] == [f"a progress callback's {which} raised"]


def test_dispose_ends_a_thread_that_waits_without_another_word() -> None:
    subject, target = subject_of(1), Target()
    handle = to_callback(subject, target.send, target.on_error, target.on_completed)
    target.wait_for_value()
    handle.dispose()
    handle.dispose()
    join_pushers()
    subject.on_next(2)
    subject.on_completed()
    assert (target.values, target.errors, target.n_completed) == ([1], [], 0)
    assert subject.n_observers == 0


def test_dispose_during_a_send_lets_it_end_and_says_nothing_more() -> None:
    subject, target, gate = subject_of(1), Target(), Gate()

    def send(value: int) -> None:
        target.send(value)
        gate.stop_here()
        raise ConnectionError("closed by the disposer")

    handle = to_callback(subject, send, target.on_error, target.on_completed)
    gate.wait_until_reached()
    subject.on_next(2)
    handle.dispose()
    gate.open()
    join_pushers()
    assert (target.values, target.errors, target.n_completed) == ([1], [], 0)
    assert subject.n_observers == 0


def test_dispose_from_within_a_plain_send_stops_the_calls() -> None:
    target, is_made = Target(), threading.Event()

    def send(value: int) -> None:
        target.send(value)
        assert is_made.wait(PATIENCE)
        handle.dispose()

    handle = to_callback(finished(1, 2, 3), send, target.on_error, target.on_completed, buffer=3)
    is_made.set()
    join_pushers()
    assert (target.values, target.errors, target.n_completed) == ([1], [], 0)


def test_dispose_racing_the_end_leaves_nothing_and_completes_at_most_once() -> None:
    for _ in range(100):
        subject, target = subject_of(1), Target()
        handle = to_callback(subject, target.send, target.on_error, target.on_completed)
        run_together(subject.on_completed, handle.dispose, handle.dispose)
        join_pushers()
        assert (target.errors, subject.n_observers) == ([], 0)
        assert target.n_completed <= 1
        assert target.values in ([], [1])


# On a loop


class AsyncCallable:
    """An object whose call is async, as some frameworks' websockets are."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def __call__(self, value: int) -> None:
        await asyncio.sleep(0)
        self._target.send(value)


def sends(target: Target) -> dict[str, Any]:
    async def coroutine_function(value: int) -> None:
        await asyncio.sleep(0)
        target.send(value)

    def returns_future(value: int) -> Awaitable[None]:
        return asyncio.ensure_future(coroutine_function(value))

    return {
        "a plain function": target.send,
        "a coroutine function": coroutine_function,
        "an object with an async call": AsyncCallable(target),
        "a lambda that returns an awaitable": lambda value: coroutine_function(value),  # noqa: PLW0108 - not seen as async
        "a function that returns a future": returns_future,
    }


@pytest.mark.parametrize("kind", sends(Target()))
def test_on_a_loop_each_kind_of_send_is_called_in_order_on_that_loop_then_on_completed(kind: str) -> None:
    subject, target = subject_of(), Target()

    async def push() -> None:
        to_callback(subject, sends(target)[kind], target.on_error, target.on_completed)
        for value in range(4):
            await turns()
            subject.on_next(value)
        await turns()
        subject.on_completed()
        await until_pushed()

    asyncio.run(push())
    assert (target.values, target.errors, target.n_completed) == ([0, 1, 2, 3], [], 1)
    assert target.threads == {threading.current_thread()}
    assert subject.n_observers == 0


def test_an_async_send_is_called_once_at_a_time_and_a_slow_one_gets_the_latest_and_the_end() -> None:
    subject, calls = subject_of(0), []

    async def push() -> None:
        may_go_on = asyncio.Event()

        async def send(value: int) -> None:
            calls.append(("begins", value))
            await may_go_on.wait()
            calls.append(("ends", value))

        to_callback(subject, send, on_completed=lambda: calls.append(("completed", -1)))
        await turns()
        for value in range(1, 100):
            subject.on_next(value)
        subject.on_completed()
        await turns()
        may_go_on.set()
        await until_pushed()

    asyncio.run(push())
    assert calls == [("begins", 0), ("ends", 0), ("begins", 99), ("ends", 99), ("completed", -1)]


def test_an_async_send_that_raises_is_not_called_again_and_on_error_gets_it_once() -> None:
    subject, target, error = subject_of(1), Target(), ConnectionError("gone")

    async def send(value: int) -> None:
        target.send(value)
        raise error

    async def push() -> None:
        to_callback(subject, send, target.on_error, target.on_completed)
        await until_pushed()
        subject.on_next(2)
        subject.on_completed()
        await turns()

    asyncio.run(push())
    assert (target.values, target.errors, target.n_completed) == ([1], [error], 0)
    assert subject.n_observers == 0


def test_an_async_send_that_raises_is_logged_where_there_is_no_on_error(caplog: pytest.LogCaptureFixture) -> None:
    async def send(_: int) -> None:
        raise ConnectionError("gone")

    async def push() -> None:
        to_callback(subject_of(1), send)
        await until_pushed()

    asyncio.run(push())
    assert [record.getMessage() for record in caplog.records] == ["a progress callback failed, and is not called again"]


def test_on_a_loop_what_the_source_ended_with_goes_to_on_error() -> None:
    target, error = Target(), ValueError("boom")

    async def push() -> None:
        to_callback(reactivex.throw(error), target.send, target.on_error, target.on_completed)
        await until_pushed()

    asyncio.run(push())
    assert (target.values, target.errors, target.n_completed) == ([], [error], 0)


@pytest.mark.parametrize("which", ["on_error", "on_completed"])
def test_on_a_loop_an_on_error_or_on_completed_that_raises_is_logged(
    which: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError(which)

    async def push() -> None:
        source = finished(1) if which == "on_completed" else reactivex.throw(ValueError("boom"))
        to_callback(source, lambda _: None, fail, fail)
        await until_pushed()

    asyncio.run(push())
    assert [record.getMessage() for record in caplog.records] == [f"a progress callback's {which} raised"]


@pytest.mark.parametrize("by", ["the loop's thread", "another thread"])
def test_dispose_cancels_an_async_send_without_another_word(by: str) -> None:
    subject, target, cancelled = subject_of(1), Target(), []

    async def send(value: int) -> None:
        target.send(value)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(value)
            raise

    async def push() -> None:
        handle = to_callback(subject, send, target.on_error, target.on_completed)
        await turns()
        subject.on_next(2)
        if by == "another thread":
            await asyncio.get_running_loop().run_in_executor(None, handle.dispose)
        else:
            handle.dispose()
            handle.dispose()
        await until_pushed()
        assert subject.n_observers == 0

    asyncio.run(push())
    assert (target.values, cancelled) == ([1], [1])
    assert (target.errors, target.n_completed) == ([], 0)


def test_dispose_before_the_task_began_calls_nothing_and_leaves_no_subscription() -> None:
    subject, target = subject_of(1), Target()

    async def push() -> None:
        to_callback(subject, target.send, target.on_error, target.on_completed).dispose()
        await until_pushed()

    asyncio.run(push())
    assert (target.values, target.errors, target.n_completed) == ([], [], 0)
    assert subject.n_observers == 0


@pytest.mark.parametrize("values", [(1,), (1, 2, 3)])
def test_on_a_loop_dispose_from_within_a_plain_send_stops_the_calls(values: tuple[int, ...]) -> None:
    """Nothing is awaited between a send and the next when values are there, so cancelling alone would come too late."""
    target = Target()

    async def push() -> None:
        def send(value: int) -> None:
            target.send(value)
            handle.dispose()

        handle = to_callback(finished(*values), send, target.on_error, target.on_completed, buffer=3)
        await until_pushed()

    asyncio.run(push())
    assert (target.values, target.errors, target.n_completed) == ([1], [], 0)


def test_on_a_loop_a_send_that_disposes_and_raises_says_nothing_more() -> None:
    target = Target()

    async def push() -> None:
        def send(value: int) -> None:
            target.send(value)
            handle.dispose()
            raise ConnectionError("closed by the disposer")

        handle = to_callback(subject_of(1), send, target.on_error, target.on_completed)
        await until_pushed()

    asyncio.run(push())
    assert (target.values, target.errors, target.n_completed) == ([1], [], 0)


def test_a_push_is_kept_alive_without_its_handle() -> None:
    subject, target = subject_of(), Target()

    async def push() -> None:
        to_callback(subject, target.send, on_completed=target.on_completed)
        await turns()
        gc.collect()
        subject.on_next(1)
        subject.on_completed()
        await until_pushed()

    asyncio.run(push())
    assert (target.values, target.n_completed) == ([1], 1)


def test_a_loop_that_ends_cancels_its_pushes_and_dispose_still_works() -> None:
    subject, target = subject_of(1), Target()

    async def push() -> Any:
        handle = to_callback(subject, target.send, target.on_error, target.on_completed)
        await turns()
        return handle

    handle = asyncio.run(push())
    assert subject.n_observers == 0
    subject.on_next(2)
    handle.dispose()
    assert (target.values, target.errors, target.n_completed) == ([1], [], 0)


def test_silence_on_a_loop_sends_the_latest_again() -> None:
    target = Target()

    async def push() -> None:
        has_four = asyncio.Event()

        async def send(value: int) -> None:
            target.send(value)
            if len(target.values) == 4:
                has_four.set()

        handle = to_callback(subject_of(7), send, heartbeat=0.01)
        await asyncio.wait_for(has_four.wait(), PATIENCE)
        handle.dispose()
        await until_pushed()

    asyncio.run(push())
    assert target.values == [7, 7, 7, 7]


def test_callbacks_of_one_loop_share_a_subscription() -> None:
    subject, targets = subject_of(0), [Target() for _ in range(100)]

    async def push() -> None:
        for target in targets:
            to_callback(subject, target.send, on_completed=target.on_completed)
        await turns()
        assert subject.n_observers == 1
        writer = in_thread(lambda: (subject.on_next(1), subject.on_completed()))
        await until_pushed()
        join(writer)

    asyncio.run(push())
    assert {(target.values[0], target.values[-1], target.n_completed) for target in targets} == {(0, 1, 1)}


# Refusals


@pytest.mark.parametrize("kind", ["a coroutine function", "an object with an async call"])
def test_an_async_send_where_no_loop_runs_is_refused(kind: str) -> None:
    subject, target = subject_of(1), Target()
    with pytest.raises(RuntimeError, match="an async send needs a running event loop"):
        to_callback(subject, sends(target)[kind])
    assert subject.n_observers == 0


@pytest.mark.parametrize(("options", "text"), [({"heartbeat": 0}, "heartbeat must be"), ({"buffer": 0}, "buffer must")])
def test_options_that_cannot_work_raise_at_the_call(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        to_callback(subject_of(1), lambda _: None, **options)


# A send that ends its thread, or means to


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_send_that_exits_in_a_thread_has_failed(kind: type[BaseException]) -> None:
    def exit_(_: int) -> None:
        raise kind

    target = Target()
    to_callback(subject_of(1), exit_, target.on_error, target.on_completed)
    target.wait_for_end()
    [error] = target.errors
    assert str(error) == f"a progress callback raised {kind()!r}"
    assert isinstance(error.__cause__, kind)
    assert target.n_completed == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_send_that_exits_ends_no_loop_of_another_thread(kind: type[BaseException]) -> None:
    target, survived = Target(), threading.Event()

    async def exit_(_: int) -> None:
        raise kind

    async def main() -> None:
        to_callback(subject_of(1), exit_, target.on_error)
        await until_pushed()
        survived.set()

    join(in_thread(lambda: asyncio.run(main())))
    assert survived.is_set()
    [error] = target.errors
    assert isinstance(error.__cause__, kind)


def test_an_exit_on_the_main_threads_loop_goes_on() -> None:
    """It may be a signal's handler that raised it."""

    async def exit_(_: int) -> None:
        raise SystemExit(3)

    async def main() -> None:
        to_callback(subject_of(1), exit_)
        await asyncio.Event().wait()

    with pytest.raises(SystemExit):
        asyncio.run(main())
