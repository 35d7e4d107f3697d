"""7 dashboard forgery: a POST that changes something -> whether the page sent it, or another site's page.

A browser adds cookies, and what it remembers of a login, to what other sites' pages send. Three things are asked for,
each of which would be enough in a browser of today:

* the browser says that the request comes from this origin: ``Sec-Fetch-Site``, or, over plain HTTP, ``Origin``;
* it is JSON, and has a header of its own: another origin's page may send neither without being allowed to, by an
  answer to OPTIONS, which there is none of;
* that header repeats what a cookie says that no script can read, nor another site's request bring (SameSite=Strict).
  The page has it in its text. Nothing is kept for it, so any process of a server takes what another has given.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from workqueue.web.message import Request
from workqueue.web.problem import Problem

#: The cookie's name.
COOKIE: Final = "workqueue_dashboard"

#: The header's name, in lower case.
HEADER: Final = "x-workqueue-token"

# Several headers of this name are joined with commas.
_IN_COOKIES: Final = re.compile(rf"(?:^|[;,])\s*{COOKIE}=([0-9a-f]{{32}})\s*(?=$|[;,])")


def token_for(headers: Mapping[str, str]) -> str:
    """What the page is to repeat: what its browser's cookie says already, for its other tabs; or a new one."""
    tokens = _tokens(headers)
    return tokens[0] if tokens else secrets.token_hex(16)


def cookie_of(token: str, *, is_secure: bool) -> str:
    """The cookie to be set, as the value of a header.

    It has no path. So a browser takes that of the page, which it alone knows: a proxy may have changed it.
    """
    return f"{COOKIE}={token}; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"


def check_is_ours(request: Request) -> None:
    """Refuse what this page did not send.

    Raises:
        Problem: 403, with what was wrong; 415 for what is no JSON.
    """
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
    _check_origin(headers)
    sent = headers.get(HEADER, "")
    # As bytes: a header may hold what is no ASCII, which the comparison takes as bytes alone.
    if not any(hmac.compare_digest(sent.encode(), token.encode()) for token in _tokens(headers)):
        raise Problem(HTTPStatus.FORBIDDEN, "this request did not come from the dashboard's page; reload the page")


def _check_origin(headers: Mapping[str, str]) -> None:
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise Problem(HTTPStatus.FORBIDDEN, f"this request came from another site's page ({site[:20]})")
        return
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower():
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "this request came from another origin's page, or through a proxy that changes the Host header; have it"
            " pass Host on",
        )


def _tokens(headers: Mapping[str, str]) -> list[str]:
    return _IN_COOKIES.findall(headers.get("cookie", ""))
