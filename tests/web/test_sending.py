"""A response goes on for as long as its client is there, and takes nothing of its caller's with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, MutableMapping
from typing import Any

import pytest

from workqueue.web.sending import send_stream, until_left

LEFT = {"type": "http.disconnect"}


async def stay() -> MutableMapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def leave() -> MutableMapping[str, Any]:
    return LEFT


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30))


def n_tasks() -> int:
    return len(asyncio.all_tasks())


def test_a_response_that_its_client_left_is_cancelled_and_its_caller_goes_on() -> None:
    async def main() -> None:
        before, was_cancelled = n_tasks(), asyncio.Event()

        async def respond() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                was_cancelled.set()

        await until_left(respond(), leave)
        assert was_cancelled.is_set()
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert n_tasks() == before

    run(main())


def test_a_response_that_ends_as_its_client_leaves_cancels_nobody() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def receive() -> MutableMapping[str, Any]:
            ended.set()
            return LEFT

        async def respond() -> None:
            await ended.wait()

        await until_left(respond(), receive)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(main())


def test_who_cancels_the_caller_is_obeyed() -> None:
    async def main() -> None:
        before, begun = n_tasks(), asyncio.Event()

        async def respond() -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(until_left(respond(), stay))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert n_tasks() == before

    run(main())


def test_what_a_response_raises_and_what_receive_raises_is_seen() -> None:
    async def fail(*_: object) -> Any:
        raise OSError("boom")

    async def main() -> None:
        with pytest.raises(OSError, match="boom"):
            await until_left(fail(), stay)
        with pytest.raises(OSError, match="boom"):
            await until_left(asyncio.Event().wait(), fail)  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("n_sent", [0, 1, 2])
def test_a_send_that_raises_oserror_says_that_the_client_left(n_sent: int) -> None:
    closed: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"a"
        finally:
            closed.append(True)

    async def main() -> None:
        sent: list[str] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            if len(sent) == n_sent:
                raise OSError("gone")
            sent.append(message["type"])

        await send_stream(200, [], body(), stay, send)
        assert len(sent) == n_sent

    run(main())
    assert closed == ([True] if n_sent else [])
