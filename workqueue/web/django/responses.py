"""7 django responses: a job, or a result -> a response for a view in Django, under WSGI or ASGI."""

from collections.abc import Sequence
from typing import Unpack

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from workqueue import Job, Params, WorkQueue
from workqueue.jobs.composed import Events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.message import Answer, request_of
from workqueue.web.one_thread import warn_of_one_thread
from workqueue.web.result_options import ResultOptions
from workqueue.web.results import respond
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, has_seen_end
from workqueue.web.streamed import Streamed


def progress_response(
    job: Job | None,
    request: HttpRequest,
    *,
    heartbeat: float | None = DEFAULT_HEARTBEAT,
    max_duration: float | None = DEFAULT_MAX_DURATION,
    events: Events | None = None,
    encodings: Sequence[type[Encoding]] = ENCODINGS,
) -> HttpResponseBase:
    """Tell how a job goes, in the form that the request asks for.

    An `EventSource` that has seen the end, and was not closed, gets 204, which stops it.

    The server decides how it waits, not the view: Django holds back the whole body when it gets a plain iterator under
    ASGI, or an asynchronous one under WSGI. A view inside Overview needs `csrf_exempt` and `xframe_options_exempt`.

    Args:
        job: what `WorkQueue.ensure_run` returned.
        request: whose view this is, plain or async; also wrapped, as Django REST framework does.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.
        events: see `ProgressStream`.
        encodings: see `ProgressStream`.

    Raises:
        TypeError: for a request of neither interface, or `events` or `encodings` that are none.
        ValueError: for a heartbeat or max_duration that cannot work.
    """
    if has_seen_end(request.headers.get("Last-Event-ID", "")):
        return HttpResponse(status=204)
    accept = request.headers.get("Accept", "")
    stream = ProgressStream(
        job, accept, heartbeat=heartbeat, max_duration=max_duration, events=events, encodings=encodings
    )
    if request.method == "HEAD":
        return StreamingHttpResponse((), headers=stream.headers)
    return _streaming(stream, request)


def is_asgi(request: HttpRequest) -> bool:
    """Whether a request came through ASGI, however it is wrapped: Django's handler is who reads the response.

    Raises:
        TypeError: it came through neither interface, so that nobody knows how its response will be read.
    """
    # Each of Django's requests has what its server gave; a wrapper (Django REST framework's) hands that on.
    has_scope, has_environ = (hasattr(request, name) for name in ("scope", "environ"))
    if has_scope == has_environ:
        raise TypeError(
            f"a request of WSGI has an environ, and one of ASGI a scope; {type(request).__module__}."
            f"{type(request).__name__} has {'both' if has_scope else 'neither'}. Give the request that your view was"
            " given; in a test, make it with django.test.RequestFactory or AsyncRequestFactory"
        )
    return has_scope


def _streaming(stream: Streamed, request: HttpRequest) -> StreamingHttpResponse:
    if is_asgi(request):
        return StreamingHttpResponse(stream.to_async_iter(), headers=stream.headers)
    warn_of_one_thread(request.META)
    return StreamingHttpResponse(stream.to_generator(), headers=stream.headers)


def result_response(
    queue: WorkQueue,
    params: Params,
    request: HttpRequest,
    *,
    path: str = "",
    generate: str | None = None,
    **options: Unpack[ResultOptions],
) -> HttpResponseBase:
    """Send a result, or the part of it that the request asks for, or say why there is none.

    404 says how to have it built, 409 that it is being built. The result is held until the response is closed. It looks
    into the storage, so an async view calls it with `asyncio.to_thread`.

    Args:
        queue: whose result.
        params: which. Whether the client may have it is yours to decide before.
        request: whose view this is, plain or async.
        path: of a file within it, if the result is a directory.
        generate: the URL where a client has it built.
        **options: see `ResultOptions`.

    Raises:
        TypeError: for an option that does not go with the queue's storage, or a request of neither interface.
        ValueError: for an option that makes no header.
    """
    is_asgi(request)  # raises before anything is opened
    asked = request_of(request.method or "GET", request.headers.items(), path)
    return response_of(respond(queue, params, asked, options, generate), request)


def response_of(answer: Answer, request: HttpRequest) -> HttpResponseBase:
    """An answer as Django sends it.

    Raises:
        TypeError: for a request of neither interface.
    """
    if isinstance(answer.body, Streamed):
        streaming = _streaming(answer.body, request)
        for name, value in answer.headers.items():
            streaming.headers[name] = value
        return streaming
    # Django's `FileResponse` has the server send a whole file, and that is used. It knows neither conditions nor
    # ranges, and reads the file into memory under ASGI.
    if isinstance(answer.body, bytes):
        response = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
        if "Content-Type" not in answer.headers:
            del response.headers["Content-Type"]
        return response
    if is_asgi(request):
        return StreamingHttpResponse(answer.body.to_async_iter(), status=answer.status, headers=answer.headers)
    if not answer.body.is_whole:
        return StreamingHttpResponse(answer.body, status=answer.status, headers=answer.headers)
    # By itself it would guess the type.
    media_type = answer.headers.pop("Content-Type")
    file = answer.body.as_file()
    return FileResponse(file, status=answer.status, headers=answer.headers, content_type=media_type)
