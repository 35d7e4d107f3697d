"""7 generate_service: a request to /generate -> a job that is told of; and the browser module."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from workqueue import Params, WorkQueue
from workqueue.jobs.composed import Events, check_events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.browser import BROWSER_MODULE, BROWSER_TYPES, BrowserFile, browser_file
from workqueue.web.encodings import ENCODINGS, Encoding, check_encodings
from workqueue.web.fields import Fields, overview_params
from workqueue.web.message import Answer, Request
from workqueue.web.problem import Problem
from workqueue.web.result_options import ResultOptions
from workqueue.web.result_service import ResultService
from workqueue.web.service import Authorize, Service
from workqueue.web.stream import DEFAULT_MAX_DURATION, ProgressStream, check_stream_options, has_seen_end


class GenerateService(Service):
    """See `Service`; the options are those of the applications."""

    _exposed = "Retry-After"
    _sent = "accept, authorization, content-type, last-event-id"

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
        super().__init__(queue, authorize, params, allow_origin)
        check_stream_options(heartbeat, max_duration)
        self._heartbeat = heartbeat
        self._max_duration = max_duration
        check_events(events)
        check_encodings(encodings)
        self._events = events
        self._encodings = tuple(encodings)
        self._results = None
        if result is not None:
            self._results = ResultService(
                queue,
                params=params,
                authorize=authorize,
                allow_origin=allow_origin,
                at=result,
                options=result_options or {},
            )
        elif result_options is not None:
            raise TypeError("result_options are for results; say where these are served: result='/result'")

    def answer_without_job(self, request: Request) -> Answer | None:
        """See `Service`."""
        if self._results is not None and self._results.is_at(request):
            return self._results.answer_without_job(request)
        name = request.path.rstrip("/").rpartition("/")[2]
        file = browser_file(name)
        if file is not None:
            return self._file(request, name, file)
        if name not in {"", "generate"}:
            raise Problem(HTTPStatus.NOT_FOUND, "there is nothing here; ask for /generate or /workqueue.js")
        answer = self._check_method(request)
        if answer is None and has_seen_end(request.headers.get("last-event-id", "")):
            return Answer(HTTPStatus.NO_CONTENT, {"Cache-Control": "no-store", **self._cors})
        return answer

    def answer(self, request: Request, params: Params) -> Answer:
        """Run a job, or join it, or find its result; or send that. See `Service`."""
        if self._results is not None and self._results.is_at(request):
            return self._results.answer(request, params)
        # HEAD is what GET would say, without doing it.
        job = None if request.method == "HEAD" else self._queue.ensure_run(params)
        accept = request.headers.get("accept", "")
        stream = ProgressStream(
            job,
            accept,
            heartbeat=self._heartbeat,
            max_duration=self._max_duration,
            events=self._events,
            encodings=self._encodings,
        )
        body: bytes | ProgressStream = b"" if request.method == "HEAD" else stream
        return Answer(HTTPStatus.OK, {**stream.headers, **self._cors}, body)

    def _file(self, request: Request, name: str, file: BrowserFile) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "use GET", {"Allow": "GET, HEAD"})
        # Asked again each time, and answered with 304: no page runs last week's module against today's server.
        headers = {"Cache-Control": "no-cache", "ETag": file.etag, "X-Content-Type-Options": "nosniff", **self._cors}
        if name == BROWSER_MODULE.name:
            headers["X-TypeScript-Types"] = f"./{BROWSER_TYPES.name}"  # Deno reads it, and editors that know Deno
        if any(tag in request.headers.get("if-none-match", "") for tag in (file.etag, "*")):
            return Answer(HTTPStatus.NOT_MODIFIED, headers)
        headers["Content-Type"] = file.content_type
        return Answer(HTTPStatus.OK, headers, file.data)
