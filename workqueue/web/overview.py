"""7 overview: whether Overview knows a token; for the apps' `authorize`."""

import base64
import json
import threading
import time
from collections import OrderedDict
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from workqueue import OverviewViewParams, Params
from workqueue.params import key_for_params
from workqueue.web.problem import Problem

#: Overview takes this and no other password beside a token.
_PASSWORD: Final = "x-auth-token"  # noqa: S105 - no secret

#: Overview's answer has a few hundred bytes.
_MAX_ANSWER_BYTES: Final = 64 * 1024

#: Verdicts remembered at most, the latest; a few hundred bytes each.
_MAX_VERDICTS: Final = 10_000


class OverviewTokenCheck:
    """Refuses a token that Overview does not know, or that is for another document set: an `authorize` for the apps.

    It asks Overview, ``GET {server}/api/v1/api-token``, so use it together with `WorkQueue`'s `allowed_servers`: else
    anybody can have this server send a request to any host. Redirects are not followed, for the same reason. Callable
    from any thread; requests with one token at the same time may each ask.

    Args:
        ttl: seconds for which a verdict of Overview, yes or no, is remembered. No token is kept, only its hash.
        timeout: seconds that Overview has to connect, and for each piece of its answer.

    Raises:
        ValueError: for a `ttl` below 0, or a `timeout` that is not above 0.
    """

    def __init__(self, ttl: float = 30.0, timeout: float = 10.0) -> None:
        if not ttl >= 0:
            raise ValueError(f"ttl must be a number of seconds, 0 or more; got {ttl!r}")
        if not timeout > 0:
            raise ValueError(f"timeout must be a number of seconds above 0; got {timeout!r}")
        self._ttl = ttl
        self._timeout = timeout
        self._lock = threading.Lock()  # guards _verdicts
        # key of the params -> (when it is forgotten, why not, or None for yes); the oldest first
        self._verdicts: OrderedDict[str, tuple[float, Problem | None]] = OrderedDict()

    def __call__(self, params: Params) -> None:
        """Return if the token is good for its document set.

        Raises:
            Problem: 401 or 403 in Overview's sense; 502 when Overview cannot be asked, which is not remembered.
            TypeError: for parameters that are no OverviewViewParams.
        """
        if not isinstance(params, OverviewViewParams):
            raise TypeError(f"OverviewTokenCheck needs OverviewViewParams; got {type(params).__name__}")
        key = key_for_params(params)
        is_known, refusal = self._remembered(key)
        if not is_known:
            refusal = _ask(params, self._timeout)
            self._remember(key, refusal)
        if refusal is not None:
            # Not the remembered one itself: an exception collects the tracebacks of all who raise it.
            raise Problem(refusal.status, refusal.detail)

    def _remembered(self, key: str) -> tuple[bool, Problem | None]:
        with self._lock:
            ends, refusal = self._verdicts.get(key, (0.0, None))
            return time.monotonic() < ends, refusal

    def _remember(self, key: str, refusal: Problem | None) -> None:
        with self._lock:
            self._verdicts[key] = time.monotonic() + self._ttl, refusal
            self._verdicts.move_to_end(key)
            while len(self._verdicts) > _MAX_VERDICTS:
                self._verdicts.popitem(last=False)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Not to wherever the answer points."""


def _ask(params: OverviewViewParams, timeout: float) -> Problem | None:
    """Overview's verdict: None, or why not.

    Raises:
        Problem: Overview gives none.
    """
    credentials = base64.b64encode(f"{params.api_token}:{_PASSWORD}".encode()).decode()
    url = f"{params.server.rstrip('/')}/api/v1/api-token"
    request = Request(url, headers={"Authorization": f"Basic {credentials}", "Accept": "application/json"})  # noqa: S310 - check_params lets http and https through
    try:
        with _opener().open(request, timeout=timeout) as response:
            answer = json.loads(response.read(_MAX_ANSWER_BYTES))
    except HTTPError as error:
        with error:
            return _refusal(error.code)
    except (URLError, HTTPException, OSError, ValueError):
        # Not with the reason: it tells a stranger which hosts and ports there are behind this server.
        raise Problem(HTTPStatus.BAD_GATEWAY, "Overview cannot be asked whether the API token is good") from None
    if not isinstance(answer, dict) or str(answer.get("documentSetId")) != params.document_set_id:
        return _refusal(HTTPStatus.FORBIDDEN)
    return None


def _refusal(status: int) -> Problem:
    if status == HTTPStatus.UNAUTHORIZED:
        return Problem(status, "Overview does not know this API token")
    if status == HTTPStatus.FORBIDDEN:
        return Problem(status, "the API token is for another document set")
    raise Problem(HTTPStatus.BAD_GATEWAY, "Overview cannot be asked whether the API token is good")


def _opener() -> OpenerDirector:
    # Overview is where `server` says, as it is for the program, which takes no proxy from this process either.
    return build_opener(_NoRedirect, ProxyHandler({}))
