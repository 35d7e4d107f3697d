"""Servers that reload, are stopped by Ctrl-C, or replace their workers, while a program of a minute runs.

The applications close no queue: the end of the interpreter does.
"""

import contextlib
import http.client
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.descendants import Descendants
from tests.servers.server import ROOT, Client, Server, eventually, get

#: From a save to an answer of the new code it is 2 seconds on a machine that has nothing else to do, half of which is
#: what these servers let pass between two looks at their files. The program would take a minute.
PROMISED_SECONDS = 10.0

APPS = Path(ROOT, "tests", "servers", "apps")


class Kind(NamedTuple):
    """A server that reloads."""

    app: str
    command: list[str]
    keeps_streams: bool = True
    """Whether a client watches meanwhile; else it has had its answer when the program began."""


FLASK_RUN = ["flask", "--app", "plugin", "run", "--port", "0"]
UVICORN = ["uvicorn", "--port", "0"]
GUNICORN = ["gunicorn", "--bind", "127.0.0.1:0", "--worker-class", "gthread", "--threads", "8"]

RELOADING = {
    "flask": Kind("reloaded_flask", [*FLASK_RUN, "--debug"]),
    "runserver": Kind("reloaded_django", ["plugin", "runserver"]),
    # These wait for open streams, uvicorn for ever and gunicorn for 30 seconds, unless they are told otherwise; and
    # gunicorn sees that a client has left when it writes the next heartbeat.
    "uvicorn": Kind("reloaded_starlette", [*UVICORN, "--reload", "plugin:app"], False),
    "uvicorn, a stream": Kind(
        "reloaded_starlette", [*UVICORN, "--reload", "--timeout-graceful-shutdown", "1", "plugin:app"]
    ),
    "gunicorn": Kind("reloaded_flask", [*GUNICORN, "--reload", "plugin:app"], False),
    "gunicorn, a stream": Kind("reloaded_flask", [*GUNICORN, "--reload", "--graceful-timeout", "1", "plugin:app"]),
}


class Development:
    """A plugin in a directory of its own, and the server that runs it."""

    def __init__(self, kind: Kind, directory: Path) -> None:
        self.file = directory / "plugin.py"
        shutil.copy(APPS / f"{kind.app}.py", self.file)
        program = directory / "endless"
        program.write_text("#!/bin/sh\necho 0.25\nexec sleep 60\n")
        program.chmod(0o755)
        command = kind.command
        if command[-1] == "runserver":  # which tells the port that it is given, and no other
            command = [*command, f"127.0.0.1:{free_port()}"]
        # No bytecode: it is told from its source by size and seconds alone.
        self.server = Server(command, directory, PYTHONDONTWRITEBYTECODE="1")
        self._keeps_streams = kind.keeps_streams
        self._streams: list[Client] = []
        self._descendants: list[Descendants] = []

    def begin(self) -> None:
        """Ask for a build, and return when its program runs."""
        if self._keeps_streams:
            self._streams.append(eventually(self._stream))
        else:
            assert eventually(lambda: self._get("/begin")) == "0.25"
        self._descendants.append(Descendants(self.server.process.pid))

    def version(self) -> str | None:
        """Of the code that answers; None: nobody does."""
        return self._get("/version")

    def save_another_version(self) -> None:
        """A server that has not looked at the file before does not see that it was edited: so it is touched too."""
        before = time.monotonic()
        self.file.write_text(self.file.read_text().replace("VERSION = 1", "VERSION = 2"))
        touched = before
        while self.version() != "2":
            now = time.monotonic()
            assert now < before + PROMISED_SECONDS, self.server.output
            if now > touched + PROMISED_SECONDS / 4:
                self.file.touch()
                touched = now

    def wait_gone(self) -> None:
        """Once it has ended: nobody listens any more, and neither a program nor a warden is left."""
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", self.server.port)) != 0
        for descendants in self._descendants:
            descendants.wait_gone()

    def close(self) -> None:
        """Leave all streams."""
        for client in self._streams:
            client.close()

    def _stream(self) -> Client | None:
        """A stream that shows the program run; None: nobody answers."""
        try:
            client = Client(self.server.port, "/view", None)
        except OSError:
            return None
        try:
            client.until(0.25)
        except (AssertionError, OSError, http.client.HTTPException):
            client.close()
            return None
        return client

    def _get(self, path: str) -> str | None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(self.server.port, path)
        return None


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def _sigint_is_heeded() -> Iterator[None]:
    """The tests may run where it is ignored, and what they start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def development(kind: Kind, tmp_path: Path, _sigint_is_heeded: None) -> Iterator[Development]:
    development = Development(kind, tmp_path)
    with closing(development), development.server:
        yield development


@pytest.mark.parametrize("kind", RELOADING.values(), ids=RELOADING, indirect=True)
def test_a_saved_file_is_served_at_once_beside_a_running_program(development: Development) -> None:
    development.begin()
    assert development.version() == "1"
    development.save_another_version()
    development.begin()  # what was stopped is begun anew
    development.server.stop()
    development.wait_gone()


@pytest.mark.parametrize(
    "kind", [Kind("reloaded_flask", [*GUNICORN, "--max-requests", "1", "plugin:app"], False)], indirect=True
)
def test_a_worker_that_has_had_its_requests_is_replaced_at_once(development: Development) -> None:
    """By gunicorn's --max-requests: until it has ended, there is no other."""
    development.begin()
    before = time.monotonic()
    assert eventually(development.version) == "1"
    assert time.monotonic() - before < PROMISED_SECONDS
    # By a worker that is not the one which ran the program.
    eventually(lambda: "stops 1 running program (endless)" in development.server.output)
    development.server.stop()
    development.wait_gone()
    assert "WORKER TIMEOUT" not in development.server.output


@pytest.mark.parametrize("kind", [Kind("reloaded_flask", FLASK_RUN)], indirect=True)
def test_ctrl_c_ends_flasks_server_at_once(development: Development) -> None:
    development.begin()
    before = time.monotonic()
    development.server.process.send_signal(signal.SIGINT)
    assert development.server.process.wait(PROMISED_SECONDS) == 0
    assert time.monotonic() - before < PROMISED_SECONDS
    assert "this process ends, and stops 1 running program (endless)" in development.server.output
    assert "Traceback" not in development.server.output
    development.wait_gone()
