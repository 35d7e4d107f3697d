"""Servers that the recipes have a line or a file for: Daphne, Granian, uWSGI."""

import base64
import importlib.util
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.objects.ports import free_ports
from tests.recipes.recipe import STEPS, recipe
from tests.servers.server import Client, Server, eventually
from tests.tools import missing
from workqueue.testing import ScriptedProgram

BASIC = {"Authorization": "Basic " + base64.b64encode(b"token:x-auth-token").decode()}


class OtherServer(Server):
    """One that says in words of its own that it listens."""

    def _said_port(self) -> re.Match[str] | None:
        return re.search(r"(?:Listening on TCP address |bound to TCP address |http://)127\.0\.0\.1:(\d+)", self.output)


class Kind(NamedTuple):
    package: str
    command: list[str]


KINDS = {
    "daphne": Kind("daphne", ["daphne", "--port", "0", "ready_asgi:app"]),
    "granian": Kind("granian", ["granian", "--interface", "asgi", "--port", "PORT", "ready_asgi:app"]),
    "uwsgi": Kind("pyuwsgi", ["tests.servers.apps.uwsgi", "--ini", "uwsgi.ini"]),
}


def is_listening(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


class Site(NamedTuple):
    port: int
    program: ScriptedProgram


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kind = KINDS[request.param]
    if importlib.util.find_spec(kind.package) is None:
        missing(f"there is no {kind.package}; see the extra test")
    # Not in the test's own directory: a server that is killed cannot tidy up.
    directory = tmp_path_factory.mktemp("site")
    for name in ("ready_wsgi.py", "ready_asgi.py"):
        (directory / name).write_text(recipe(name))
    (directory / "uwsgi.ini").write_text(recipe("uwsgi.ini").replace(":8000", ":0"))
    [port] = free_ports(1)
    command = [str(port) if word == "PORT" else word for word in kind.command]
    with ScriptedProgram(directory / "program", *STEPS) as program:
        (directory / "process-docset.py").symlink_to(program.path)
        path = {} if kind.package != "pyuwsgi" else {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with OtherServer(command, directory, **path) as server:
            eventually(lambda: is_listening(server.port))  # Granian says so before it does
            try:
                yield Site(server.port, program)
            finally:
                program.close()


def test_events_come_one_by_one(site: Site) -> None:
    form = "server=http://localhost&documentSetId=1"
    with closing(Client(site.port, "/generate", form, Accept="application/x-ndjson", **BASIC)) as client:
        assert client.until(0.25)["message"] == "one"
        site.program.release("one")
        assert client.until(0.5)["message"] == "two"
        site.program.release("two")
        assert client.until(1.0)["returncode"] == 0
        assert client.rest() == ""
    assert len(site.program.runs) == 1
