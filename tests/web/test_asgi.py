"""What is ASGI's own: a client that leaves, and the scopes that are no requests."""

import asyncio
import json
import threading
from collections.abc import MutableMapping
from typing import Any

import pytest
from pytest_mock import MockerFixture

from tests.web.conftest import BODY, FORM, PARAMS, TOKEN, Wire, ask_asgi, scope
from workqueue import Job, WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web import ProgressStream
from workqueue.web.asgi import GenerateApp, send_stream

HEADERS = {"Content-Type": FORM, "Authorization": TOKEN, "Accept": "application/x-ndjson"}


def job_of(queue: WorkQueue) -> Job:
    job = queue.ensure_run(PARAMS)
    assert job is not None
    return job


def test_a_client_that_leaves_is_noticed_though_nothing_happens(queue: WorkQueue) -> None:
    """No event, no heartbeat: only `receive` tells."""

    async def scenario() -> None:
        job, wire = job_of(queue), Wire(BODY)
        app = GenerateApp(queue, heartbeat=None, max_duration=None)
        request = asyncio.ensure_future(app(scope("POST", "/generate", "", HEADERS), wire.receive, wire.send))
        assert (await wire.sent.get())["status"] == 200
        await wire.sent.get()
        assert job.n_watchers == 1
        wire.leave()
        await request
        assert job.n_watchers == 0
        assert wire.sent.empty()

    asyncio.run(scenario())


def test_a_client_that_leaves_while_it_is_slow_is_noticed(queue: WorkQueue) -> None:
    async def scenario() -> None:
        job, wire, is_sending = job_of(queue), Wire(BODY), asyncio.Event()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                is_sending.set()
                await asyncio.get_running_loop().create_future()  # its buffers are full

        request = asyncio.ensure_future(GenerateApp(queue)(scope("POST", "/", "", HEADERS), wire.receive, send))
        await is_sending.wait()
        wire.leave()
        await request
        assert job.n_watchers == 0

    asyncio.run(scenario())


def test_a_server_may_also_say_so_when_it_is_sent_to(queue: WorkQueue) -> None:
    """ASGI 2.4."""

    async def scenario() -> None:
        job, wire = job_of(queue), Wire(BODY)

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                assert job.n_watchers == 1
                raise OSError

        pieces = ProgressStream(job).to_async_iter()
        await send_stream(200, [], pieces, Wire().receive, send)
        assert job.n_watchers == 0  # though somebody holds on to the body
        await GenerateApp(queue)(scope("POST", "/", "", HEADERS), wire.receive, send)
        assert job.n_watchers == 0

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_leaves_nothing(queue: WorkQueue) -> None:
    """As servers do that stop."""

    async def scenario() -> None:
        job, wire = job_of(queue), Wire(BODY)
        request = asyncio.ensure_future(GenerateApp(queue)(scope("POST", "/", "", HEADERS), wire.receive, wire.send))
        await wire.sent.get()
        await wire.sent.get()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert job.n_watchers == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_a_client_that_leaves_in_the_middle_of_its_request_gets_nothing(queue: WorkQueue, engine: ManualEngine) -> None:
    async def scenario() -> None:
        said = [{"type": "http.request", "body": BODY[:5], "more_body": True}, {"type": "http.disconnect"}]

        async def receive() -> MutableMapping[str, Any]:
            return said.pop(0)

        async def send(message: MutableMapping[str, Any]) -> None:
            raise AssertionError("nobody is there")

        await GenerateApp(queue)(scope("POST", "/", "", HEADERS), receive, send)

    asyncio.run(scenario())
    assert engine.tasks == []


@pytest.mark.parametrize("kind", [ZeroDivisionError, OSError])
def test_an_error_of_the_stream_is_not_swallowed(kind: type[Exception]) -> None:
    async def broken() -> Any:
        yield b"piece"
        raise kind

    async def scenario() -> None:
        wire = Wire()
        await send_stream(200, [], broken(), wire.receive, wire.send)

    with pytest.raises(kind):
        asyncio.run(scenario())


