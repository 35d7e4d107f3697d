"""7 django: a job -> a response for a view in Django, under WSGI or ASGI."""

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from workqueue import Job
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, has_seen_end


def progress_response(
    job: Job | None,
    request: HttpRequest,
    *,
    heartbeat: float | None = DEFAULT_HEARTBEAT,
    max_duration: float | None = DEFAULT_MAX_DURATION,
) -> HttpResponseBase:
    """Tell how a job goes, in the form that the request asks for.

    An `EventSource` that has seen the end, and was not closed, gets 204, which stops it.

    The server decides how it waits, not the view: Django holds back the whole body when it gets a plain iterator under
    ASGI, or an asynchronous one under WSGI. A view inside Overview needs `csrf_exempt` and `xframe_options_exempt`.

    Args:
        job: what `WorkQueue.ensure_run` returned.
        request: whose view this is, plain or async.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.

    Raises:
        ValueError: for a heartbeat or max_duration that cannot work.
    """
    if has_seen_end(request.headers.get("Last-Event-ID", "")):
        return HttpResponse(status=204)
    accept = request.headers.get("Accept", "")
    stream = ProgressStream(job, accept, heartbeat=heartbeat, max_duration=max_duration)
    if request.method == "HEAD":
        return StreamingHttpResponse((), headers=stream.headers)
    body = stream.to_async_iter() if isinstance(request, ASGIRequest) else stream.to_generator()
    return StreamingHttpResponse(body, headers=stream.headers)
