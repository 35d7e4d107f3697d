"""What SIGTERM does to a server, its streams and its programs, with the settings that are recommended and without."""

import contextlib
import http.client
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.servers.server import Client, Server, eventually
from tests.servers.sites import FLASK, KINDS, WAITRESS, WSGI, Kind, Site

#: What `docker stop` leaves is 10 s; half of it is for whatever else there is to stop.
PROMISED_SECONDS = 5.0

#: Lets SIGTERM close the queue: `tests.servers.apps.stop`.
CLOSING = {"CLOSE_AT_SIGTERM": "1"}


class Endless:
    """A program that stands at 0.25 and would go on for ten minutes; it may run more than once."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "endless"
        self._pids = directory / "endless.pids"
        self.path.write_text(f"#!/bin/sh\necho $$ >> {self._pids}\necho 0.25\nexec sleep 600\n")
        self.path.chmod(0o755)

    @property
    def pids(self) -> list[int]:
        """One for each time it was started."""
        return [int(pid) for pid in self._pids.read_text().split()] if self._pids.exists() else []

    @property
    def is_running(self) -> bool:
        """Whether any of them still runs; it has run at all."""
        assert self.pids
        return any(self._exists(pid) for pid in self.pids)

    def _exists(self, pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endless]:
    # Not in tmp_path, since a program that outlives its server leaves its files behind.
    endless = Endless(tmp_path_factory.mktemp("endless"))
    yield endless
    endless.kill()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_server_that_closes_its_queue_is_gone_within_five_seconds(
    kind: Kind, endless: Endless, tmp_path: Path
) -> None:
    """With an open stream and a running program: the program ends, the stream says so, and no log frightens anybody."""
    # Flask's own server does not wait for the threads that serve.
    may_cut = [http.client.IncompleteRead] if kind.command == FLASK else []
    with Server(kind.command, tmp_path, **CLOSING) as server:
        with closing(Site(server.port).watch(endless.path)) as client:
            client.until(0.25)
            before = time.monotonic()
            server.process.terminate()
            with contextlib.suppress(*may_cut):
                assert client.until(1.0)["error"] == "The work queue was closed while this job ran."
                assert client.rest() == ""
        server.process.wait(PROMISED_SECONDS)
        assert time.monotonic() - before < PROMISED_SECONDS
        assert not endless.is_running
        # uvicorn hands SIGTERM on to whoever started it, as its status.
        assert server.process.returncode in (0, -signal.SIGTERM)
        assert "Traceback" not in server.output
        assert "rror" not in server.output


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_server_under_load_is_gone_in_time_and_leaves_nothing(kind: Kind, endless: Endless, tmp_path: Path) -> None:
    """Two jobs run and three wait, each with two clients: each of these is told how its job ended, or is cut."""
    with ExitStack() as stack, Server(kind.command, tmp_path, MAX_RUNNING="2", **CLOSING) as server:
        site = Site(server.port)
        clients = []
        for n_before, job in enumerate("abcde"):
            # One job after the other is in the line, since a server may take requests in any order.
            for client in [stack.enter_context(closing(site.watch(endless.path, job=job))) for _ in range(2)]:
                clients.append(client)
                if n_before < 2:
                    client.until(0.25)
                else:
                    assert client.event()["n_ahead_in_queue"] == n_before
        server.process.terminate()
        ends = [end_of(client) for client in clients]
        server.process.wait(PROMISED_SECONDS)
        assert not endless.is_running
        assert len(endless.pids) == 2
        assert [*Path(tmp_path, "storage", ".tmp").iterdir()] == []
        assert "Traceback" not in server.output
    assert set(ends[:4]) <= {"The work queue was closed while this job ran.", "cut"}
    assert set(ends[4:]) <= {"The work queue was closed before this job began.", "cut"}
    if kind.command != FLASK:  # which does not wait for the threads that serve
        assert "cut" not in ends


def end_of(client: Client) -> str:
    """How a stream ended: the error in its last event, or "cut", of which an HTTP client knows."""
    try:
        while (event := client.event())["returncode"] is None:
            pass
        assert client.rest() == ""
    except http.client.IncompleteRead:
        return "cut"
    return str(event["error"])


def impatient(name: str) -> list[str]:
    """The server's command, with one second instead of three until it cuts what is open."""
    return ["1" if word == "3" else word for word in KINDS[name].command]


def test_an_asgi_lifespan_that_closes_the_queue_cuts_the_streams_first(endless: Endless, tmp_path: Path) -> None:
    """Servers wait for their streams before they end the lifespan, so it is their time-out that bounds both."""
    with Server(impatient("uvicorn"), tmp_path) as server, closing(Site(server.port).watch(endless.path)) as client:
        client.until(0.25)
        server.process.terminate()
        with pytest.raises(http.client.IncompleteRead):
            client.rest()
        server.process.wait(PROMISED_SECONDS)
        assert not endless.is_running


def test_hypercorn_may_wait_for_a_stream_for_as_long_as_it_lasts(endless: Endless, tmp_path: Path) -> None:
    """From Python 3.12 on, despite --graceful-timeout: `asyncio.Server.wait_closed` waits for what is open, since then.

    So it is `max_duration` that ends it, by default after 55 s; unless SIGTERM closes the queue.
    """
    with Server(impatient("hypercorn"), tmp_path) as server:
        with closing(Site(server.port).watch(endless.path, max_duration=2.0, heartbeat=0.2)) as client:
            client.until(0.25)
            server.process.terminate()
            if sys.version_info >= (3, 12):
                assert client.rest().endswith("}\n")
            else:
                with pytest.raises(http.client.IncompleteRead):
                    client.rest()
        server.process.wait(PROMISED_SECONDS)
        assert not endless.is_running


@pytest.mark.parametrize("command", [FLASK, [*WAITRESS, WSGI]], ids=["flask", "waitress"])
def test_a_server_that_just_dies_takes_its_program_with_it(
    command: list[str], endless: Endless, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Flask's own server and waitress do not look at SIGTERM."""
    with Server(command, tmp_path_factory.mktemp("site")) as server:
        with closing(Site(server.port).watch(endless.path)) as client:
            client.until(0.25)
            server.process.terminate()
            with pytest.raises(http.client.IncompleteRead):
                client.rest()
        server.process.wait(PROMISED_SECONDS)
        assert server.process.returncode == -signal.SIGTERM
        eventually(lambda: not endless.is_running)


@pytest.mark.parametrize("name", ["gunicorn gthread", "gunicorn gevent"])
def test_gunicorn_kills_a_worker_whose_stream_goes_on(
    name: str, endless: Endless, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At --graceful-timeout, so by default after 30 s; its program dies with it."""
    with Server(impatient(name), tmp_path_factory.mktemp("site")) as server:
        with closing(Site(server.port).watch(endless.path)) as client:
            client.until(0.25)
            before = time.monotonic()
            server.process.terminate()
            # The worker leaves its loop at that moment, too, and its interpreter's end is faster than SIGKILL at times.
            assert end_of(client) in ("cut", "The work queue was closed while this job ran.")
        server.process.wait(PROMISED_SECONDS)
        assert time.monotonic() - before >= 1.0
        eventually(lambda: not endless.is_running)
