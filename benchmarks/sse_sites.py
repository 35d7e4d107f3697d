"""sse_sites: one event for thousands of clients of one uvicorn process, told by us and by others; a site a process.

The process does what it is told on stdin, a line each, and answers with a line of JSON: to "event" it publishes one
more, and answers when that began; to "spent" it answers the CPU seconds and the KiB of memory that it has used.

A peer's interpreter reads this file too, so all that it may lack is imported where it is used.
"""

import asyncio
import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from benchmarks.clock import memory_kb

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
Publish = Callable[[int], object]

#: Of the length that a program prints.
MESSAGE = "Read 1 of 100 documents"


def text_of(i: int) -> str:
    event = {"n_ahead_in_queue": 0, "fraction": i / 1000, "message": MESSAGE, "returncode": None, "error": None}
    return json.dumps(event)


def workqueue() -> tuple[App, Publish]:
    """The ready application; the program's progress is reported by this file, not printed."""
    from workqueue import WorkQueue  # noqa: PLC0415 - see above
    from workqueue.testing import ManualEngine  # noqa: PLC0415
    from workqueue.web.asgi import GenerateApp  # noqa: PLC0415

    engine = ManualEngine()
    queue = WorkQueue("program", storage_dir=tempfile.mkdtemp(), engine=engine)
    job = queue.ensure_run(("a",))
    assert job is not None
    engine.start(job)
    app = GenerateApp(queue, params=lambda _: ("a",), max_duration=None, heartbeat=600.0)
    return app, lambda i: engine.progress(job, i / 1000, MESSAGE)


class Told:
    """What the others tell their clients: the same bytes to all, which each is woken for. Made on the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Future[str] = self._loop.create_future()
        self._latest = text_of(0)

    def publish(self, i: int) -> None:
        self._loop.call_soon_threadsafe(self._put, text_of(i))

    def _put(self, text: str) -> None:
        told, self._next, self._latest = self._next, self._loop.create_future(), text
        told.set_result(text)

    async def read(self) -> AsyncIterator[str]:
        yield self._latest
        while True:
            # No task is cancelled here, so they may share it: nothing costs less.
            yield await self._next


def bare() -> tuple[App, Publish]:
    """An ASGI application that sends bytes which are made once, and nothing else."""
    told = Told()
    pieces: dict[str, bytes] = {}

    async def app(_scope: Message, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for text in told.read():
            if text not in pieces:
                pieces.clear()
                pieces[text] = f"data: {text}\n\n".encode()
            await send({"type": "http.response.body", "body": pieces[text], "more_body": True})

    return app, told.publish


def sse_starlette() -> tuple[App, Publish]:
    """As its manual has it."""
    from sse_starlette.sse import EventSourceResponse  # type: ignore[import-not-found]  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    told = Told()

    async def generate(_request: Any) -> Any:
        async def events() -> AsyncIterator[dict[str, str]]:
            async for text in told.read():
                yield {"data": text}

        return EventSourceResponse(events(), ping=600)

    return Starlette(routes=[Route("/generate", generate)]), told.publish


SITES = {"workqueue": workqueue, "bare": bare, "sse-starlette": sse_starlette}


def serve(name: str) -> None:
    """Serve this site, print its port, and obey until stdin ends."""
    asyncio.run(_serve(name))


async def _serve(name: str) -> None:
    import uvicorn  # noqa: PLC0415

    app, publish = SITES[name]()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    # The parts that each environment has; the others' are faster than these, for all alike.
    config = uvicorn.Config(app, loop="asyncio", http="h11", lifespan="off", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    threading.Thread(target=_obey, args=(publish, server), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    await server.serve([listener])


def _obey(publish: Publish, server: Any) -> None:
    n_events = 0
    for line in sys.stdin:
        if line.strip() == "event":
            n_events += 1
            answer: object = time.perf_counter()
            publish(n_events)
        else:
            answer = [time.process_time(), memory_kb()]
        print(json.dumps(answer), flush=True)
    server.should_exit = server.force_exit = True
