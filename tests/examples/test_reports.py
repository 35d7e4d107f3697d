"""The examples that build a report, each with the framework of its name, and with its page in a browser."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from websockets.sync.client import connect

from tests.browser.chromium import chromium
from tests.examples.example import running
from tests.servers.server import TIMEOUT, Client, Server, get

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


def events(server: Server, kind: Kind, query: str) -> Iterator[dict[str, Any]]:
    """What a client is told, to the last event or until it leaves."""
    if kind.is_websocket:
        with connect(f"ws://127.0.0.1:{server.port}{kind.generate}{query}") as socket:
            for text in iter(lambda: socket.recv(timeout=TIMEOUT), None):
                event = json.loads(text)
                yield event
                if event["returncode"] is not None:
                    return
    else:
        with closing(Client(server.port, kind.generate + query, None, Accept="application/x-ndjson")) as client:
            while True:
                event = client.event()
                yield event
                if event["returncode"] is not None:
                    return


def test_two_clients_see_one_run_while_it_goes_on(server: Server, kind: Kind) -> None:
    with closing(events(server, kind, LONG)) as first, closing(events(server, kind, LONG)) as second:
        for client in (first, second):
            event = next(event for event in client if event["message"])
            assert event["message"] == "Writing chapter 1 of 20"
            assert event["returncode"] is None


def test_a_report_is_built_and_there(server: Server, kind: Kind) -> None:
    *_, last = events(server, kind, SHORT)
    assert (last["fraction"], last["returncode"], last["error"]) == (1.0, 0, None)
    lines = get(server.port, kind.report + SHORT).splitlines()
    assert lines == [f"Chapter {i} of the report on whales" for i in range(1, 21)]
    [once_more] = events(server, kind, SHORT)
    assert once_more["returncode"] == 0


def test_what_cannot_be_built_is_refused(server: Server, kind: Kind) -> None:
    path = kind.report if kind.is_websocket else kind.generate
    with closing(Client(server.port, f"{path}?name=whales&seconds=x", None)) as client:
        assert client.response.status in {400, 422}
        assert "seconds" in client.rest()
    with closing(Client(server.port, f"{kind.report}?name=nobody&seconds=1", None)) as client:
        assert client.response.status == 404


# Of the module, and not of more: Playwright leaves its event loop running on this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as browser:
        yield browser


def test_its_page_shows_the_progress_and_then_the_report(server: Server, kind: Kind, browser: "Browser") -> None:
    address = f"http://127.0.0.1:{server.port}/"
    errors: list[str] = []
    with closing(browser.new_context()) as context:
        context.on("weberror", lambda error: errors.append(str(error.error)))
        page = context.new_page()
        page.goto(address + LONG)
        page.wait_for_function(f"{kind.shown}.includes('Writing chapter 1 of 20')")
        assert not page.locator("a").is_visible()
        page.goto(address + SHORT)
        page.locator("a").wait_for(state="visible")
        link = page.locator("a").get_attribute("href")
        assert link == kind.report + SHORT
    assert errors == []
