"""7 service: what the applications for jobs and for results have in common, in WSGI and in ASGI.

A service has no thread and no loop, and does no I/O but the queue's look into its storage, in `answer`. The front ends
read the request, ask `authorize` in between, and write the answer, each in its own way.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import ClassVar, Final

from workqueue import InvalidParams, Params, QueueClosed, QueueFull, WorkQueue
from workqueue.params import field_names
from workqueue.web.fields import Fields, parse_fields
from workqueue.web.message import Answer, Request
from workqueue.web.problem import Problem

Authorize = Callable[[Params], Awaitable[bool | None] | bool | None]
"""Decides whether somebody may have a job, or its result: returns None or True, or raises `Problem`; False refuses too.

Anything else is an error, so that ``lambda params: tokens.get(params.api_token)`` does not let everybody in.
"""

Refusal = Problem | InvalidParams | QueueFull | QueueClosed

REFUSALS: Final = (Problem, InvalidParams, QueueFull, QueueClosed)
"""What `Service.refuse` makes an answer of."""

ASYNC_AUTHORIZE: Final = "an async authorize needs workqueue.web.asgi; give workqueue.web.wsgi a plain function"

METHODS: Final = "GET, HEAD, OPTIONS, POST"


class Service(ABC):
    """Requests to one queue. Callable from any thread."""

    #: What a page may read of an answer, beside what every page may, and send with a request.
    _exposed: ClassVar[str]
    _sent: ClassVar[str]

    def __init__(
        self,
        queue: WorkQueue,
        authorize: Authorize | None,
        params: Callable[[Fields], Params],
        allow_origin: str | None,
    ) -> None:
        check_authorize(queue, authorize)
        if is_async(params):
            raise TypeError("params must be a plain function; what has to wait is for authorize")
        check_origin(allow_origin)
        self._queue = queue
        self._params = params
        self._cors = {}
        if allow_origin is not None:
            self._cors = {"Access-Control-Allow-Origin": allow_origin, "Access-Control-Expose-Headers": self._exposed}

    @abstractmethod
    def answer_without_job(self, request: Request) -> Answer | None:
        """The answer, unless it depends on the parameters.

        Raises:
            Problem: there is nothing at this path, or not with this method.
        """

    @abstractmethod
    def answer(self, request: Request, params: Params) -> Answer:
        """What the request asks for. It looks into the storage, so it may take a moment.

        Raises:
            QueueFull, QueueClosed: it cannot be queued.
        """

    def params_of(self, request: Request) -> Params:
        """What the request asks for. Checked before `authorize` sees it, which may connect to the server it names.

        Raises:
            Problem: the request cannot be read, or lacks something.
            InvalidParams: these can never run.
        """
        headers = request.headers
        fields = parse_fields(
            request.query, headers.get("content-type", ""), request.body, headers.get("authorization", "")
        )
        params = self._params(fields)
        try:
            self._queue.check_params(params)
        except InvalidParams as error:
            _name_as_sent(error, params, fields)
            raise
        return params

    def refuse(self, error: Refusal) -> Answer:
        """Say why not."""
        problem = Problem.of(error)
        return Answer(problem.status, {**problem.headers, **self._cors}, problem.body())

    def _check_method(self, request: Request) -> Answer | None:
        """The answer to OPTIONS, which may be a preflight; None: another method that there is.

        Raises:
            Problem: there is no such method.
        """
        if request.method == "OPTIONS":
            headers = {"Allow": METHODS, **self._cors}
            if self._cors and "access-control-request-method" in request.headers:
                headers |= {
                    "Access-Control-Allow-Methods": METHODS,
                    "Access-Control-Allow-Headers": self._sent,
                    "Access-Control-Max-Age": "86400",
                }
            return Answer(HTTPStatus.NO_CONTENT, headers)
        if request.method not in {"GET", "HEAD", "POST"}:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "use POST, or GET", {"Allow": METHODS})
        return None


def _name_as_sent(error: InvalidParams, params: Params, fields: Fields) -> None:
    """Have a refusal name a field as this client does: by the one field that it sent with this value.

    Not a field that it sent by its own name; and not an empty one, which may be a default for what it did not send.
    """
    if error.field is None or (error.sent_as is None and error.field in fields):
        return
    refused = dict(zip(field_names(params), params, strict=True)).get(error.field)
    candidates = [name for name, value in fields.items() if value and value == refused]
    if len(candidates) == 1:
        error.sent_as = candidates[0]


def check_origin(allow_origin: object) -> None:
    """Refuse what no browser would take for its page's origin.

    Raises:
        TypeError: for what is no string, nor None.
        ValueError: for more than one origin, or a URL with a path.
    """
    if allow_origin is None:
        return
    if not isinstance(allow_origin, str):
        raise TypeError(f"allow_origin must be one origin, '*' or None; got {type(allow_origin).__name__}")
    if not re.fullmatch(r"\*|null|[A-Za-z][A-Za-z0-9+.-]*://[^\s,/]+", allow_origin):
        raise ValueError(
            f"allow_origin must be one origin, such as 'https://example.org', '*' or None; got {allow_origin!r}"
        )


def check_authorize(queue: WorkQueue, authorize: Authorize | None) -> None:
    """Refuse to serve everybody what some fields alone name, when others, such as a token, were to protect it.

    Raises:
        TypeError: the queue has a `key`, and nobody decides who may have its results.
    """
    if queue.key is not None and authorize is None:
        raise TypeError(
            "this queue has a key, so a client that names those fields would get what others' tokens built;"
            " give authorize, or authorize=lambda params: True if everybody may have all"
        )


def check_verdict(verdict: object) -> None:
    """What `authorize` returned.

    Raises:
        Problem: 403, for False.
        TypeError: for what is no verdict, above all a coroutine that nobody awaits: it would let everybody through.
    """
    if inspect.isawaitable(verdict):
        raise TypeError(ASYNC_AUTHORIZE)
    if verdict is False:
        raise Problem(HTTPStatus.FORBIDDEN, "you may not have this")
    # None is what a function returns that raises its refusals.
    if verdict is not None and verdict is not True:
        raise TypeError(f"authorize must return None, True or False, or raise Problem; got {type(verdict).__name__}")


def is_async(function: object) -> bool:
    """Whether calling it gives something to await."""
    # The second look is for an object whose __call__ is async.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
