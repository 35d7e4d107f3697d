"""A Flask app -> an HTTP server on a thread of its own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class _QuietHandler(WSGIRequestHandler):
    """Logs no request: their addresses hold the token."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing; the traceback of a view that raises goes another way."""


def listen(host: str, port: int) -> socket.socket:
    """Take a port, 0 for any that is free.

    Raises:
        OSError: it is taken, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


@contextmanager
def serving(app: Flask, listener: socket.socket) -> Iterator[str]:
    """Serve an app, each request on a thread, for as long as the context lasts.

    Args:
        app: what to serve.
        listener: of `listen()`; closed at the end.

    Yields:
        The server's address, such as `http://127.0.0.1:8765`.
    """
    host, port = listener.getsockname()[:2]
    with listener:
        # Given a port that is taken, werkzeug would end the process; so it is given a socket.
        server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=f"serve {app.name}", daemon=True)
    thread.start()
    try:
        yield url_of(host, port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def url_of(host: str, port: int) -> str:
    """Where a browser on this machine finds a server that listens there."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is compared, not listened on
    name = everywhere.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
