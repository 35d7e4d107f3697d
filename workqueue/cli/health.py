"""A small HTTP server that tells whether a process is well, for the manager of its container."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def answering(port: int, trouble: Callable[[], str | None]) -> Iterator[None]:
    """While its block runs, answer each GET: 200 "ok", or 503 with what is wrong.

    Args:
        port: where it listens, on all addresses of this host.
        trouble: returns what is wrong; None if nothing is.

    Raises:
        OSError: the port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            why = trouble()
            body = f"{why or 'ok'}\n".encode()
            self.send_response(503 if why else 200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: a request comes every few seconds."""

    with ThreadingHTTPServer(("", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="workqueue-health", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
