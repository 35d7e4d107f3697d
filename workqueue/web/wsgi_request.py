"""7 wsgi_request: a server's environ -> what it was asked, with the body."""

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from workqueue.web.fields import MAX_BODY_BYTES
from workqueue.web.message import Request
from workqueue.web.problem import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def wsgi_request(environ: "WSGIEnvironment") -> Request:
    """What the server was asked.

    Raises:
        Problem: the body is not all there, or there is no telling where it ends.
    """
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    method = environ["REQUEST_METHOD"]
    body = _body(environ) if method == "POST" else b""
    path, root = (_text(environ.get(name, "")) for name in ("PATH_INFO", "SCRIPT_NAME"))
    return Request(method, path, environ.get("QUERY_STRING", ""), headers, body, root, environ)


def _text(path: str) -> str:
    """What stands in a path, which WSGI has with a character for each byte; no file has one that is not UTF-8."""
    return path.encode("latin-1").decode("utf-8", "replace")


def _body(environ: "WSGIEnvironment") -> bytes:
    """The body, or as much of it as shows that it is too long.

    Raises:
        Problem: it is not all there, or there is no telling where it ends.
    """
    most = MAX_BODY_BYTES + 1
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if not length and environ.get("wsgi.input_terminated"):
        return bytes(stream.read(most))  # it may be chunked; this server ends it by itself
    if not length and "HTTP_TRANSFER_ENCODING" in environ:
        raise Problem(HTTPStatus.LENGTH_REQUIRED, "send the body with a Content-Length")  # reading it might not end
    if not re.fullmatch("[0-9]{0,18}", length):
        raise Problem(HTTPStatus.BAD_REQUEST, "the Content-Length must be a number")
    wanted = min(int(length or "0"), most)
    body = bytes(stream.read(wanted))
    if len(body) < wanted:
        # As it is, it may well be a request, for something else.
        raise Problem(HTTPStatus.BAD_REQUEST, "the body ended before its Content-Length")
    return body
