"""A coroutine that awaits a job, in the way that its path names, on an ASGI server or aiohttp's."""

import asyncio
import os
from collections.abc import Awaitable
from typing import Any

from reactivex import operators as ops

from workqueue import Job, Progress, WorkQueue

queue = WorkQueue("program/program", storage_dir="results")

WAYS = {
    "job": lambda job: job,
    "progress": lambda job: job.progress,
    "piped": lambda job: job.progress.pipe(ops.map(lambda progress: progress)),
    "future": lambda job: job.progress.pipe(ops.to_future()),
    "build": lambda job: queue.build_async(job.params),
}


async def last(way: str) -> str:
    job: Job | None = await asyncio.to_thread(queue.ensure_run, (way,))
    assert job is not None
    awaitable: Awaitable[Progress] = WAYS[way](job)
    return str((await awaitable).returncode)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the returncode."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = await last(scope["path"].strip("/"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": body.encode()})


if __name__ == "__main__":
    from aiohttp import web

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=await last(request.match_info["way"]))

    application = web.Application()
    application.router.add_get("/{way}", handle)
    web.run_app(application, host="127.0.0.1", port=int(os.environ["PORT"]))
