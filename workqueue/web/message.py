"""7 message: what a server was asked, and what to send, in one form for WSGI and ASGI and all frameworks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from workqueue.web.file_body import FileBody
from workqueue.web.streamed import Streamed

#: A request that no server has brought here.
_NO_ENVIRON: Final[Mapping[str, Any]] = MappingProxyType({})


class Request(NamedTuple):
    """What a server was asked."""

    method: str
    path: str
    """Below the place where the application is mounted."""

    query: str
    headers: Mapping[str, str]
    """By names in lower case; of one that came more than once, the values, with commas."""

    body: bytes = b""
    root: str = ""
    """The path where the application is mounted."""

    environ: Mapping[str, Any] = _NO_ENVIRON
    """What the server gave the application: in WSGI its ``environ``, in ASGI its ``scope``."""


@dataclass
class Answer:
    """What to send. Whoever does not send a `FileBody` to its end closes it."""

    status: HTTPStatus
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Streamed | FileBody = b""


def request_of(method: str, headers: Iterable[tuple[str, str]], path: str) -> Request:
    """What a view of a framework was asked.

    Args:
        method: of the request.
        headers: of the request; a name may come more than once, in any case.
        path: of what the view is to send.
    """
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value  # RFC 9110, section 5.3
    return Request(method, path, "", joined)


def headers_of(answer: Answer) -> list[tuple[str, str]]:
    """The headers to send, the body's length among them unless it is empty or not known yet."""
    headers = list(answer.headers.items())
    if isinstance(answer.body, bytes) and answer.body and "Content-Length" not in answer.headers:
        headers.append(("Content-Length", str(len(answer.body))))
    return headers
