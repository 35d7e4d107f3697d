"""A site in Starlette, to be copied and then edited while a program runs."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workqueue import WorkQueue
from workqueue.streams import to_generator
from workqueue.web.starlette import progress_response

VERSION = 1

queue = WorkQueue("endless", storage_dir="storage")


async def version(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(VERSION))


def begin(request: Request) -> Response:
    job = queue.ensure_run(("a",))
    assert job is not None
    return PlainTextResponse(
        next(str(progress.fraction) for progress in to_generator(job.progress) if progress.fraction)
    )


async def view(request: Request) -> Response:
    return progress_response(queue.ensure_run(("a",)), request)


app = Starlette(routes=[Route("/version", version), Route("/begin", begin), Route("/view", view)])
