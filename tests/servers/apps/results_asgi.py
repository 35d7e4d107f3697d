"""Results through each way that ASGI has: the applications, and endpoints in Starlette, below middleware too."""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.servers.apps.results import OPTIONS, held, named, queue
from workqueue.web import Fields
from workqueue.web.asgi import GenerateApp, ResultApp
from workqueue.web.starlette import result_response


class Looks(BaseHTTPMiddleware):
    """Does nothing, in the way that most middleware for Starlette and FastAPI is written."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        return await call_next(request)


def plain_view(request: Request) -> Response:
    params = named(Fields(request.query_params))
    return result_response(queue, params, request, generate="/app/generate", **OPTIONS)


async def view(request: Request) -> Response:
    return await asyncio.to_thread(plain_view, request)


async def show_held(request: Request) -> Response:
    return JSONResponse(held())


result = ResultApp(queue, params=named, generate="/app/generate", **OPTIONS)
routes: list[Any] = [
    Route("/view", view),
    Route("/plain_view", plain_view),
    Route("/held", show_held),
    Route("/result{rest:path}", result),
    Mount("/app", GenerateApp(queue, params=named, result="/result", result_options=OPTIONS)),
]
app = Starlette(
    routes=[
        *routes,
        Mount("/gzip", Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=0)])),
        Mount("/base", Starlette(routes=routes, middleware=[Middleware(Looks)])),
    ]
)
