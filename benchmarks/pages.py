"""pages: a line of jobs as the clients of a web server see it, by server-sent events; our server, and Gradio's.

The server runs in the process that is measured, its clients in another. Gradio's interpreter reads this file too, so
all that it lacks is imported where it is used, and so is what only it has.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.places import LOOK_SECONDS, Places

_CLIENTS = "import sys; from benchmarks.pages import main; main(*sys.argv[1:])"


class Pages:
    """The clients of a server: one for the job that runs, and one for each of the n that wait behind it.

    Args:
        kind: whose server it is, "ours" or "gradio".
        port: where it is.
        n: how many wait; they do when this is made.
    """

    def __init__(self, kind: str, port: int, n: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CLIENTS, kind, str(port), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        self.wait(0)

    def wait(self, n_moves: int) -> tuple[int, float]:
        """See `Places`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(n_moves, file=self._process.stdin, flush=True)
        n_messages, last = json.loads(self._process.stdout.readline())
        return n_messages, last

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


LetThrough = Callable[[int], object]
"""Lets so many jobs go on."""


@contextmanager
def our_pages(n: int) -> Iterator[tuple[Pages, LetThrough]]:
    """Our application, under uvicorn."""
    import uvicorn  # noqa: PLC0415

    from benchmarks.crowd import line_of  # noqa: PLC0415
    from workqueue.web.asgi import GenerateApp  # noqa: PLC0415

    with line_of(0) as line:
        app = GenerateApp(line.queue, max_duration=None)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(LOOK_SECONDS)
        pages = Pages("ours", server.servers[0].sockets[0].getsockname()[1], n)
        try:
            yield pages, line.let_through
        finally:
            pages.close()
            server.should_exit = True
            thread.join()


@contextmanager
def gradio_pages(n: int) -> Iterator[tuple[Pages, LetThrough]]:
    """Gradio's queue, one job at a time; its jobs wait in its own threads, and run no program."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
    import gradio  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    gate = threading.Semaphore(0)

    def build(name: str) -> str:
        gate.acquire()
        return name

    demo = gradio.Interface(build, "text", "text", api_name="build")
    demo.queue(default_concurrency_limit=1)
    demo.launch(server_name="127.0.0.1", share=False, prevent_thread_lock=True, quiet=True, ssr_mode=False)
    pages = Pages("gradio", demo.server_port, n)
    try:
        yield pages, gate.release
    finally:
        pages.close()
        gate.release(n + 1)
        demo.close(verbose=False)


def main(kind: str, port: str, n: str) -> None:
    """In a process of its own: the clients. For each number of moves that it reads, it says when all know of them."""
    asyncio.run(_read_pages({"ours": _our_places, "gradio": _gradio_places}[kind], int(port), int(n)))


Read = Callable[[int, int], AsyncIterator[int]]
"""From a port and a client's number, its places, as they come."""


async def _read_pages(read: Read, port: int, n: int) -> None:
    places = Places(n)
    tasks = []
    for client in range(n + 1):
        stream = read(port, client)
        # One after the other, so that their order is known.
        first = await anext(stream)
        if client:
            places.tell(client, first)
        tasks.append(asyncio.create_task(_read_page(stream, client, places)))
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await asyncio.to_thread(places.wait, int(line))), flush=True)


async def _read_page(stream: AsyncIterator[int], client: int, places: Places) -> None:
    async for place in stream:
        if client:
            places.tell(client, place)


async def _our_places(port: int, client: int) -> AsyncIterator[int]:
    headers = {
        "Accept": "text/event-stream",
        "Authorization": "Basic " + base64.b64encode(b"token:x-auth-token").decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"server": "http://localhost", "documentSetId": client})
    async for event in _events(port, f"POST /generate HTTP/1.1\r\n{_text(headers, body)}"):
        yield event["n_ahead_in_queue"]


async def _gradio_places(port: int, client: int) -> AsyncIterator[int]:
    body = json.dumps({"data": ["it"], "fn_index": 0, "session_hash": f"client{client}"})
    request = f"POST /gradio_api/queue/join HTTP/1.1\r\n{_text({'Content-Type': 'application/json'}, body)}"
    async for _ in _events(port, request):
        raise AssertionError("no answer to a join is a stream")
    request = f"GET /gradio_api/queue/data?session_hash=client{client} HTTP/1.1\r\n{_text({}, '')}"
    async for event in _events(port, request):
        if event["msg"] == "estimation":
            yield event["rank"] + 1  # of those that wait; one runs
        elif event["msg"] == "process_starts":
            yield 0


def _text(headers: dict[str, str], body: str) -> str:
    headers = {"Host": "127.0.0.1", "Connection": "close", "Content-Length": str(len(body)), **headers}
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + f"\r\n{body}"


async def _events(port: int, request: str) -> AsyncIterator[dict[str, object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise AssertionError(f"{status!r}: {await reader.read(1000)!r}")
        # A server sends each event whole, as a chunk of its own; so it stands in a line of its own.
        async for line in reader:
            if line.startswith(b"data: "):
                yield json.loads(line[len("data: ") :])
    finally:
        writer.close()
