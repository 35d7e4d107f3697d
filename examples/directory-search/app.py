"""A search in an index that is a directory; a search opens only the file that it needs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from workqueue import ResultNotFound, WorkQueue
from workqueue.web import Fields, Problem
from workqueue.web.asgi import GenerateApp

here = Path(__file__).parent
queue = WorkQueue(here / "build.py", storage_dir=here / "results", max_running=2, result="directory")


def params(fields: Fields) -> tuple[str]:
    """What the program is given; a client is told what is wrong with it."""
    if not fields["package"].isidentifier():
        raise Problem(400, "package must be the name of a Python package")
    return (fields["package"],)


def search(request: Request) -> JSONResponse:
    """The lines that have a word; a plain function, which Starlette calls in a thread."""
    word = request.query_params.get("word", "").lower()
    if not word.isalpha():
        return JSONResponse({"error": "word must be letters"}, 400)
    try:
        # Nothing removes the directory before the block ends.
        with queue.open_result((request.query_params.get("package", ""),)) as directory:
            file = directory / f"{word[0]}.json"
            index = json.loads(file.read_text()) if file.exists() else {}
    except ResultNotFound:
        return JSONResponse({"error": "there is no index yet: ask for it at /generate"}, 404)
    return JSONResponse({"lines": index.get(word, [])})


async def page(request: Request) -> FileResponse:
    return FileResponse(here / "page.html")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(queue.close, 2.0)


generate = GenerateApp(queue, params=params)
routes = [Route("/", page), Route("/search", search), Route("/generate{rest:path}", generate)]
app = Starlette(routes=routes, lifespan=lifespan)
