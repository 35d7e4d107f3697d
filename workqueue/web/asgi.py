"""7 asgi: ASGI applications for /generate, /result and a dashboard; an open stream takes no thread."""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, Unpack

from workqueue import Params, WorkQueue
from workqueue.jobs.composed import Events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.asgi_request import asgi_body, asgi_request
from workqueue.web.dashboard.service import AuthorizeOperator, DashboardService, check_operator
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.fields import Fields, overview_params
from workqueue.web.generate_service import GenerateService
from workqueue.web.message import Answer, Request, headers_of
from workqueue.web.result_options import ResultOptions
from workqueue.web.result_service import MountedResultService
from workqueue.web.sending import Receive, Send, send_response, send_stream, send_whole, until_left
from workqueue.web.service import REFUSALS, Authorize, Refusal, Service, check_verdict, is_async
from workqueue.web.stream import DEFAULT_MAX_DURATION

T = TypeVar("T")

#: How many plain `authorize` run at once; they wait for other servers rather than compute.
AUTHORIZE_THREADS: Final = 8

__all__ = ("AUTHORIZE_THREADS", "DashboardApp", "GenerateApp", "ResultApp", "send_stream")


class _App(ABC):
    """Answers to requests as an ASGI application."""

    def __init__(self) -> None:
        # Its own, so that whatever it waits for holds up no other use of the loop's executor.
        self._threads = ThreadPoolExecutor(AUTHORIZE_THREADS, "workqueue-authorize")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and stop."""
        if scope["type"] == "http":
            # Not in a method of its own, which would be a frame more for each of thousands of clients.
            body = await asgi_body(receive) if scope["method"] == "POST" else b""
            if body is not None:
                await until_left(self._respond(asgi_request(scope, body), send), receive)
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
            answer = self._refuse(error)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers_of(answer)]
        status, body = answer.status.value, answer.body
        if isinstance(body, bytes):
            await send_whole(status, headers, b"" if request.method == "HEAD" else body, send)
            return
        sending = send_response(status, headers, body.to_async_iter(), send)
        # What this frame holds it holds for as long as the response lasts, for each of thousands of clients.
        del request, answer, body, headers
        await sending

    @abstractmethod
    async def _answer(self, request: Request) -> Answer: ...

    @abstractmethod
    def _refuse(self, error: Refusal) -> Answer: ...

    async def _verdict(self, authorize: Callable[[T], Awaitable[object] | object], subject: T) -> object:
        if is_async(authorize):
            verdict: object = authorize(subject)
        else:
            verdict = await asyncio.get_running_loop().run_in_executor(self._threads, authorize, subject)
        return await verdict if inspect.isawaitable(verdict) else verdict


class _ServiceApp(_App):
    """A service as an ASGI application."""

    def __init__(self, service: Service, authorize: Authorize | None) -> None:
        super().__init__()
        self._service = service
        self._authorize = authorize

    async def _answer(self, request: Request) -> Answer:
        answer = self._service.answer_without_job(request)
        if answer is not None:
            return answer
        params = self._service.params_of(request)
        if self._authorize is not None:
            check_verdict(await self._verdict(self._authorize, params))
        # In a thread, since it looks into the storage, which may be a slow disk, or not on this machine.
        return await asyncio.to_thread(self._service.answer, request, params)

    def _refuse(self, error: Refusal) -> Answer:
        return self._service.refuse(error)


class GenerateApp(_ServiceApp):
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


class ResultApp(_ServiceApp):
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


class DashboardApp(_App):
    """A page that shows a queue live, as an ASGI 3 application for asyncio, for a mount, or a server.

    It shows what runs, what waits and at which place, what has ended lately and how, in all processes that share the
    queue's line; a failed job's stderr; and cancels jobs. It answers wherever it is mounted. While pages are open, a
    thread of this application's looks at the queue once a second for all of them.

    Args:
        queue: what is shown.
        authorize_operator: called for each request: for the page, for all that it loads, about once a minute for an
            open page, and for each cancel. It returns True for an operator's, and False, or raises `Problem`, to
            refuse. An async function is awaited, a plain one called in a thread. There is no default: whoever may see
            the page may stop every job.
        title: what the page is called.
        heartbeat: seconds of silence after which an open page is told how things stand once more.
        max_duration: seconds after which an open page asks again, and is authorized anew.

    Raises:
        TypeError: for an `authorize_operator` that is no function.
        ValueError: for a heartbeat or max_duration that cannot work.
    """

    def __init__(
        self,
        queue: WorkQueue,
        *,
        authorize_operator: AuthorizeOperator,
        title: str = "Work queue",
        heartbeat: float = DEFAULT_HEARTBEAT,
        max_duration: float = DEFAULT_MAX_DURATION,
    ) -> None:
        super().__init__()
        self._service = DashboardService(
            queue, authorize_operator, title=title, heartbeat=heartbeat, max_duration=max_duration
        )
        self._authorize = authorize_operator

    async def _answer(self, request: Request) -> Answer:
        check_operator(await self._verdict(self._authorize, request))
        # In a thread, since it looks at what processes share, which is in files.
        return await asyncio.to_thread(self._service.answer, request)

    def _refuse(self, error: Refusal) -> Answer:
        return self._service.refuse(error)


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol: there is nothing to start, and the queue is its owner's to close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
