"""`progress_response` of each framework, without a server; with servers they are in tests/servers and tests/recipes."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any, cast

import django.conf
import httpx
import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import StreamingHttpResponse
from flask import Flask, Response, request
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.routing import Route

from tests.conftest import ensure
from tests.web.conftest import Wire, environ, scope
from workqueue import Job, WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web import django as for_django
from workqueue.web import flask as for_flask
from workqueue.web import starlette as for_starlette
from workqueue.web.asgi import GenerateApp

NDJSON = {"Accept": "application/x-ndjson"}

EXPECTED = {
    "Content-Type": "application/x-ndjson; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Content-Encoding": "identity",
}

if not django.conf.settings.configured:
    django.conf.settings.configure()


@pytest.fixture
def job(queue: WorkQueue, engine: ManualEngine) -> Job:
    """One that runs."""
    job = ensure(queue, "a", "b")
    engine.start(job)
    return job


def fractions(body: bytes) -> list[float]:
    return [json.loads(line)["fraction"] for line in body.splitlines()]


def test_flask_streams(job: Job, engine: ManualEngine) -> None:
    app = Flask("test")
    app.add_url_rule("/", view_func=lambda: for_flask.progress_response(job, request))
    with app.test_client() as client:
        response = client.get("/", headers=NDJSON, buffered=False)
        assert {name: response.headers[name] for name in EXPECTED} == EXPECTED
        assert "Content-Length" not in response.headers
        pieces = cast("Iterator[bytes]", response.iter_encoded())
        assert fractions(next(pieces)) == [0.0]
        engine.succeed(job)
        assert fractions(b"".join(pieces)) == [1.0]
        response.close()


def test_flask_leaves_with_its_response(job: Job) -> None:
    app = Flask("test")
    with app.test_request_context("/", headers=NDJSON):
        response = app.make_response(for_flask.progress_response(job, request))
    assert isinstance(response, Response)  # Flask's own, with what its extensions expect of one
    next(cast("Iterator[bytes]", response.iter_encoded()))
    assert job.n_watchers == 1
    response.close()
    assert job.n_watchers == 0


def test_starlette_streams_and_notices_who_leaves(job: Job, engine: ManualEngine) -> None:
    """Whatever version of ASGI the server declares."""
    done: list[str] = []

    async def scenario(is_left: bool) -> bytes:
        wire = Wire()
        its_scope = scope("GET", "/", "", NDJSON) | {"asgi": {"version": "3.0", "spec_version": "2.4"}}
        response = for_starlette.progress_response(job, Request(its_scope), heartbeat=None, max_duration=None)
        response.background = BackgroundTask(done.append, "done")
        assert {name: response.headers[name] for name in EXPECTED} == EXPECTED
        sending = asyncio.ensure_future(response(its_scope, wire.receive, wire.send))
        start = await wire.sent.get()
        body: bytes = (await wire.sent.get())["body"]
        assert (start["status"], job.n_watchers) == (200, 1)
        if is_left:
            wire.leave()
        else:
            engine.succeed(job)
        await sending
        assert job.n_watchers == 0
        while not wire.sent.empty():
            body += wire.sent.get_nowait()["body"]
        return body

    assert fractions(asyncio.run(scenario(is_left=True))) == [0.0]
    assert fractions(asyncio.run(scenario(is_left=False))) == [0.0, 1.0]
    assert done == ["done", "done"]


def test_a_test_client_for_asgi_reads_a_stream_to_its_end(queue: WorkQueue, engine: ManualEngine) -> None:
    """httpx's says that it has left once the response is over; also through `BaseHTTPMiddleware`."""
    job = ensure(queue, "a", "b")
    engine.start(job)
    engine.succeed(job)

    async def endpoint(request: Request) -> object:
        return for_starlette.progress_response(queue.ensure_run(("a", "b")), request)

    async def look(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app = Starlette(
        routes=[Route("/own", endpoint), Route("/generate", GenerateApp(queue, params=lambda _: ("a", "b")))],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=look)],
    )

    async def get(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path, headers=NDJSON)

    for path in ("/own", "/generate"):
        response = asyncio.run(get(path))
        assert (response.status_code, fractions(response.content)) == (200, [1.0])


def django_response(job: Job | None, request: WSGIRequest | ASGIRequest) -> StreamingHttpResponse:
    response = for_django.progress_response(job, request)
    assert {name: response.headers[name] for name in EXPECTED} == EXPECTED
    return response


def test_django_streams_under_wsgi(job: Job, engine: ManualEngine) -> None:
    with closing(django_response(job, WSGIRequest(environ("GET", "/", "", b"", NDJSON)))) as response:
        assert not response.is_async
        pieces = cast("Iterator[bytes]", iter(response))
        assert fractions(next(pieces)) == [0.0]
        engine.succeed(job)
        assert fractions(b"".join(pieces)) == [1.0]


def test_django_leaves_with_its_response(job: Job) -> None:
    response = django_response(job, WSGIRequest(environ("GET", "/", "", b"", NDJSON)))
    next(cast("Iterator[bytes]", iter(response)))
    assert job.n_watchers == 1
    response.close()
    assert job.n_watchers == 0


@pytest.mark.parametrize("is_there", [False, True])
def test_django_streams_under_asgi(job: Job, engine: ManualEngine, is_there: bool) -> None:
    """Also what is there already: Django would hold back a plain iterator, and complain of it."""
    body = io.BytesIO()

    async def scenario() -> bytes:
        response = django_response(None if is_there else job, ASGIRequest(scope("GET", "/", "", NDJSON), body))
        assert response.is_async
        engine.succeed(job)
        pieces = cast("AsyncIterator[bytes]", aiter(response))
        return b"".join([piece async for piece in pieces])

    assert fractions(asyncio.run(scenario()))[-1] == 1.0
