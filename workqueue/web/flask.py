"""7 flask: a job -> a response for a view in Flask, or in anything of Werkzeug's."""

from werkzeug.wrappers import Request, Response

from workqueue import Job
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, has_seen_end


def progress_response(
    job: Job | None,
    request: Request,
    *,
    heartbeat: float | None = DEFAULT_HEARTBEAT,
    max_duration: float | None = DEFAULT_MAX_DURATION,
) -> Response:
    """Tell how a job goes, in the form that the request asks for.

    An `EventSource` that has seen the end, and was not closed, gets 204, which stops it.

    Args:
        job: what `WorkQueue.ensure_run` returned.
        request: whose view this is; ``flask.request`` will do.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.

    Raises:
        ValueError: for a heartbeat or max_duration that cannot work.
    """
    if has_seen_end(request.headers.get("Last-Event-ID", "")):
        return Response(status=204)
    accept = request.headers.get("Accept", "")
    stream = ProgressStream(job, accept, heartbeat=heartbeat, max_duration=max_duration)
    return Response(stream.to_generator(), headers=stream.headers)
