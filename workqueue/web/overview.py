"""7 overview: whether Overview knows a token; for the apps' `authorize`.

Thread contract: callable from any thread; of several who ask the same at once, one asks Overview, the others wait.
"""

import base64
import json
import logging
import math
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR
from typing import Any, Final
from urllib.parse import urlsplit

from workqueue import OverviewViewParams, Params
from workqueue.naming import Naming
from workqueue.params import check_params
from workqueue.web.problem import RETRY_AFTER, Problem

#: Overview takes this and no other password beside a token.
_PASSWORD: Final = "x-auth-token"  # noqa: S105 - no secret

#: Overview's answer has a few hundred bytes.
_MAX_ANSWER_BYTES: Final = 64 * 1024

#: Verdicts remembered of each kind, a few hundred bytes each. Whoever tries tokens out only makes us forget a no.
_MAX_VERDICTS: Final = 10_000

#: Seconds for which an Overview that gives no verdict is left alone.
_TROUBLE_TTL: Final = 2.0

#: A verdict is about a token, whatever fields make a result.
_EVERYTHING: Final = Naming("")

logger = logging.getLogger("workqueue")


class OverviewTokenCheck:
    """Refuses a token that Overview does not know, or that is for another document set: an `authorize` for the apps.

    It asks Overview, ``GET {server}/api/v1/api-token``, so use it together with `WorkQueue`'s `allowed_servers`: else
    anybody can have this server send a request to any host. It follows no redirect and uses no proxy.

    Args:
        ttl: seconds for which a verdict of Overview, yes or no, is remembered. No token is kept, only its hash.
        timeout: seconds that Overview has for the whole of its answer, once its name was looked up.
        max_asking: how many tokens Overview is asked about at once. Whoever comes when so many are under way is told
            to come again: an Overview that is slow, or that only pretends to be one, must not take every thread.

    Raises:
        ValueError: for a number that cannot work.
    """

    def __init__(self, ttl: float = 30.0, timeout: float = 5.0, max_asking: int = 4) -> None:
        if not 0 <= ttl < math.inf:
            raise ValueError(f"ttl must be a number of seconds, 0 or more; got {ttl!r}")
        if not 0 < timeout < threading.TIMEOUT_MAX:
            raise ValueError(f"timeout must be a number of seconds above 0; got {timeout!r}")
        if max_asking < 1:
            raise ValueError(f"max_asking must be 1 or more; got {max_asking!r}")
        self._ttl = ttl
        self._timeout = timeout
        self._places = threading.BoundedSemaphore(max_asking)
        self._lock = threading.Lock()  # guards all below
        self._yes = _Memory()
        self._no = _Memory()
        self._asking: dict[str, Future[Problem | None]] = {}

    def __call__(self, params: Params) -> None:
        """Return if the token is good for its document set.

        Raises:
            Problem: 401 or 403 in Overview's sense; 502 when Overview gives no verdict; 503 when too many ask.
            InvalidParams: these can never run.
            TypeError: for parameters that are no OverviewViewParams.
        """
        if not isinstance(params, OverviewViewParams):
            raise TypeError(f"OverviewTokenCheck needs OverviewViewParams; got {type(params).__name__}")
        check_params(params)
        refusal = self._verdict(_EVERYTHING.key(params), params)
        if refusal is not None:
            # Not the remembered one itself: an exception collects the tracebacks of all who raise it.
            raise Problem(refusal.status, refusal.detail)

    def _verdict(self, key: str, params: OverviewViewParams) -> Problem | None:
        with self._lock:
            for memory in (self._yes, self._no):
                if memory.knows(key):
                    return memory.verdict(key)
            asked = self._asking.get(key)
            if asked is None:
                mine = self._asking[key] = Future()
        return asked.result() if asked is not None else self._ask(key, params, mine)

    def _ask(self, key: str, params: OverviewViewParams, mine: "Future[Problem | None]") -> Problem | None:
        try:
            with self._place():
                refusal = _ask(params, self._timeout)
            self._remember(key, refusal)
        except BaseException as err:
            mine.set_exception(err)
            raise
        else:
            mine.set_result(refusal)
            return refusal
        finally:
            with self._lock:
                del self._asking[key]

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            detail = "too many API tokens are being checked; try again later"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER)})
        try:
            yield
        finally:
            self._places.release()

    def _remember(self, key: str, refusal: Problem | None) -> None:
        is_trouble = refusal is not None and refusal.status == HTTPStatus.BAD_GATEWAY
        with self._lock:
            memory = self._yes if refusal is None else self._no
            memory.remember(key, refusal, min(self._ttl, _TROUBLE_TTL) if is_trouble else self._ttl)


