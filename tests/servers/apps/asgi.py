"""A site in Starlette: `GenerateApp` mounted, an endpoint with `progress_response`, and what breaks streams."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from tests.servers.apps.site import CountedASGI, asked, job_of, options, queue, stats
from tests.servers.apps.stop import close_at_sigterm
from workqueue.web.asgi import GenerateApp
from workqueue.web.starlette import progress_response
from workqueue.web.stream import ProgressStream


async def ping(request: Request) -> Response:
    return PlainTextResponse("pong")


def ping_in_thread(request: Request) -> Response:
    return PlainTextResponse("pong")


async def show_stats(request: Request) -> Response:
    return JSONResponse(stats(request.url.query))


async def view(request: Request) -> Response:
    job = await asyncio.to_thread(job_of, request.url.query)
    response = progress_response(job, request, **options(request.url.query))
    for name in filter(None, request.query_params.get("without", "").split(",")):
        del response.headers[name]
    return response


async def plain_generator(request: Request) -> Response:
    """The wrong one of the two iterators."""
    stream = ProgressStream(job_of(request.url.query), "application/x-ndjson", **options(request.url.query))
    return StreamingResponse(stream.to_generator(), headers=stream.headers)


async def generate(scope: Any, receive: Any, send: Any) -> None:
    query = scope["query_string"].decode()
    await GenerateApp(queue, params=asked, **options(query))(scope, receive, send)


async def only_sends(scope: Any, receive: Any, send: Any) -> None:
    """A stream that never asks whether somebody listens."""
    query = scope["query_string"].decode()
    stream = ProgressStream(job_of(query), "application/x-ndjson", **options(query))
    headers = [(name.lower().encode(), value.encode()) for name, value in stream.headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for piece in stream.to_async_iter():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class Plain:
    """An ASGI application as an endpoint; a function would be taken for one that takes a request."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


class Looks(BaseHTTPMiddleware):
    """Does nothing, in the way that most middleware for Starlette and FastAPI is written."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        return await call_next(request)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    if "CLOSE_AT_SIGTERM" in os.environ:
        close_at_sigterm(queue)
    yield
    await asyncio.to_thread(queue.close, 0.0)


routes = [
    Route("/ping", ping),
    Route("/ping_in_thread", ping_in_thread),
    Route("/stats", show_stats),
    Route("/view", view),
    Route("/plain_generator", plain_generator),
    Route("/only_sends", Plain(only_sends)),
    Route("/generate", Plain(generate)),
]
site = Starlette(
    routes=[
        *routes,
        Mount("/gzip", Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=0)])),
        Mount("/base", Starlette(routes=routes, middleware=[Middleware(Looks)])),
    ],
    lifespan=lifespan,
)
app = CountedASGI(site)
