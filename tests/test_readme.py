"""The README's other examples: each is run as it stands."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect
from werkzeug.wrappers import Request

from tests.readme import README, block
from tests.servers.server import Client, Server, serving
from workqueue import Progress, WorkQueue
from workqueue.streams import to_async_iter, to_generator
from workqueue.testing import ManualEngine, ScriptedProgram, collect, output, say, wait
from workqueue.web.flask import progress_response

_ASGI = """
import asyncio, contextlib
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from workqueue import WorkQueue
from workqueue.streams import to_async_iter
from workqueue.web.starlette import progress_response

queue = WorkQueue("program/program", storage_dir="databases")
{block}
app = Starlette(routes=[{route}])
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    steps = say(0.25, "one"), wait("one"), output(b"the database")
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        yield program


def write_app(directory: Path, name: str, route: str) -> list[str]:
    (directory / "app.py").write_text(_ASGI.format(block=block(name), route=route))
    return ["uvicorn", "--port", "0", "app:app"]


def test_the_program_keeps_its_contract(tmp_path: Path) -> None:
    program = tmp_path / "process-docset.py"
    program.write_text(block("process-docset.py"))
    program.chmod(0o755)
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    check = subprocess.run(
        [sys.executable, "-m", "workqueue", "check", program, "http://localhost", "1", "token"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert "It keeps the contract." in check.stdout, check
    assert check.returncode == 0


def test_the_asgi_example_streams(tmp_path: Path, program: ScriptedProgram) -> None:
    command = write_app(tmp_path, "asgi.py", 'Route("/", generate, methods=["POST"])')
    with serving(command, tmp_path) as port, closing(Client(port, "/")) as client:
        assert client.response.getheader("Content-Type") == "application/json"
        while client.event()["fraction"] != 0.25:
            pass
        program.release("one")
        assert client.until(1.0)["returncode"] == 0


def test_the_websocket_example_sends_to_all_that_come_at_any_time(tmp_path: Path, program: ScriptedProgram) -> None:
    command = write_app(tmp_path, "websocket.py", 'WebSocketRoute("/", watch)')
    with Server(command, tmp_path) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        with connect(url) as first, connect(url) as leaving:
            for socket in (first, leaving):
                while event(socket)["fraction"] != 0.25:
                    pass
            leaving.close()
            program.release("one")
            while (last := event(first))["returncode"] is None:
                pass
            assert last["returncode"] == 0
            assert_closed(first)
        with connect(url) as second:  # the result is there
            assert event(second)["returncode"] == 0
            assert_closed(second)
        assert len(program.runs) == 1
        assert "Traceback" not in server.output


def event(socket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(socket.recv(timeout=20))
    return found


def assert_closed(socket: ClientConnection) -> None:
    with pytest.raises(ConnectionClosedOK):
        socket.recv(timeout=20)


def test_a_build_is_waited_for_in_each_way(tmp_path: Path) -> None:
    with ScriptedProgram(tmp_path / "program", output(b"built")) as program:
        with WorkQueue(program.path, storage_dir=tmp_path / "storage") as queue:
            job = queue.ensure_run(("c",))
            names = {"queue": queue, "job": job}
            exec("async def main():\n" + textwrap.indent(block("build.py"), "    ") + "    return last", names)
            last = asyncio.run(names["main"]())  # type: ignore[arg-type, operator]
        assert last == Progress(fraction=1.0, returncode=0)
        assert len(program.runs) == 2


def test_a_response_is_composed(tmp_path: Path) -> None:
    engine = ManualEngine()
    with WorkQueue("unused", storage_dir=tmp_path, engine=engine) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        engine.start(job)
        engine.succeed(job)
        names = {"job": job, "request": Request({}), "progress_response": progress_response}
        response = eval(block("events.py").strip(), names)
        assert json.loads(response.get_data())[-1]["returncode"] == 0


def test_both_adapters_print_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = ManualEngine()
    with WorkQueue("unused", storage_dir=tmp_path, engine=engine) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        engine.start(job)
        engine.succeed(job)
        names = {"job": job, "to_generator": to_generator, "to_async_iter": to_async_iter}
        exec("async def main():\n" + textwrap.indent(block("adapters.py"), "    "), names)
        asyncio.run(names["main"]())  # type: ignore[operator]
    assert capsys.readouterr().out == "1.0 None\n" * 2


def test_the_composed_stream_prints_each_message_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = ManualEngine()
    with WorkQueue("unused", storage_dir=tmp_path, engine=engine) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        exec(block("compose.py"), {"job": job})
        engine.start(job)
        engine.progress(job, 0.1, "reading")
        engine.progress(job, 0.2, "reading")
        engine.progress(job, 0.3, "writing")
        engine.succeed(job)
        collect(job)
    assert capsys.readouterr().out == "None\nreading\nwriting\nNone\n"


@pytest.mark.parametrize("command", ["/workqueue demo", "/tox"])
def test_one_command_each_runs_the_demo_and_the_tests(command: str) -> None:
    lines = [line.strip() for line in README.read_text().splitlines() if line.startswith("    python3 -m venv")]
    assert sum(line.endswith(command) for line in lines) == 1
