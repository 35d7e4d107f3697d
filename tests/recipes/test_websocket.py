"""Each recipe that sends through a WebSocket, served by the server that the documentation names."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from tests.recipes.recipe import GUNICORN, UVICORN, Served, served
from tests.recipes.spy import close_queue, wait_for_no_watchers
from tests.servers.server import TIMEOUT

RECIPES = {
    "websocket_starlette.py": [*UVICORN, "websocket_starlette:app"],
    "websocket_server.py": ["websocket_server"],
    "websocket_flask.py": [*GUNICORN, "websocket_flask:app"],
}


@pytest.fixture(params=RECIPES, scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(request.param, RECIPES[request.param], tmp_path_factory.mktemp("recipe")) as server:
        yield server


def watch(server: Served, query: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/watch?{query}")


def query(number: int) -> str:
    return f"server=http://localhost&documentSetId={number}&apiToken=token"


def event(socket: ClientConnection) -> dict[str, Any]:
    event = json.loads(socket.recv(timeout=TIMEOUT))
    assert isinstance(event, dict)
    return event


def until(socket: ClientConnection, fraction: float) -> dict[str, Any]:
    """Read on to the first event at this fraction."""
    while (found := event(socket))["fraction"] != fraction:
        pass
    return found


def assert_closed(socket: ClientConnection) -> None:
    with pytest.raises(ConnectionClosedOK):
        socket.recv(timeout=TIMEOUT)


def test_events_come_one_by_one_to_all_who_watch_one_run(server: Served) -> None:
    with watch(server, query(1)) as first, watch(server, query(1)) as second:
        for socket in (first, second):
            assert until(socket, 0.25)["message"] == "one"
        server.program.release("one")
        for socket in (first, second):
            assert until(socket, 0.5)["message"] == "two"
        server.program.release("two")
        for socket in (first, second):
            assert until(socket, 1.0)["returncode"] == 0
            assert_closed(socket)
    wait_for_no_watchers(server.directory)
    assert len(server.program.runs) == 1
    with watch(server, query(1)) as socket:
        assert event(socket)["returncode"] == 0
        assert_closed(socket)
    assert len(server.program.runs) == 1


@pytest.mark.parametrize("politely", [True, False], ids=["with a word", "without a word"])
def test_who_left_is_noticed_at_once_and_comes_back(server: Served, politely: bool) -> None:
    number = 2 if politely else 3
    n_before = len(server.program.runs)
    with watch(server, query(number)) as socket:
        until(socket, 0.25)
        if not politely:
            socket.close_socket()
    wait_for_no_watchers(server.directory)  # without an event or a heartbeat
    with watch(server, query(number)) as socket:
        assert event(socket)["fraction"] == 0.25
        server.program.release("one")
        until(socket, 0.5)
        server.program.release("two")
        assert until(socket, 1.0)["returncode"] == 0
        assert_closed(socket)
    wait_for_no_watchers(server.directory)
    assert len(server.program.runs) == n_before + 1


def test_what_cannot_be_is_refused(server: Served) -> None:
    refused = {
        "server=ftp://x&documentSetId=1&apiToken=token": "http:// or https:// URL",
        "documentSetId=1&apiToken=token": "server is missing",
        "server=http://localhost&documentSetId=1": "API token is missing",
    }
    n_before = len(server.program.runs)
    for wrong, reason in refused.items():
        with watch(server, wrong) as socket:
            last = event(socket)
            assert (last["returncode"], last["fraction"]) == (1, 1.0)
            assert reason in last["error"]
            assert_closed(socket)
    close_queue(server.directory)
    with watch(server, query(4)) as socket:
        assert "queue was closed" in event(socket)["error"]
        assert_closed(socket)
    assert len(server.program.runs) == n_before
