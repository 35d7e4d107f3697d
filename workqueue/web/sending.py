"""7 sending: a response, piece by piece, through ASGI's `send`, for as long as its client is there.

Files, too, go in pieces. ``http.response.pathsend`` has the server open a path later, which may be another result's by
then: Granian 2.8 returns from `send` before it has opened the file, and says at once that the client has left, so
nobody knows how long to hold it. ``http.response.zerocopysend``, which would do, neither uvicorn 0.54 nor Hypercorn
0.18 offers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def send_stream(
    status: int, headers: Sequence[tuple[bytes, bytes]], pieces: AsyncIterator[bytes], receive: Receive, send: Send
) -> None:
    """Send a response piece by piece, each at once, and stop as soon as the client leaves.

    Args:
        status: of the response.
        headers: of the response, their names in lower case.
        pieces: the body. It is closed at the end, whatever that is.
        receive: the application's; what it still says of the request is thrown away.
        send: the application's.
    """
    await until_left(send_response(status, headers, pieces, checked(send)), receive)


async def send_response(
    status: int, headers: Sequence[tuple[bytes, bytes]], pieces: AsyncIterator[bytes], send: Send
) -> None:
    """Send it, whether its client is there or not, and close its body."""
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        # Not left to the garbage collector: somebody may hold on to the response.
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()


async def until_left(responding: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Await a response, but no longer than its client is there.

    Servers accept what is sent to a client that has left, and throw it away; only `receive` tells. Measured on uvicorn,
    hypercorn, granian and daphne.
    """
    tasks = asyncio.ensure_future(responding), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # none of it goes on when this returns
    for task in tasks:
        if not task.cancelled() and not isinstance(task.exception(), _ClientLeftError):
            task.result()


class _ClientLeftError(Exception):
    """`send` has said so."""


def checked(send: Send) -> Send:
    """ASGI 2.4: `send` may raise OSError when the client has left.

    Told apart from any other OSError, such as one of an `authorize` that cannot reach its server: that is to be seen.
    """

    async def checking(message: Message) -> None:
        try:
            await send(message)
        except OSError as error:
            raise _ClientLeftError from error

    return checking


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
