"""The servers that the tests run, with the settings that the documentation recommends, and what a site can be asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.servers.server import Client, Server, get
from workqueue.testing import ScriptedProgram

WSGI = "tests.servers.apps.wsgi:app"
ASGI = "tests.servers.apps.asgi:app"

GUNICORN = ["gunicorn", "--bind", "127.0.0.1:0", "--graceful-timeout", "3"]
GTHREAD = [*GUNICORN, "--worker-class", "gthread", "--threads", "16"]
GEVENT = [*GUNICORN, "--worker-class", "gevent"]
FLASK = ["flask", "--app", "tests.servers.apps.wsgi", "run", "--port", "0"]
WAITRESS = ["waitress", "--listen", "127.0.0.1:0", "--threads", "16", "--channel-request-lookahead", "1"]
UVICORN = ["uvicorn", "--port", "0", "--timeout-graceful-shutdown", "3"]
HYPERCORN = ["hypercorn", "--bind", "127.0.0.1:0", "--workers", "0", "--graceful-timeout", "3"]

JSON_ARRAY, NDJSON, SERVER_SENT = MEDIA_TYPES = ("application/json", "application/x-ndjson", "text/event-stream")


class Kind(NamedTuple):
    """A server, and what its streams cost."""

    command: list[str]
    """The application included."""

    is_asgi: bool
    """Whether it sees at once that a client has left."""

    n_streams: int
    """How many it is shown to serve at once, other requests besides; on ASGI more than it has threads, which are 40."""

    pings: tuple[str, ...] = ("/ping",)
    """What else it is asked meanwhile; on ASGI a plain function too, which Starlette calls in one of those threads."""


KINDS = {
    "flask": Kind(FLASK, False, 20),
    "gunicorn gthread": Kind([*GTHREAD, WSGI], False, 10),
    "gunicorn gevent": Kind([*GEVENT, WSGI], False, 20),
    "waitress": Kind([*WAITRESS, WSGI], False, 10),
    "uvicorn": Kind([*UVICORN, ASGI], True, 45, ("/ping", "/ping_in_thread")),
    "hypercorn": Kind([*HYPERCORN, ASGI], True, 45, ("/ping", "/ping_in_thread")),
}


class Site:
    """One of the applications in `tests.servers.apps`, served."""

    def __init__(self, port: int) -> None:
        self.port = port

    def watch(
        self, program: ScriptedProgram | Path, path: str = "/view", accept: str = NDJSON, /, **query: object
    ) -> Client:
        """Ask for a job, and read how it goes; the query's fields are those of `tests.servers.apps.site`."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip, br"}
        return Client(self.port, f"{path}?{self._query(program, **query)}", None, **headers)

    def ping(self, path: str = "/ping") -> Client:
        """Ask for what needs no job."""
        return Client(self.port, path, None)

    def n_watchers(self, program: ScriptedProgram) -> int:
        """How many observers the program's job has."""
        n_watchers = self._stats(program)["n_watchers"]
        assert isinstance(n_watchers, int)
        return n_watchers

    def n_pieces(self, program: ScriptedProgram, client: str) -> int:
        """How many pieces the stream of this client has had; see `client` of the query."""
        n_pieces = self._stats(program)["streams"].get(client, (0,))[0]
        assert isinstance(n_pieces, int)
        return n_pieces

    def is_open(self, program: ScriptedProgram, client: str) -> bool:
        """Whether the stream of this client goes on, for the server."""
        streams = self._stats(program)["streams"]
        return client in streams and bool(streams[client][1])

    def _stats(self, program: ScriptedProgram) -> dict[str, Any]:
        stats = json.loads(get(self.port, f"/stats?{self._query(program)}"))
        assert isinstance(stats, dict)
        return stats

    def _query(self, program: ScriptedProgram | Path, **query: object) -> str:
        path = program.path if isinstance(program, ScriptedProgram) else program
        return urlencode({"program": path, "job": "job", **query})


@contextmanager
def running(command: list[str], directory: Path, **environment: str) -> Iterator[Site]:
    """Serve a site; at the end, stop it, and fail if it logged an exception."""
    with Server(command, directory, **environment) as server:
        yield Site(server.port)
        server.stop()
        assert "Traceback" not in server.output
