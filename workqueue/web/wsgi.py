"""7 wsgi: WSGI applications for /generate, /result and a dashboard; each open response takes a thread of its server."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Unpack

from workqueue import Params, WorkQueue
from workqueue.jobs.composed import Events
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.dashboard.service import DashboardService, check_operator
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.fields import Fields, overview_params
from workqueue.web.file_body import BLOCK_BYTES, FileBody
from workqueue.web.generate_service import GenerateService
from workqueue.web.message import Answer, Request, headers_of
from workqueue.web.one_thread import warn_of_one_thread
from workqueue.web.result_options import ResultOptions
from workqueue.web.result_service import MountedResultService
from workqueue.web.service import ASYNC_AUTHORIZE, REFUSALS, Authorize, Refusal, Service, check_verdict, is_async
from workqueue.web.stream import DEFAULT_MAX_DURATION
from workqueue.web.wsgi_request import wsgi_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class _App(ABC):
    """Answers to requests as a WSGI application."""

    def __init__(self, authorize: object) -> None:
        if is_async(authorize):
            raise TypeError(ASYNC_AUTHORIZE)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer = self._answer(wsgi_request(environ))
        except REFUSALS as error:
            answer = self._refuse(error)
        start_response(f"{answer.status.value} {answer.status.phrase}", headers_of(answer))
        if isinstance(answer.body, bytes):
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]
        if isinstance(answer.body, FileBody):
            return file_iterable(environ, answer.body)
        warn_of_one_thread(environ)
        return answer.body.to_generator()

    @abstractmethod
    def _answer(self, request: Request) -> Answer: ...

    @abstractmethod
    def _refuse(self, error: Refusal) -> Answer: ...


class _ServiceApp(_App):
    """A service as a WSGI application."""

    def __init__(self, service: Service, authorize: Authorize | None) -> None:
        super().__init__(authorize)
        self._service = service
        self._authorize = authorize

    def _answer(self, request: Request) -> Answer:
        answer = self._service.answer_without_job(request)
        if answer is not None:
            return answer
        params = self._service.params_of(request)
        if self._authorize is not None:
            check_verdict(self._authorize(params))
        return self._service.answer(request, params)

    def _refuse(self, error: Refusal) -> Answer:
        return self._service.refuse(error)


class GenerateApp(_ServiceApp):
    """A queue as a WSGI application (PEP 3333), to be mounted at ``/generate``, or served by itself.

    It answers where it is mounted and at every path that ends in ``generate``, and serves the browser module at those
    that end in ``workqueue.js``. Use a server with threads or greenlets: gunicorn's gthread or gevent, waitress; never
    a sync worker, nor an adapter from WSGI to ASGI, which does not notice that a client has left.

    Args:
        queue: runs the jobs.
        params: turns the named strings of a request into parameters; by default an `OverviewViewParams` of `server`,
            `documentSetId` and the token.
        authorize: called with the parameters before a job is queued or watched, or a result sent. It raises `Problem`,
            or returns False, to refuse; `OverviewTokenCheck` is one. If you need more of the request than that,
            write a view.
        allow_origin: whose pages may read the answers (CORS); None: only the server's own. "*" is safe where the
            request itself carries the secret, as Overview's token: no browser adds that by itself.
        heartbeat: see `ProgressStream`.
        max_duration: see `ProgressStream`.
        events: see `ProgressStream`.
        encodings: see `ProgressStream`.
        result: the path where results are served, such as ``/result``; None: they are not.
        result_options: how they are: see `ResultOptions`.

    Raises:
        TypeError: for an `authorize` that is async; without one for a queue that has a `key`, or for an option of
            results that does not go with its storage.
        ValueError: for a heartbeat or max_duration that cannot work, or a `result` that is no path.
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
        events: Events | None = None,
        encodings: Sequence[type[Encoding]] = ENCODINGS,
        result: str | None = None,
        result_options: ResultOptions | None = None,
    ) -> None:
        service = GenerateService(
            queue,
            params=params,
            authorize=authorize,
            allow_origin=allow_origin,
            heartbeat=heartbeat,
            max_duration=max_duration,
            events=events,
            encodings=encodings,
            result=result,
            result_options=result_options,
        )
        super().__init__(service, authorize)


