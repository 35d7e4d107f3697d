"""7 asgi: ASGI applications for /generate and /result; an open stream takes no thread, and who left is seen at once."""

import asyncio
import inspect
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Unpack

from workqueue import Params, WorkQueue
from workqueue.jobs.composed import Events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.fields import MAX_BODY_BYTES, Fields, overview_params
from workqueue.web.generate_service import GenerateService
from workqueue.web.message import Answer, Request, headers_of
from workqueue.web.result_options import ResultOptions
from workqueue.web.result_service import MountedResultService
from workqueue.web.sending import Receive, Send, send_response, send_stream, send_whole, until_left
from workqueue.web.service import REFUSALS, Authorize, Service, check_verdict, is_async
from workqueue.web.stream import DEFAULT_MAX_DURATION

#: How many plain `authorize` run at once; they wait for other servers rather than compute.
AUTHORIZE_THREADS: Final = 8

__all__ = ("AUTHORIZE_THREADS", "GenerateApp", "ResultApp", "send_stream")


class _App:
    """A service as an ASGI application."""

    def __init__(self, service: Service, authorize: Authorize | None) -> None:
        self._service = service
        self._authorize = authorize
        # Its own, so that whatever it waits for holds up no other use of the loop's executor.
        self._threads = ThreadPoolExecutor(AUTHORIZE_THREADS, "workqueue-authorize")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and stop."""
        if scope["type"] == "http":
            # Not in a method of its own, which would be a frame more for each of thousands of clients.
            body = await _body(receive) if scope["method"] == "POST" else b""
            if body is not None:
                await until_left(self._respond(_request(scope, body), send), receive)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003, "reason": "this speaks HTTP, not WebSocket"})
        else:
            raise ValueError(f"cannot serve the ASGI scope {scope['type']!r}")

    async def _respond(self, request: Request, send: Send) -> None:
        try:
            answer = await self._answer(request)
        except REFUSALS as error:
            answer = self._service.refuse(error)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers_of(answer)]
        status, body = answer.status.value, answer.body
        if isinstance(body, bytes):
            await send_whole(status, headers, b"" if request.method == "HEAD" else body, send)
            return
        sending = send_response(status, headers, body.to_async_iter(), send)
        # What this frame holds it holds for as long as the response lasts, for each of thousands of clients.
        del request, answer, body, headers
        await sending

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


class GenerateApp(_App):
    """A queue as an ASGI 3 application for asyncio, for a route ``/generate``, a mount, or a server by itself.

    (Starlette redirects from a mount to the same path with a slash behind it, which browsers do not allow a preflight;
    ``Route("/generate", app)`` does not.) It answers at every path that ends in ``generate`` or in a slash, and serves
    the browser module at those that end in ``workqueue.js``.

    Args:
        queue: runs the jobs. Its `close` ends every stream; call it when the application shuts down.
        params: turns the named strings of a request into parameters; by default an `OverviewViewParams` of `server`,
            `documentSetId` and the token.
        authorize: called with the parameters before a job is queued or watched, or a result sent. It raises `Problem`,
            or returns False, to refuse; `OverviewTokenCheck` is one. An async function is awaited, a plain one called
            in a thread of this application's. If you need more of the request than that, write an endpoint.
        allow_origin: whose pages may read the answers (CORS); None: only the server's own. "*" is safe where the
            request itself carries the secret, as Overview's token: no browser adds that by itself.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.
        events: see `ProgressStream`.
        encodings: see `ProgressStream`.
        result: the path where results are served, such as ``/result``; None: they are not.
        result_options: how they are: see `ResultOptions`.

    Raises:
        TypeError: without `authorize` for a queue that has a `key`, or for an option of results that does not go with
            its storage.
        ValueError: for a heartbeat or max_duration that cannot work, or a `result` that is no path.
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
        events: Events | None = None,
        encodings: Sequence[type[Encoding]] = ENCODINGS,
        result: str | None = None,
        result_options: ResultOptions | None = None,
    ) -> None:
        service = GenerateService(
            queue,
            params=params,
            authorize=authorize,
            allow_origin=allow_origin,
            heartbeat=heartbeat,
            max_duration=max_duration,
            events=events,
            encodings=encodings,
            result=result,
            result_options=result_options,
        )
        super().__init__(service, authorize)


class ResultApp(_App):
    """The results of a queue as an ASGI 3 application for asyncio, for a route or a mount ``/result``, or a server.

    It answers GET, HEAD and POST wherever it is mounted, with the result, in parts if a client asks for parts; 404 if
    there is none; and 409 while it is being built. What is behind its path is a file within a result that is a
    directory.

    Args:
        queue: whose results.
        params: see `GenerateApp`.
        authorize: see `GenerateApp`; called for each request.
        allow_origin: see `GenerateApp`.
        generate: the URL where a client has a result built, such as ``/generate``; it is told with 404 and 409.
        **options: see `ResultOptions`.

    Raises:
        TypeError: without `authorize` for a queue that has a `key`, or for an option that does not go with the queue's
            storage.
        ValueError: for an option that makes no header.
    """

    def __init__(
        self,
        queue: WorkQueue,
        *,
        params: Callable[[Fields], Params] = overview_params,
        authorize: Authorize | None = None,
        allow_origin: str | None = "*",
        generate: str | None = None,
        **options: Unpack[ResultOptions],
    ) -> None:
        service = MountedResultService(
            queue, params=params, authorize=authorize, allow_origin=allow_origin, generate=generate, options=options
        )
        super().__init__(service, authorize)


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
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body, root)


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol: there is nothing to start, and the queue is its owner's to close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
