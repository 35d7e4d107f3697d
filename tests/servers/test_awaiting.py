"""`await` of a job, and of what is composed of its progress, on servers of asyncio, idle but for that."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.server import Client, Server
from workqueue.testing import ScriptedProgram, output, say, wait

#: Of tests/servers/apps/awaiting.py, each by its name.
WAYS = ("job", "progress", "piped", "future", "build")

SERVERS = {
    "uvicorn": ["uvicorn", "--port", "0", "tests.servers.apps.awaiting:app"],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:0", "--workers", "0", "tests.servers.apps.awaiting:app"],
    "aiohttp": ["tests.servers.apps.awaiting"],
}


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_each_way_to_await_ends_with_the_job(command: list[str], tmp_path: Path) -> None:
    steps = say(0.5), wait("gate"), output(b"built")
    with (
        ScriptedProgram(tmp_path / "program", *steps) as program,
        Server(command, tmp_path, PORT="0") as server,
    ):
        for way in WAYS:
            with closing(Client(server.port, f"/{way}", None)) as client:
                program.wait_reached("gate", 20)
                program.release("gate")
                assert client.rest() == "0"
        assert "Traceback" not in server.output