class _Memory:
    """The latest verdicts of one kind, each for a while. Used under its owner's lock."""

    def __init__(self) -> None:
        # When each is forgotten, and what it says; the oldest first.
        self._verdicts: OrderedDict[str, tuple[float, Problem | None]] = OrderedDict()

    def knows(self, key: str) -> bool:
        return key in self._verdicts and time.monotonic() < self._verdicts[key][0]

    def verdict(self, key: str) -> Problem | None:
        return self._verdicts[key][1]

    def remember(self, key: str, verdict: Problem | None, ttl: float) -> None:
        self._verdicts[key] = time.monotonic() + ttl, verdict
        self._verdicts.move_to_end(key)
        while len(self._verdicts) > _MAX_VERDICTS:
            self._verdicts.popitem(last=False)


def _ask(params: OverviewViewParams, timeout: float) -> Problem | None:
    """Overview's verdict: None, or why not."""
    try:
        status, answer = _get_token(params, timeout)
    except (HTTPException, OSError, ValueError, RecursionError) as err:
        logger.warning(
            "cannot ask Overview at %s about an API token: %s", params.server, str(err) or type(err).__name__
        )
        return _no_verdict()
    if status == HTTPStatus.UNAUTHORIZED:
        return Problem(status, "Overview does not know this API token")
    if status == HTTPStatus.OK:
        set_id = answer.get("documentSetId") if isinstance(answer, dict) else None
        # By type, since str(None) is a document set's number to whoever asks for "None".
        is_its_own = type(set_id) in {int, str} and str(set_id) == params.document_set_id
        return None if is_its_own else _other_set()
    if status == HTTPStatus.FORBIDDEN:
        return _other_set()
    logger.warning("Overview at %s answered HTTP %d when asked about an API token", params.server, status)
    return _no_verdict()


def _other_set() -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, "the API token is not for this document set")


def _no_verdict() -> Problem:
    # Not with the reason: it tells a stranger which hosts and ports there are behind this server.
    return Problem(HTTPStatus.BAD_GATEWAY, "Overview cannot be asked whether the API token is good")


def _get_token(params: OverviewViewParams, timeout: float) -> tuple[int, Any]:
    """The status, and for 200 the JSON, of Overview's answer.

    http.client, not urllib.request: that follows redirects and proxies, and opens ``file:``.
    """
    url = urlsplit(params.server)
    credentials = base64.b64encode(f"{params.api_token}:{_PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
    with closing(_connection(url.scheme, url.hostname or "", url.port, timeout)) as connection:
        connection.connect()
        with _ended_after(timeout, connection):
            connection.request("GET", f"{url.path.rstrip('/')}/api/v1/api-token", headers=headers)
            with connection.getresponse() as response:
                body = response.read(_MAX_ANSWER_BYTES)
    return response.status, json.loads(body) if response.status == HTTPStatus.OK else None


def _connection(scheme: str, host: str, port: int | None, timeout: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, timeout=timeout, context=_tls())
    return HTTPConnection(host, port, timeout=timeout)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def _ended_after(timeout: float, connection: HTTPConnection) -> Iterator[None]:
    """Cut a connection that takes too long: a socket's own time-out begins anew with each byte that drips in."""
    timer = threading.Timer(timeout, _cut, [connection.sock])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(sock: Any) -> None:
    with suppress(OSError):
        sock.shutdown(SHUT_RDWR)
