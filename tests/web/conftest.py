"""The apps without a server: one request in, its answer out, piece by piece."""

import asyncio
import base64
import io
import json
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest

from workqueue import OverviewViewParams
from workqueue.web import asgi, wsgi

TOKEN = "Basic " + base64.b64encode(b"t0ken:x-auth-token").decode()
FORM = "application/x-www-form-urlencoded"
BODY = b"server=http%3A%2F%2Fh&documentSetId=1"
PARAMS = OverviewViewParams("http://h", "1", "t0ken")


class Reply:
    """A whole response."""

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def detail(self) -> str:
        """What a problem says."""
        assert self.headers["content-type"] == "application/problem+json"
        answer = json.loads(self.body)
        assert answer["status"] == self.status
        return str(answer["detail"])


Ask = Callable[..., Reply]


def environ(method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """A request as WSGI has it."""
    result: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        result[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return result


@contextmanager
def opened(app: wsgi.GenerateApp, environment: dict[str, Any]) -> Iterator[tuple[int, list[tuple[str, str]], Any]]:
    """A WSGI response that is closed at the end, as a server does."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body = app(environment, lambda status, headers, _=None: started.append((status, headers)) or io.BytesIO().write)
    [(status, headers)] = started
    try:
        yield int(status[:3]), headers, body
    finally:
        if hasattr(body, "close"):
            body.close()


def ask_wsgi(app: wsgi.GenerateApp, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Reply:
    with opened(app, environ(method, path, query, body, headers)) as (status, reply_headers, pieces):
        return Reply(status, reply_headers, b"".join(pieces))


def scope(method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    """A request as ASGI has it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }


class Wire:
    """The server's side of one ASGI request: the client stays until `leave`."""

    def __init__(self, body: bytes = b"") -> None:
        self.sent: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._to_say: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._to_say.put_nowait({"type": "http.request", "body": body[:10], "more_body": True})
        self._to_say.put_nowait({"type": "http.request", "body": body[10:], "more_body": False})

    async def receive(self) -> MutableMapping[str, Any]:
        return await self._to_say.get()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.sent.put(message)

    def leave(self) -> None:
        self._to_say.put_nowait({"type": "http.disconnect"})

    def reply(self) -> Reply:
        """All that was sent."""
        start = self.sent.get_nowait()
        assert start["type"] == "http.response.start"
        body = b""
        while not self.sent.empty():
            body += self.sent.get_nowait()["body"]
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        return Reply(start["status"], headers, body)


def ask_asgi(app: asgi.GenerateApp, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Reply:
    async def ask() -> Reply:
        wire = Wire(body)
        await app(scope(method, path, query, headers), wire.receive, wire.send)
        return wire.reply()

    return asyncio.run(ask())


@pytest.fixture(params=["wsgi", "asgi"])
def make_app(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """The class of the app: both are to behave alike."""
    return wsgi.GenerateApp if request.param == "wsgi" else asgi.GenerateApp


@pytest.fixture
def ask() -> Ask:
    """One request to an app, to the end of its response."""

    def ask(
        app: Any,
        method: str = "POST",
        path: str = "/generate",
        *,
        query: str = "",
        body: bytes = b"",
        **headers: str,
    ) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        how: Callable[..., Reply] = ask_wsgi if isinstance(app, wsgi.GenerateApp) else ask_asgi
        return how(app, method, path, query, body, named)

    return ask
