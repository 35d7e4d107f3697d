"""The examples of docs/requests.rst: each is run as it stands."""

import asyncio
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from tests.readme import DOCS, block, blocks
from tests.servers.server import Server
from workqueue import InvalidParams, Job, Progress, WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram, collect, output, say, wait

PAGE = DOCS / "requests.rst"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    steps = say(0.25, "one"), wait("one"), output(b"the database")
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        yield program


@pytest.fixture
def engine() -> ManualEngine:
    return ManualEngine()


@pytest.fixture
def job(tmp_path: Path, engine: ManualEngine) -> Iterator[Job]:
    with WorkQueue("unused", storage_dir=tmp_path, engine=engine) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        yield job


def run_on_asyncio(name: str, names: dict[str, Any]) -> Any:
    """Run an example that awaits; return what it calls `last`, if anything."""
    body = textwrap.indent(block(name, PAGE), "    ")
    exec(f"async def main():\n    last = None\n{body}    return last", names)
    return asyncio.run(names["main"]())


def test_a_request_is_answered_in_each_of_three_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    with program, WorkQueue(program.path, storage_dir=tmp_path / "storage") as queue:
        names = {"queue": queue, "InvalidParams": InvalidParams}
        exec(block("ask.py", PAGE), names)
        assert capsys.readouterr().out.startswith("Progress(n_ahead_in_queue=")
        queue.build(("enron", "2001"))
        exec(block("ask.py", PAGE), names)
        assert capsys.readouterr().out == "the result is there\n"
        exec(block("ask.py", PAGE).replace('"2001"', "2001"), names)
        assert capsys.readouterr().out == "status 400: field 1 must be a string; got int\n"


def test_the_websocket_sends_to_all_that_come_at_any_time(tmp_path: Path, program: ScriptedProgram) -> None:
    (tmp_path / "live.py").write_text(block("live.py", PAGE))
    (tmp_path / "report.py").symlink_to(program.path)
    with Server(["uvicorn", "--port", "0", "live:app"], tmp_path) as server:
        url = f"ws://127.0.0.1:{server.port}/watch?name=Ada"
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
            last = run_on_asyncio("build.py", {"queue": queue, "job": queue.ensure_run(("c",))})
        assert last == Progress(fraction=1.0, returncode=0)
        assert len(program.runs) == 2


def test_both_adapters_print_the_end(job: Job, engine: ManualEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.start(job)
    engine.succeed(job)
    run_on_asyncio("adapters.py", {"job": job})
    assert capsys.readouterr().out == "1.0 None\n" * 2


def test_the_composed_stream_prints_each_message_once(
    job: Job, engine: ManualEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(block("compose.py", PAGE), {"job": job})
    engine.start(job)
    engine.progress(job, 0.1, "reading")
    engine.progress(job, 0.2, "reading")
    engine.progress(job, 0.3, "writing")
    engine.succeed(job)
    collect(job)
    assert capsys.readouterr().out == "None\nreading\nwriting\nNone\n"


def test_no_example_is_left_out() -> None:
    assert set(blocks(PAGE)) == {"ask.py", "live.py", "build.py", "adapters.py", "compose.py"}
