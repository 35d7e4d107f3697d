"""A way to a server of S3 that answers as others do that are odd, or in trouble: an HTTP proxy on loopback."""

import http.client
import threading
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from tests.objects.seaweedfs import SeaweedFS
from tests.servers.server import TIMEOUT

#: What one connection is said, and not the server's, or the client's, other connection.
_OF_ONE_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


class Request(NamedTuple):
    """What a client asks."""

    method: str
    target: str
    """The path and what is asked of it, as sent."""

    if_match: str | None

    @property
    def is_of_an_object(self) -> bool:
        return self.target.partition("?")[0].strip("/").count("/") > 0

    @property
    def is_of_a_part(self) -> bool:
        return "partNumber=" in self.target


class Refusal(NamedTuple):
    """An answer in place of the server's."""

    status: int
    code: str
    more: str = ""
    """More of the error's elements."""

    @property
    def body(self) -> bytes:
        told = f"<Code>{self.code}</Code><Message>m</Message>{self.more}"
        return f'<?xml version="1.0" encoding="UTF-8"?><Error>{told}</Error>'.encode()


Refuses = Callable[[Request], Refusal | None]
"""What is answered in place of the server; None: it answers itself."""

Renames = Callable[[Request, str], str | None]
"""Another ETag than the server's; None: none."""


class Faulty:
    """Passes requests on to SeaweedFS, and its answers back, but for what it is told. A context manager.

    Each request has a connection, and a thread, of its own.

    Args:
        server: which runs.
        refuses: what it does not pass on. It may be set at any time, as `renames`.
        renames: what it calls the versions of objects.
    """

    def __init__(self, server: SeaweedFS, refuses: Refuses | None = None, renames: Renames | None = None) -> None:
        self._to = server
        self.credentials = server.credentials
        self.refuses = refuses
        self.renames = renames
        self.requests: list[Request] = []
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = TIMEOUT

            def do(self) -> None:
                faulty._answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do  # noqa: N815 - the base class's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), name="faulty")
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.server_port}"

    def url(self, prefix: str = "", bucket: str | None = None) -> str:
        return self._to.url(prefix, bucket)

    def asked(self, method: str) -> list[Request]:
        """The requests so far of this method, about objects."""
        return [request for request in self.requests if request.method == method and request.is_of_an_object]

    def close(self) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _answer(self, client: BaseHTTPRequestHandler) -> None:
        body = client.rfile.read(int(client.headers.get("Content-Length") or 0))
        request = Request(client.command, client.path, client.headers.get("If-Match"))
        self.requests.append(request)
        refusal = None if self.refuses is None else self.refuses(request)
        if refusal is not None:
            self._send(client, refusal.status, {"Content-Length": str(len(refusal.body))}, refusal.body)
            return
        headers = {name: value for name, value in client.headers.items() if name.lower() not in _OF_ONE_HOP}
        with closing(http.client.HTTPConnection("127.0.0.1", self._to.port, timeout=TIMEOUT)) as server:
            server.request(client.command, client.path, body, {**headers, "Content-Length": str(len(body))})
            response = server.getresponse()
            data = response.read()
        length = response.getheader("Content-Length", "0") if client.command == "HEAD" else str(len(data))
        self._send(client, response.status, {**self._renamed(request, response), "Content-Length": length}, data)

    def _renamed(self, request: Request, response: http.client.HTTPResponse) -> dict[str, str]:
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _OF_ONE_HOP}
        for name in [name for name in headers if name.lower() == "etag" and self.renames is not None]:
            assert self.renames is not None
            e_tag = self.renames(request, headers.pop(name))
            if e_tag is not None:
                headers[name] = e_tag
        return headers

    def _send(self, client: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        client.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            client.send_header(name, value)
        client.end_headers()
        if client.command != "HEAD":
            client.wfile.write(body)


# Services that are odd, and not in trouble. None of them names a version that If-Match would match.


def refuse_if_match(request: Request) -> Refusal | None:
    """As a service does that knows no If-Match, or a proxy in front of it."""
    return Refusal(412, "PreconditionFailed") if request.method == "GET" and request.if_match else None


def weak(request: Request, e_tag: str) -> str:
    """As a proxy that compresses names what it passes on; the answer to an upload it leaves alone."""
    return e_tag if request.method == "PUT" else f"W/{e_tag}"


def unquoted(request: Request, e_tag: str) -> str:
    return e_tag.strip('"')


def other_for_each_method(request: Request, e_tag: str) -> str:
    return e_tag if request.is_of_a_part else f'"{e_tag.strip(chr(34))}-{request.method.lower()}"'


def no_e_tag(request: Request, e_tag: str) -> str | None:
    """A part must have one: without, an upload cannot be completed."""
    return e_tag if request.is_of_a_part else None


ODD: dict[str, tuple[Refuses | None, Renames | None]] = {
    "refuses If-Match": (refuse_if_match, None),
    "weak ETags": (refuse_if_match, weak),
    "unquoted ETags": (None, unquoted),
    "other ETags for each method": (refuse_if_match, other_for_each_method),
    "no ETags": (refuse_if_match, no_e_tag),
}
