"""7 starlette: a job, or a result -> a response for an endpoint in Starlette or FastAPI."""

from collections.abc import Sequence
from typing import Unpack

from workqueue import Job, Params, WorkQueue
from workqueue.extras import Extra
from workqueue.jobs.composed import Events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.file_body import FileBody
from workqueue.web.message import Answer, headers_of, request_of
from workqueue.web.result_options import ResultOptions
from workqueue.web.results import respond
from workqueue.web.sending import send_stream
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, has_seen_end

with Extra("starlette", __name__):
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.types import Receive, Scope, Send


def progress_response(
    job: Job | None,
    request: Request,
    *,
    heartbeat: float | None = DEFAULT_HEARTBEAT,
    max_duration: float | None = DEFAULT_MAX_DURATION,
    events: Events | None = None,
    encodings: Sequence[type[Encoding]] = ENCODINGS,
) -> Response:
    """Tell how a job goes, in the form that the request asks for.

    An `EventSource` that has seen the end, and was not closed, gets 204, which stops it.

    Args:
        job: what `WorkQueue.ensure_run` returned.
        request: whose endpoint this is.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.
        events: see `ProgressStream`.
        encodings: see `ProgressStream`.

    Raises:
        TypeError: for `events` or `encodings` that are none.
        ValueError: for a heartbeat or max_duration that cannot work.
    """
    if has_seen_end(request.headers.get("last-event-id", "")):
        return Response(status_code=204)
    accept = request.headers.get("accept", "")
    stream = ProgressStream(
        job, accept, heartbeat=heartbeat, max_duration=max_duration, events=events, encodings=encodings
    )
    return ProgressResponse(stream)


class ProgressResponse(StreamingResponse):
    """What `progress_response` returns: with every server it is seen at once that the client has left."""

    # StreamingResponse trusts servers that declare ASGI 2.4 to raise from `send`, and asks only the others.

    def __init__(self, stream: ProgressStream) -> None:
        self._pieces = stream.to_async_iter()
        super().__init__(self._pieces, headers=stream.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, then do what was to be done in the background."""
        if scope["method"] == "HEAD":
            await Response(headers=dict(self.headers))(scope, receive, send)
            return
        await send_stream(self.status_code, self.raw_headers, self._pieces, receive, send)
        if self.background is not None:
            await self.background()


def result_response(
    queue: WorkQueue,
    params: Params,
    request: Request,
    *,
    path: str = "",
    generate: str | None = None,
    **options: Unpack[ResultOptions],
) -> Response:
    """Send a result, or the part of it that the request asks for, or say why there is none.

    404 says how to have it built, 409 that it is being built. The result is held until the response was sent, or its
    client has left. It looks into the storage, so a coroutine calls it with `asyncio.to_thread`.

    Args:
        queue: whose result.
        params: which. Whether the client may have it is yours to decide before.
        request: whose endpoint this is.
        path: of a file within it, if the result is a directory.
        generate: the URL where a client has it built.
        **options: see `ResultOptions`.

    Raises:
        TypeError: for an option that does not go with the queue's storage.
        ValueError: for an option that makes no header.
    """
    # Starlette's `FileResponse` opens the file by its name when it is sent, which may be another one's by then, and has
    # no conditions but If-Range.
    asked = request_of(request.method, request.headers.items(), path)
    return ResultResponse(respond(queue, params, asked, options, generate))


class ResultResponse(Response):
    """What `result_response` returns."""

    def __init__(self, answer: Answer) -> None:
        assert isinstance(answer.body, bytes | FileBody)
        self._file = answer.body if isinstance(answer.body, FileBody) else None
        super().__init__(None if self._file else answer.body, answer.status, dict(headers_of(answer)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, then do what was to be done in the background."""
        if self._file is None:
            await super().__call__(scope, receive, send)
            return
        await send_stream(self.status_code, self.raw_headers, self._file.to_async_iter(), receive, send)
        if self.background is not None:
            await self.background()
