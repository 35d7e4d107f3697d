"""7 wsgi: a WSGI application for /generate; each open stream takes a thread of its server."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from workqueue import Params, WorkQueue
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.fields import MAX_BODY_BYTES, Fields, overview_params
from workqueue.web.problem import Problem
from workqueue.web.service import (
    ASYNC_AUTHORIZE,
    REFUSALS,
    Answer,
    Authorize,
    Request,
    Service,
    check_verdict,
    headers_of,
    is_async,
)
from workqueue.web.stream import DEFAULT_MAX_DURATION

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class GenerateApp:
    """A queue as a WSGI application (PEP 3333), to be mounted at ``/generate``, or served by itself.

    It answers where it is mounted and at every path that ends in ``generate``, and serves the browser module at those
    that end in ``workqueue.js``. Use a server with threads or greenlets: gunicorn's gthread or gevent, waitress; never
    a sync worker, nor an adapter from WSGI to ASGI, which does not notice that a client has left.

    Args:
        queue: runs the jobs.
        params: turns the named strings of a request into parameters; by default an `OverviewViewParams` of `server`,
            `documentSetId` and the token.
        authorize: called with the parameters before a job is queued or watched. It raises `Problem`, or returns False,
            to refuse; `OverviewTokenCheck` is one. Who needs more of the request than that writes a view of its own.
        allow_origin: whose pages may read the answers (CORS); None: only the server's own. "*" is safe where the
            request itself carries the secret, as Overview's token: no browser adds that by itself.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.

    Raises:
        TypeError: for an `authorize` that is async.
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
        if is_async(authorize):
            raise TypeError(ASYNC_AUTHORIZE)
        self._authorize = authorize
        self._service = Service(
            queue, params=params, allow_origin=allow_origin, heartbeat=heartbeat, max_duration=max_duration
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer = self._answer(_request(environ))
        except REFUSALS as error:
            answer = self._service.refuse(error)
        start_response(f"{answer.status.value} {answer.status.phrase}", headers_of(answer))
        if isinstance(answer.body, bytes):
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]
        return answer.body.to_generator()

    def _answer(self, request: Request) -> Answer:
        answer = self._service.answer_without_job(request)
        if answer is not None:
            return answer
        params = self._service.params_of(request)
        if self._authorize is not None:
            check_verdict(self._authorize(params))
        return self._service.answer(request, params)


def _request(environ: "WSGIEnvironment") -> Request:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    method = environ["REQUEST_METHOD"]
    body = _body(environ) if method == "POST" else b""
    return Request(method, environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""), headers, body)


def _body(environ: "WSGIEnvironment") -> bytes:
    """The body, or as much of it as shows that it is too long.

    Raises:
        Problem: it is not all there, or there is no telling where it ends.
    """
    most = MAX_BODY_BYTES + 1
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if not length and environ.get("wsgi.input_terminated"):
        return bytes(stream.read(most))  # it may be chunked; this server ends it by itself
    if not length and "HTTP_TRANSFER_ENCODING" in environ:
        raise Problem(HTTPStatus.LENGTH_REQUIRED, "send the body with a Content-Length")  # reading it might not end
    if not re.fullmatch("[0-9]{0,18}", length):
        raise Problem(HTTPStatus.BAD_REQUEST, "the Content-Length must be a number")
    wanted = min(int(length or "0"), most)
    body = bytes(stream.read(wanted))
    if len(body) < wanted:
        # As it is, it may well be a request, for something else.
        raise Problem(HTTPStatus.BAD_REQUEST, "the body ended before its Content-Length")
    return body
