"""7 flask: a job, or a result -> a response for a view in Flask, or in anything of Werkzeug's."""

from collections.abc import Sequence
from typing import Unpack

from workqueue import Job, Params, WorkQueue
from workqueue.extras import Extra
from workqueue.jobs.composed import Events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.file_body import FileBody
from workqueue.web.message import headers_of, request_of
from workqueue.web.one_thread import warn_of_one_thread
from workqueue.web.result_options import ResultOptions
from workqueue.web.results import respond
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, has_seen_end
from workqueue.web.wsgi import file_iterable

with Extra("flask", __name__):
    from werkzeug.wrappers import Request, Response


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
        request: whose view this is; ``flask.request`` will do.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.
        events: see `ProgressStream`.
        encodings: see `ProgressStream`.

    Raises:
        TypeError: for a request of a framework for ASGI, such as Quart's, or `events` or `encodings` that are none.
        ValueError: for a heartbeat or max_duration that cannot work.
    """
    _check_is_wsgi(request)
    if has_seen_end(request.headers.get("Last-Event-ID", "")):
        return Response(status=204)
    warn_of_one_thread(request.environ)
    accept = request.headers.get("Accept", "")
    stream = ProgressStream(
        job, accept, heartbeat=heartbeat, max_duration=max_duration, events=events, encodings=encodings
    )
    return Response(stream.to_generator(), headers=stream.headers)


def _check_is_wsgi(request: Request) -> None:
    # Quart's request is one of Werkzeug's, and its server would wait for a blocking generator, or hold it back.
    if not hasattr(request, "environ"):
        kind = f"{type(request).__module__}.{type(request).__name__}"
        raise TypeError(
            f"progress_response needs a request of a WSGI server; got a {kind}."
            " In Quart, and under ASGI elsewhere, send ProgressStream(job, accept).to_async_iter()"
        )


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

    404 says how to have it built, 409 that it is being built. The result is held until the response is closed.

    Args:
        queue: whose result.
        params: which. Whether the client may have it is yours to decide before.
        request: whose view this is; ``flask.request`` will do.
        path: of a file within it, if the result is a directory.
        generate: the URL where a client has it built.
        **options: see `ResultOptions`.

    Raises:
        TypeError: for an option that does not go with the queue's storage.
        ValueError: for an option that makes no header.
    """
    # Werkzeug's `send_file` answers several ranges with 416, and HEAD with 206; and knows no If-Unmodified-Since.
    asked = request_of(request.method, request.headers.items(), path)
    answer = respond(queue, params, asked, options, generate)
    assert isinstance(answer.body, bytes | FileBody)
    # In a list: of a body by itself Werkzeug would take the length, which to HEAD is not that of GET's.
    body = [answer.body] if isinstance(answer.body, bytes) else file_iterable(request.environ, answer.body)
    # Passed through as it is: Werkzeug would iterate over it, and the server would not see what it may send by itself.
    is_passed = isinstance(answer.body, FileBody)
    response = Response(body, answer.status, headers_of(answer), direct_passthrough=is_passed)
    if "Content-Type" not in answer.headers:
        response.headers.pop("Content-Type", None)
    return response
