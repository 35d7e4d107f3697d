"""7 service: a request -> what to answer; all that the WSGI and the ASGI application have in common.

It has no thread and no loop, and does no I/O but the queue's look into its storage, in `answer`. The front ends read
the request, ask `authorize` in between, and write the answer, each in its own way.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from workqueue import InvalidParams, Params, QueueClosed, QueueFull, WorkQueue
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.browser import module
from workqueue.web.fields import Fields, overview_params, parse_fields
from workqueue.web.problem import Problem
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, check_stream_options, has_seen_end

Authorize = Callable[[Params], Awaitable[bool | None] | bool | None]
"""Decides whether somebody may have a job: returns None or True, or raises `Problem`; False refuses too.

Anything else is an error, so that ``lambda params: tokens.get(params.api_token)`` does not let everybody in.
"""

REFUSALS: Final = (Problem, InvalidParams, QueueFull, QueueClosed)
"""What `Service.refuse` makes an answer of."""

ASYNC_AUTHORIZE: Final = "an async authorize needs workqueue.web.asgi; give workqueue.web.wsgi a plain function"

_METHODS: Final = "GET, HEAD, OPTIONS, POST"


class Request(NamedTuple):
    """What a server was asked, in the same form for WSGI and ASGI."""

    method: str
    path: str
    """Below the place where the application is mounted."""

    query: str
    headers: Mapping[str, str]
    """By names in lower case."""

    body: bytes = b""


@dataclass
class Answer:
    """What to send."""

    status: HTTPStatus
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | ProgressStream = b""


class Service:
    """Requests to one queue. Callable from any thread."""

    def __init__(
        self,
        queue: WorkQueue,
        *,
        params: Callable[[Fields], Params] = overview_params,
        allow_origin: str | None = "*",
        heartbeat: float | None = DEFAULT_HEARTBEAT,
        max_duration: float | None = DEFAULT_MAX_DURATION,
    ) -> None:
        check_stream_options(heartbeat, max_duration)
        if is_async(params):
            raise TypeError("params must be a plain function; what has to wait is for authorize")
        if allow_origin is not None and not isinstance(allow_origin, str):
            raise TypeError(f"allow_origin must be one origin, '*' or None; got {type(allow_origin).__name__}")
        self._queue = queue
        self._params = params
        self._heartbeat = heartbeat
        self._max_duration = max_duration
        self._cors = {}
        if allow_origin is not None:
            self._cors = {"Access-Control-Allow-Origin": allow_origin, "Access-Control-Expose-Headers": "Retry-After"}

    def answer_without_job(self, request: Request) -> Answer | None:
        """The answer, unless it depends on the parameters.

        Raises:
            Problem: there is nothing at this path, or not with this method.
        """
        name = request.path.rstrip("/").rpartition("/")[2]
        if name == "workqueue.js":
            return self._module(request)
        if name not in {"", "generate"}:
            raise Problem(HTTPStatus.NOT_FOUND, "there is nothing here; ask for /generate or /workqueue.js")
        if request.method == "OPTIONS":
            return self._options()
        if request.method not in {"GET", "HEAD", "POST"}:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "use POST, or GET", {"Allow": _METHODS})
        if has_seen_end(request.headers.get("last-event-id", "")):
            return Answer(HTTPStatus.NO_CONTENT, {"Cache-Control": "no-store", **self._cors})
        return None

    def params_of(self, request: Request) -> Params:
        """What the request asks for. Checked before `authorize` sees it, which may connect to the server it names.

        Raises:
            Problem: the request cannot be read, or lacks something.
            InvalidParams: these can never run.
        """
        headers = request.headers
        fields = parse_fields(
            request.query, headers.get("content-type", ""), request.body, headers.get("authorization", "")
        )
        params = self._params(fields)
        self._queue.check_params(params)
        return params

    def answer(self, request: Request, params: Params) -> Answer:
        """Run a job, or join it, or find its result. It looks into the storage, so it may take a moment.

        Raises:
            QueueFull, QueueClosed: it cannot be queued.
        """
        # HEAD is what GET would say, without doing it.
        job = None if request.method == "HEAD" else self._queue.ensure_run(params)
        accept = request.headers.get("accept", "")
        stream = ProgressStream(job, accept, heartbeat=self._heartbeat, max_duration=self._max_duration)
        body: bytes | ProgressStream = b"" if request.method == "HEAD" else stream
        return Answer(HTTPStatus.OK, {**stream.headers, **self._cors}, body)

    def refuse(self, error: Problem | InvalidParams | QueueFull | QueueClosed) -> Answer:
        """Say why not."""
        problem = Problem.of(error)
        return Answer(problem.status, {**problem.headers, **self._cors}, problem.body())

    def _options(self) -> Answer:
        headers = {"Allow": _METHODS, **self._cors}
        if self._cors:
            headers |= {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": "accept, authorization, content-type, last-event-id",
                "Access-Control-Max-Age": "86400",
            }
        return Answer(HTTPStatus.NO_CONTENT, headers)

    def _module(self, request: Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "use GET", {"Allow": "GET, HEAD"})
        data, etag = module()
        # Asked again each time, and answered with 304: no page runs last week's module against today's server.
        headers = {"Cache-Control": "no-cache", "ETag": etag, "X-Content-Type-Options": "nosniff", **self._cors}
        if any(tag in request.headers.get("if-none-match", "") for tag in (etag, "*")):
            return Answer(HTTPStatus.NOT_MODIFIED, headers)
        headers["Content-Type"] = "text/javascript; charset=utf-8"
        return Answer(HTTPStatus.OK, headers, data)


def check_verdict(verdict: object) -> None:
    """What `authorize` returned.

    Raises:
        Problem: 403, for False.
        TypeError: for what is no verdict, above all a coroutine that nobody awaits: it would let everybody through.
    """
    if inspect.isawaitable(verdict):
        raise TypeError(ASYNC_AUTHORIZE)
    if verdict is False:
        raise Problem(HTTPStatus.FORBIDDEN, "you may not have this built")
    # None is what a function returns that raises its refusals.
    if verdict is not None and verdict is not True:
        raise TypeError(f"authorize must return None, True or False, or raise Problem; got {type(verdict).__name__}")


def is_async(function: object) -> bool:
    """Whether calling it gives something to await."""
    # The second look is for an object whose __call__ is async.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def headers_of(answer: Answer) -> list[tuple[str, str]]:
    """The headers to send, the body's length among them unless it is empty or not known yet."""
    headers = list(answer.headers.items())
    if isinstance(answer.body, bytes) and answer.body:
        headers.append(("Content-Length", str(len(answer.body))))
    return headers
