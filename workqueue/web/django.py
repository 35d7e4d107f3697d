"""7 django: a job -> a response for a view in Django, under WSGI or ASGI."""

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from workqueue import Job
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream


def progress_response(
    job: Job | None,
    request: HttpRequest,
    *,
    heartbeat: float | None = DEFAULT_HEARTBEAT,
    max_duration: float | None = DEFAULT_MAX_DURATION,
) -> StreamingHttpResponse:
    """Tell how a job goes, in the form that the request asks for.

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
    accept = request.headers.get("Accept", "")
    stream = ProgressStream(job, accept, heartbeat=heartbeat, max_duration=max_duration)
    body = stream.to_async_iter() if isinstance(request, ASGIRequest) else stream.to_generator()
    return StreamingHttpResponse(body, headers=stream.headers)
