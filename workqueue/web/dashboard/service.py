"""7 dashboard service: a request of an operator's -> the page, what it shows, or a cancel; for WSGI and for ASGI."""

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, quote

from workqueue import StorageError, WorkQueue
from workqueue.web.dashboard.feed import Feed
from workqueue.web.dashboard.files import NAMES, file_answer, page
from workqueue.web.dashboard.forgery import check_is_ours, cookie_of, token_for
from workqueue.web.dashboard.look import Look
from workqueue.web.dashboard.stream import DashboardStream
from workqueue.web.message import Answer, Request
from workqueue.web.problem import Problem
from workqueue.web.service import Refusal
from workqueue.web.stream import check_stream_options

AuthorizeOperator = Callable[[Request], Awaitable[bool] | bool]
"""Decides whether a request is an operator's: returns True, or False to refuse it, or raises `Problem`."""

#: The path's last part where the page is, if it is not mounted but looks at the whole path.
_NAME: Final = "dashboard"

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none';"
        " frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}

#: What depends on who asks, and when.
_NOT_KEPT: Final = {"Cache-Control": "no-store"}

_MAX_KEY: Final = 128

logger = logging.getLogger("workqueue")


class DashboardService:
    """Requests to one queue's dashboard; the options are those of the applications. Callable from any thread.

    It does I/O in `answer`, and asks nobody whether a request may be answered: the front ends have done that before.
    """

    def __init__(
        self,
        queue: WorkQueue,
        authorize_operator: AuthorizeOperator,
        *,
        title: str,
        heartbeat: float,
        max_duration: float,
    ) -> None:
        if not callable(authorize_operator):
            raise TypeError(
                "authorize_operator must be a function of a request that returns True for an operator's; got"
                f" {authorize_operator!r}"
            )
        check_stream_options(heartbeat, max_duration)
        self._queue = queue
        self._title = title
        self._heartbeat = heartbeat
        self._max_duration = max_duration
        self._feed: Feed[bytes] = Feed(Look(queue).event)

    def answer(self, request: Request) -> Answer:
        """What the request asks for.

        Raises:
            Problem: there is nothing there, or not with this method; the request is forged; or the queue cannot be
                read.
        """
        try:
            return self._answer(request)
        except StorageError as error:
            logger.warning("the dashboard cannot answer: %s", error)
            text = "the queue cannot be read now; the log of the server says why"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, text, {"Retry-After": "5"}) from error

    def _answer(self, request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if name == "cancel":
            return self._cancel(request)
        if request.method not in {"GET", "HEAD"}:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "use GET", {"Allow": "GET, HEAD"})
        if name in NAMES:
            answer = file_answer(name, request)
        elif name == "events":
            answer = self._events(request)
        elif name == "stderr":
            answer = self._stderr(request)
        else:
            answer = self._page(request, name)
        return _protected(answer)

    def refuse(self, error: Refusal) -> Answer:
        """Say why not."""
        problem = Problem.of(error)
        return _protected(Answer(problem.status, dict(problem.headers), problem.body()))

    def _page(self, request: Request, name: str) -> Answer:
        last = (request.root + request.path).rpartition("/")[2]
        if last and (not request.path or name == _NAME):
            # Else a browser would look beside the page for what it loads. Relative, since a proxy may have taken away
            # a part of the path.
            return Answer(HTTPStatus.TEMPORARY_REDIRECT, {**_NOT_KEPT, "Location": f"./{quote(last)}/"})
        if name:
            raise Problem(HTTPStatus.NOT_FOUND, "there is nothing here; the dashboard's page has a path that ends in /")
        token = token_for(request.headers)
        scheme = request.environ.get("wsgi.url_scheme") or request.environ.get("scheme")
        headers = {
            **_NOT_KEPT,
            "Content-Type": "text/html; charset=utf-8",
            "Set-Cookie": cookie_of(token, is_secure=scheme == "https"),
        }
        return Answer(HTTPStatus.OK, headers, page(self._title, token))

    def _events(self, request: Request) -> Answer:
        stream = DashboardStream(self._feed, self._heartbeat, self._max_duration)
        if request.method == "HEAD":
            return Answer(HTTPStatus.OK, dict(stream.headers))
        try:
            self._feed.refresh()
        except TimeoutError as error:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "5"}) from error
        return Answer(HTTPStatus.OK, dict(stream.headers), stream)

    def _stderr(self, request: Request) -> Answer:
        fields = parse_qs(request.query)
        key, ended_at = (fields.get(name, [""])[0] for name in ("key", "ended_at"))
        for end in self._queue.ends():
            if (end.key, end.ended_at) == (key, _number(ended_at)):
                headers = {**_NOT_KEPT, "Content-Type": "text/plain; charset=utf-8"}
                return Answer(HTTPStatus.OK, headers, end.stderr.encode("utf-8", "replace"))
        raise Problem(HTTPStatus.NOT_FOUND, "the end of this job is not remembered any more")

    def _cancel(self, request: Request) -> Answer:
        if request.method != "POST":
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "use POST", {"Allow": "POST"})
        check_is_ours(request)
        was_there = self._queue.cancel(_key_in(request.body))
        headers = {**_NOT_KEPT, "Content-Type": "application/json"}
        return _protected(Answer(HTTPStatus.OK, headers, json.dumps({"was_there": was_there}).encode()))


def check_operator(verdict: object) -> None:
    """What `authorize_operator` returned.

    Raises:
        Problem: 403, for False.
        TypeError: for all else but True: None, of a function that lacks a ``return``, must let nobody in, nor may a
            coroutine that nobody awaits.
    """
    if verdict is False:
        raise Problem(HTTPStatus.FORBIDDEN, "this is for the operators of the queue")
    if verdict is not True:
        raise TypeError(f"authorize_operator must return True or False, or raise Problem; got {type(verdict).__name__}")


def _protected(answer: Answer) -> Answer:
    answer.headers = {**_HEADERS, **answer.headers}
    return answer


def _number(text: str) -> float | None:
    # By its value: other languages write a number that is whole without a point.
    try:
        return float(text)
    except ValueError:
        return None


def _key_in(body: bytes) -> str:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    match content:
        case {"key": str() as key} if 0 < len(key) <= _MAX_KEY:
            return key
    raise Problem(HTTPStatus.BAD_REQUEST, 'send an object with the key of a job: {"key": "..."}')
