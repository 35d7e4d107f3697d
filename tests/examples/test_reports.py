"""The examples that build a report, each with the framework of its name, and with its page in a browser."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from websockets.sync.client import connect

from tests.examples.example import events, running
from tests.servers.server import TIMEOUT, Client, Server, get

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Takes an hour, so that it runs as long as a test does.
LONG = "?name=bees&seconds=3600"
SHORT = "?name=whales&seconds=0"


class Kind(NamedTuple):
    """Where an example answers, and how its page shows the progress."""

    generate: str
    report: str
    shown: str
    """An expression of the page's: what the bar says."""

    is_websocket: bool = False


ELEMENT = "document.querySelector('workqueue-progress').shadowRoot.textContent"

KINDS = {
    "flask": Kind("/generate", "/report", ELEMENT),
    "django-project": Kind("/generate/", "/generate/result", ELEMENT),
    "fastapi-websocket": Kind("/watch", "/report", "document.querySelector('output').value", is_websocket=True),
}


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kind(name: str) -> Kind:
    return KINDS[name]


@pytest.fixture(scope="module")
def server(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(name, tmp_path_factory.mktemp("example")) as server:
        yield server


def watched(server: Server, kind: Kind, query: str) -> Generator[dict[str, Any]]:
    """What a client is told, to the last event, or until it leaves."""
    if not kind.is_websocket:
        return events(server.port, kind.generate + query)
    return events_of_websocket(f"ws://127.0.0.1:{server.port}{kind.generate}{query}")


def events_of_websocket(url: str) -> Generator[dict[str, Any]]:
    """The same, of a websocket."""
    with connect(url) as socket:
        while True:
            event = json.loads(socket.recv(timeout=TIMEOUT))
            yield event
            if event["returncode"] is not None:
                return


def test_two_clients_see_one_run_while_it_goes_on(server: Server, kind: Kind) -> None:
    with closing(watched(server, kind, LONG)) as first, closing(watched(server, kind, LONG)) as second:
        for client in (first, second):
            event = next(event for event in client if event["message"])
            assert event["message"] == "Writing chapter 1 of 20"
            assert event["returncode"] is None


def test_a_report_is_built_and_there(server: Server, kind: Kind) -> None:
    *_, last = watched(server, kind, SHORT)
    assert (last["fraction"], last["returncode"], last["error"]) == (1.0, 0, None)
    lines = get(server.port, kind.report + SHORT).splitlines()
    assert lines == [f"Chapter {i} of the report on whales" for i in range(1, 21)]
    [once_more] = watched(server, kind, SHORT)
    assert once_more["returncode"] == 0


def test_what_cannot_be_built_is_refused(server: Server, kind: Kind) -> None:
    path = kind.report if kind.is_websocket else kind.generate
    with closing(Client(server.port, f"{path}?name=whales&seconds=x", None)) as client:
        assert client.response.status in {400, 422}
        assert "seconds" in client.rest()
    with closing(Client(server.port, f"{kind.report}?name=nobody&seconds=1", None)) as client:
        assert client.response.status == 404


def test_its_page_shows_the_progress_and_then_the_report(server: Server, kind: Kind, page: "Page") -> None:
    address = f"http://127.0.0.1:{server.port}/"
    page.goto(address + LONG)
    page.wait_for_function(f"{kind.shown}.includes('Writing chapter 1 of 20')")
    assert not page.locator("a").is_visible()
    page.goto(address + SHORT)
    page.locator("a").wait_for(state="visible")
    assert page.locator("a").get_attribute("href") == kind.report + SHORT
