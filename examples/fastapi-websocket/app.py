"""A websocket that tells how a report comes to be, a page that shows it, and the report."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import reactivex
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse

from workqueue import Progress, WorkQueue, WorkQueueError
from workqueue.streams import to_callback
from workqueue.web import Problem
from workqueue.web.starlette import result_response

here = Path(__file__).parent
queue = WorkQueue(here / "build.py", storage_dir=here / "results", max_running=2, suffix=".txt")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(queue.close, 2.0)


app = FastAPI(lifespan=lifespan)


@app.websocket("/watch")
async def watch(websocket: WebSocket, name: str, seconds: int) -> None:
    """Send each event; the last one has a returncode, and then the websocket is closed."""
    await websocket.accept()
    try:
        events = await asyncio.to_thread(queue.watch, (name, str(seconds)))
    except WorkQueueError as error:
        events = reactivex.just(Progress(fraction=1.0, returncode=1, error=str(error)))

    async def send(progress: Progress) -> None:
        await websocket.send_json(progress.as_dict())
        if progress.returncode is not None:
            await websocket.close()

    with to_callback(events, send):
        async for _ in websocket.iter_text():
            pass  # ends when the client leaves, or after close()


@app.get("/report")
def report(request: Request, name: str, seconds: int) -> Response:
    return result_response(queue, (name, str(seconds)), request)


@app.exception_handler(WorkQueueError)
async def refuse(request: Request, error: WorkQueueError) -> Response:
    problem = Problem.of(error)
    return Response(problem.body(), problem.status, problem.headers)


@app.get("/")
def page() -> FileResponse:
    return FileResponse(here / "page.html")