class ResultApp(_ServiceApp):
    """The results of a queue as a WSGI application, to be mounted at ``/result``, or served by itself.

    It answers GET, HEAD and POST wherever it is mounted, with the result, in parts if a client asks for parts; 404 if
    there is none; and 409 while it is being built. What is behind its path is a file within a result that is a
    directory.

    Args:
        queue: whose results.
        params: see `GenerateApp`.
        authorize: see `GenerateApp`; called for each request.
        allow_origin: see `GenerateApp`.
        generate: the URL where a client has a result built, such as ``/generate``; it is told with 404 and 409.
        **options: see `ResultOptions`.

    Raises:
        TypeError: for an `authorize` that is async; without one for a queue that has a `key`; or for an option that
            does not go with the queue's storage.
        ValueError: for an option that makes no header.
    """

    def __init__(
        self,
        queue: WorkQueue,
        *,
        params: Callable[[Fields], Params] = overview_params,
        authorize: Authorize | None = None,
        allow_origin: str | None = "*",
        generate: str | None = None,
        **options: Unpack[ResultOptions],
    ) -> None:
        service = MountedResultService(
            queue, params=params, authorize=authorize, allow_origin=allow_origin, generate=generate, options=options
        )
        super().__init__(service, authorize)


class DashboardApp(_App):
    """A page that shows a queue live, as a WSGI application, to be mounted at ``/dashboard``, or served by itself.

    It shows what runs, what waits and at which place, what has ended lately and how, in all processes that share the
    queue's line; a failed job's stderr; and cancels jobs. It answers wherever it is mounted. An open page takes a
    thread of its server, see `GenerateApp`, and a thread of its own looks at the queue once a second for all of them.

    Args:
        queue: what is shown.
        authorize_operator: called for each request: for the page, for all that it loads, about once a minute for an
            open page, and for each cancel. It returns True for an operator's, and False, or raises `Problem`, to
            refuse: ``Problem(401, "log in", {"WWW-Authenticate": 'Basic realm="operators"'})`` has a browser ask for a
            name and a password, which come in ``request.headers["authorization"]``. What a framework knows of the
            session is in ``request.environ``. There is no default: whoever may see the page may stop every job.
        title: what the page is called.
        heartbeat: seconds of silence after which an open page is told how things stand once more.
        max_duration: seconds after which an open page asks again, and is authorized anew.

    Raises:
        TypeError: for an `authorize_operator` that is no function, or an async one.
        ValueError: for a heartbeat or max_duration that cannot work.
    """

    def __init__(
        self,
        queue: WorkQueue,
        *,
        authorize_operator: Callable[[Request], bool],
        title: str = "Work queue",
        heartbeat: float = DEFAULT_HEARTBEAT,
        max_duration: float = DEFAULT_MAX_DURATION,
    ) -> None:
        super().__init__(authorize_operator)
        self._service = DashboardService(
            queue, authorize_operator, title=title, heartbeat=heartbeat, max_duration=max_duration
        )
        self._authorize = authorize_operator

    def _answer(self, request: Request) -> Answer:
        check_operator(self._authorize(request))
        return self._service.answer(request)

    def _refuse(self, error: Refusal) -> Answer:
        return self._service.refuse(error)


def file_iterable(environ: "WSGIEnvironment", body: FileBody) -> Iterable[bytes]:
    """A body as the server likes it: it may send a whole file by itself, without reading it."""
    # Not a part of one: servers are to send to the end of the file (PEP 3333), and uWSGI starts from its beginning,
    # wherever the file stands (seen in 2.0.30).
    if body.is_whole and "wsgi.file_wrapper" in environ:
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](body.as_file(), BLOCK_BYTES)
        return wrapped
    return body
