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
    await until_left(send_response(status, headers, pieces, send), receive)


async def send_response(
    status: int, headers: Sequence[tuple[bytes, bytes]], pieces: AsyncIterator[bytes], send: Send
) -> None:
    """Send it, whether its client is there or not, and close its body.

    Raises:
        ClientLeftError: `send` has said so.
    """
    # ASGI 2.4: `send` may raise OSError when the client has left. Told apart from any other OSError, such as one of the
    # body, that is to be seen. In this one frame, since each of thousands of clients has one.
    try:
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
        except OSError as error:
            raise ClientLeftError from error
        del headers  # they would be held for as long as the response lasts
        async for piece in pieces:
            try:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            except OSError as error:
                raise ClientLeftError from error
        try:
            await send({"type": "http.response.body", "body": b""})
        except OSError as error:
            raise ClientLeftError from error
    finally:
        # Not left to the garbage collector: somebody may hold on to the response.
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()


async def send_whole(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, send: Send) -> None:
    """Send a response that is there.

    Raises:
        ClientLeftError: `send` has said so.
    """
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    except OSError as error:
        raise ClientLeftError from error


async def until_left(responding: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Await a response, but no longer than its client is there.

    Servers accept what is sent to a client that has left, and throw it away; only `receive` tells. Measured on uvicorn,
    hypercorn, granian and daphne. A task of its own watches for that. The response has none: it is awaited by the
    caller's task, which is cancelled as by `asyncio.timeout`. With two tasks a client took 3 KiB more.
    """
    task = asyncio.current_task()
    assert task is not None
    watcher = asyncio.ensure_future(_left(receive))
    n_cancels = task.cancelling()
    is_cancelled = is_over = False

    def cancel(_: object) -> None:
        nonlocal is_cancelled
        if not is_over:  # else the response ended in the turn in which its client left
            is_cancelled = True
            task.cancel()

    watcher.add_done_callback(cancel)
    try:
        await responding
    except ClientLeftError:
        pass
    except asyncio.CancelledError:
        if not is_cancelled or task.cancelling() > n_cancels + 1:
            raise  # somebody else's
    finally:
        is_over = True
        if is_cancelled:
            task.uncancel()
        watcher.cancel()
        await asyncio.wait((watcher,))  # none of it goes on when this returns
    if not watcher.cancelled():
        watcher.result()


class ClientLeftError(Exception):
    """`send` has said that the client has left."""


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
