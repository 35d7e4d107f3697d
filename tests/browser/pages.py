"""Servers for pages: one with a real queue behind it, and one that answers what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from workqueue.web import BROWSER_MODULE

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

#: A policy as strict as they come: no inline styles or scripts, and no strings made markup.
STRICT_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
STRICT_POLICY += "require-trusted-types-for 'script'"


def line(fraction: float, **fields: object) -> bytes:
    """One event as it is on the wire."""
    event = {"n_ahead_in_queue": 0, "fraction": fraction, "message": None, "returncode": None, "error": None}
    return json.dumps({**event, **fields}).encode() + b"\n"


DONE = line(1.0, returncode=0)


class Answer:
    """What a server says to one request: the pieces of its body, each of which may have to wait for the test.

    Args:
        pieces: bytes are sent; at an `Event` the response waits until it is set; None cuts the connection.
        status: of the response.
        headers: of the response.
    """

    def __init__(
        self,
        *pieces: bytes | threading.Event | None,
        status: str = "200 OK",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._pieces = pieces
        self.status = status
        self.headers = {"Content-Type": "application/x-ndjson", **(headers or {})}
        self.ended = threading.Event()
        """The response is over: all of it was sent, or its client has left."""

    def body(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                if piece is None:
                    # The server takes it for a client that has gone, and drops the connection in the middle.
                    raise ConnectionResetError
                if isinstance(piece, threading.Event):
                    # What keeps a line waiting also tells whether the client is still there: blank lines say nothing.
                    while not piece.wait(0.05):
                        yield b"\n"
                else:
                    yield piece
        finally:
            self.ended.set()


class SilentAnswer(Answer):
    """Sends its pieces, and then nothing until `released`."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__(*pieces)
        self.released = threading.Event()

    def body(self) -> Iterator[bytes]:
        yield from super().body()
        self.released.wait(20)


class Script:
    """Answers the first request with the first answer, and so on; the last answers all that come after it too."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[Environ, str]] = []
        """What each request said: its environ, and its body."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append((environ, body))
        start_response(answer.status, list(answer.headers.items()))
        return answer.body()


class Site:
    """Pages at `/NAME`, and an application for all below `/generate`, and for all that is no GET."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._pages: dict[str, tuple[bytes, str]] = {}
        self.origin = ""

    def page(self, name: str, text: str, policy: str = "") -> str:
        """Have a page; its address."""
        self._pages[f"/{name}"] = text.encode(), policy
        return f"{self.origin}/{name}"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or path.startswith("/generate"):
            return self._application(environ, start_response)
        if path == "/workqueue.js":
            start_response("200 OK", [("Content-Type", "text/javascript; charset=utf-8")])
            return [BROWSER_MODULE.read_bytes()]
        if path not in self._pages:
            start_response("204 No Content", [])
            return []
        text, policy = self._pages[path]
        media_type = "text/javascript" if path.endswith(".js") else "text/html"
        headers = [("Content-Type", f"{media_type}; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response("200 OK", headers + ([("Content-Security-Policy", policy)] if policy else []))
        return [text]


class _QuietHandler(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(application: Application, port: int = 0) -> Iterator[Site]:
    """Serve an application, and pages beside it, for as long as the context lasts."""
    site = Site(application)
    server = make_server("127.0.0.1", port, site, threaded=True, request_handler=_QuietHandler)
    site.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="site")
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