@pytest.mark.parametrize(("root", "path"), [("/build", "/build"), ("/gen", "/generate"), ("/build", "/generate")])
def test_the_path_is_the_one_below_the_mount(queue: WorkQueue, root: str, path: str) -> None:
    """Some servers begin the path with the mount, some do not."""
    wire = Wire()
    request = scope("OPTIONS", path, "", {}) | {"root_path": root}
    asyncio.run(GenerateApp(queue)(request, wire.receive, wire.send))
    assert wire.reply().status == 204


def test_headers_that_come_twice_are_one(queue: WorkQueue) -> None:
    request = scope("HEAD", "/", BODY.decode(), HEADERS)
    request["headers"] += [(b"accept", b"application/json;q=0.1")]
    wire = Wire()
    asyncio.run(GenerateApp(queue)(request, wire.receive, wire.send))
    assert wire.reply().headers["content-type"].startswith("application/x-ndjson")


def test_a_client_that_leaves_while_it_is_authorized_is_noticed(queue: WorkQueue, engine: ManualEngine) -> None:
    async def scenario() -> None:
        is_asked = asyncio.Event()

        async def authorize(params: object) -> None:
            is_asked.set()
            await asyncio.get_running_loop().create_future()

        wire = Wire(BODY)
        app = GenerateApp(queue, authorize=authorize)
        request = asyncio.ensure_future(app(scope("POST", "/", "", HEADERS), wire.receive, wire.send))
        await is_asked.wait()
        wire.leave()
        await request
        assert wire.sent.empty()

    asyncio.run(scenario())
    assert engine.tasks == []


def test_what_looks_into_the_storage_does_not_run_on_the_loop(queue: WorkQueue, mocker: MockerFixture) -> None:
    threads: list[threading.Thread] = []
    mocker.patch.object(queue, "ensure_run", side_effect=lambda _: threads.append(threading.current_thread()))
    ask_asgi(GenerateApp(queue), "POST", "/", "", BODY, HEADERS)
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


def test_a_whole_stream_to_its_end(queue: WorkQueue, engine: ManualEngine) -> None:
    job = job_of(queue)
    engine.start(job)
    engine.fail(job, 1, "why")
    # The job is over, so this is a new one; it waits, and its stream ends with the queue.
    assert ask_asgi(GenerateApp(queue), "OPTIONS", "/", "", b"", {}).status == 204

    async def scenario() -> None:
        wire = Wire(BODY)
        request = asyncio.ensure_future(GenerateApp(queue)(scope("POST", "/", "", HEADERS), wire.receive, wire.send))
        await wire.sent.get()
        first = json.loads((await wire.sent.get())["body"])
        await asyncio.to_thread(queue.close)
        await request
        last = json.loads((await wire.sent.get())["body"])
        assert (first["returncode"], last["returncode"]) == (None, -999)
        assert (await wire.sent.get()) == {"type": "http.response.body", "body": b""}

    asyncio.run(scenario())


def test_it_takes_part_in_the_lifespan(queue: WorkQueue) -> None:
    async def scenario() -> list[str]:
        said = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        answers: list[str] = []

        async def receive() -> MutableMapping[str, Any]:
            return said.pop(0)

        async def send(message: MutableMapping[str, Any]) -> None:
            answers.append(message["type"])

        await GenerateApp(queue)({"type": "lifespan"}, receive, send)
        return answers

    assert asyncio.run(scenario()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_it_refuses_websockets_and_what_it_does_not_know(queue: WorkQueue) -> None:
    async def scenario() -> None:
        wire = Wire()
        await GenerateApp(queue)({"type": "websocket"}, wire.receive, wire.send)
        assert (await wire.sent.get())["type"] == "websocket.close"
        with pytest.raises(ValueError, match="cannot serve the ASGI scope 'mail'"):
            await GenerateApp(queue)({"type": "mail"}, wire.receive, wire.send)

    asyncio.run(scenario())
