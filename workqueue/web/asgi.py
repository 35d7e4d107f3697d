"""7 asgi: an ASGI application for /generate; an open stream takes no thread, and a client that left is seen at once."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from workqueue import Params, WorkQueue
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.fields import MAX_BODY_BYTES, Fields, overview_params
from workqueue.web.service import REFUSALS, Answer, Authorize, Request, Service, check_verdict, headers_of, is_async
from workqueue.web.stream import DEFAULT_MAX_DURATION

#: How many plain `authorize` run at once; they wait for other servers rather than compute.
AUTHORIZE_THREADS: Final = 8

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class GenerateApp:
    """A queue as an ASGI 3 application for asyncio, for a route ``/generate``, a mount, or a server by itself.

    (Starlette redirects from a mount to the same path with a slash behind it, which browsers do not allow a preflight;
    ``Route("/generate", app)`` does not.) It answers at every path that ends in ``generate`` or in a slash, and serves
    the browser module at those that end in ``workqueue.js``.

    Args:
        queue: runs the jobs. Its `close` ends every stream; call it when the application shuts down.
        params: turns the named strings of a request into parameters; by default an `OverviewViewParams` of `server`,
            `documentSetId` and the token.
        authorize: called with the parameters before a job is queued or watched. It raises `Problem`, or returns False,
            to refuse; `OverviewTokenCheck` is one. An async function is awaited, a plain one called in a thread of
            this application's. Who needs more of the request than that writes an endpoint of its own.
        allow_origin: whose pages may read the answers (CORS); None: only the server's own. "*" is safe where the
            request itself carries the secret, as Overview's token: no browser adds that by itself.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.

    Raises:
        ValueError: for a heartbeat or max_duration that cannot work.
    """

    def __init__(
        self,
        queue: WorkQueue,
        *,
        params: Callable[[Fields], Params] = overview_params,
        authorize: Authorize | None = None,
        allow_origin: str | None = "*",
        heartbeat: float | None = DEFAULT_HEARTBEAT,
        max_duration: float | None = DEFAULT_MAX_DURATION,
    ) -> None:
        self._authorize = authorize
        # Its own, so that whatever it waits for holds up no other use of the loop's executor.
        self._threads = ThreadPoolExecutor(AUTHORIZE_THREADS, "workqueue-authorize")
        self._service = Service(
            queue, params=params, allow_origin=allow_origin, heartbeat=heartbeat, max_duration=max_duration
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and stop."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003, "reason": "this speaks HTTP, not WebSocket"})
        else:
            raise ValueError(f"cannot serve the ASGI scope {scope['type']!r}")

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body = await _body(receive) if scope["method"] == "POST" else b""
        if body is not None:
            await _until_left(self._respond(_request(scope, body), _checked(send)), receive)

    async def _respond(self, request: Request, send: Send) -> None:
        try:
            answer = await self._answer(request)
        except REFUSALS as error:
            answer = self._service.refuse(error)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers_of(answer)]
        if isinstance(answer.body, bytes):
            body = b"" if request.method == "HEAD" else answer.body
            await send({"type": "http.response.start", "status": answer.status.value, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await _send_response(answer.status.value, headers, answer.body.to_async_iter(), send)

    async def _answer(self, request: Request) -> Answer:
        answer = self._service.answer_without_job(request)
        if answer is not None:
            return answer
        params = self._service.params_of(request)
        if self._authorize is not None:
            check_verdict(await self._verdict(self._authorize, params))
        # In a thread, since it looks into the storage, which may be a slow disk, or not on this machine.
        return await asyncio.to_thread(self._service.answer, request, params)

    async def _verdict(self, authorize: Authorize, params: Params) -> object:
        if is_async(authorize):
            verdict: object = authorize(params)
        else:
            verdict = await asyncio.get_running_loop().run_in_executor(self._threads, authorize, params)
        return await verdict if inspect.isawaitable(verdict) else verdict


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
    await _until_left(_send_response(status, headers, pieces, _checked(send)), receive)


async def _send_response(
    status: int, headers: Sequence[tuple[bytes, bytes]], pieces: AsyncIterator[bytes], send: Send
) -> None:
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        # Not left to the garbage collector: somebody may hold on to the response.
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()


async def _until_left(responding: Coroutine[Any, Any, None], receive: Receive) -> None:
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


def _checked(send: Send) -> Send:
    """ASGI 2.4: `send` may raise OSError when the client has left.

    Told apart from any other OSError, such as one of an `authorize` that cannot reach its server: that is to be seen.
    """

    async def checked(message: Message) -> None:
        try:
            await send(message)
        except OSError as error:
            raise _ClientLeftError from error

    return checked


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes | None:
    """The request's body, or as much of it as shows that it is too long; None: the client left in the middle."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _request(scope: MutableMapping[str, Any], body: bytes) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value  # RFC 9110, section 5.3
    path, root = scope["path"], scope.get("root_path", "")
    if f"{path}/".startswith(f"{root}/"):
        path = path[len(root) :]
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol: there is nothing to start, and the queue is its owner's to close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
