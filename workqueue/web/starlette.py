"""7 starlette: a job -> a response for an endpoint in Starlette or FastAPI."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from workqueue import Job
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.asgi import send_stream
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
        request: whose endpoint this is.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.

    Raises:
        ValueError: for a heartbeat or max_duration that cannot work.
    """
    if has_seen_end(request.headers.get("last-event-id", "")):
        return Response(status_code=204)
    accept = request.headers.get("accept", "")
    return ProgressResponse(ProgressStream(job, accept, heartbeat=heartbeat, max_duration=max_duration))


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
