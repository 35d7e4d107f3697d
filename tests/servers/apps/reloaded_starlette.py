"""A site in Starlette, to be copied and then edited while a program runs."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from workqueue import WorkQueue

VERSION = 1

queue = WorkQueue("endless", storage_dir="storage")


async def version(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(VERSION))


def begin(request: Request) -> PlainTextResponse:
    job = queue.ensure_run(("a",))
    assert job is not None
    told = (progress.message for progress in queue.report_job_progress_until_completed(job) if progress.message)
    return PlainTextResponse(next(told))


app = Starlette(routes=[Route("/version", version), Route("/begin", begin)])
