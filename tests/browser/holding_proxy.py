"""A proxy that holds each response back until it is whole, as some do for all but server-sent events."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class HoldingProxy(ThreadingHTTPServer):
    """Passes requests on to one server; a response, once it is whole.

    Args:
        origin: of the server.
        lets_events_through: whether server-sent events are passed on piece by piece.
    """

    daemon_threads = True

    def __init__(self, origin: str, *, lets_events_through: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server = urlsplit(origin).netloc
        self.lets_events_through = lets_events_through
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.accepts: list[str] = []
        """What each POST would accept."""


class _Handler(BaseHTTPRequestHandler):
    server: HoldingProxy

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        accept = self.headers.get("Accept", "")
        if self.command == "POST":
            self.server.accepts.append(accept)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        # Few headers get through; those are the ones.
        headers = {name: self.headers[name] for name in ("Accept", "Content-Type") if name in self.headers}
        connection = http.client.HTTPConnection(self.server.server)
        try:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            is_passed = self.server.lets_events_through and accept.startswith("text/event-stream")
            whole = None if is_passed else response.read()
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers["Content-Type"] or "text/plain")
            self.end_headers()
            if whole is not None:
                self.wfile.write(whole)
                return
            while piece := response.read1(65536):
                self.wfile.write(piece)
        except ConnectionError:
            pass  # the page has left
        finally:
            connection.close()

    do_GET = do_POST = _pass_on  # noqa: N815 - the names that the base class looks for


@contextmanager
def holding_proxy(origin: str, *, lets_events_through: bool) -> Iterator[HoldingProxy]:
    """A proxy, for as long as the context lasts."""
    with HoldingProxy(origin, lets_events_through=lets_events_through) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), name="proxy")
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
