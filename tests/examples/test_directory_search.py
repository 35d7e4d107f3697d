"""The example whose result is a directory."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.example import events, running
from tests.servers.server import Client, Server, get

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("directory-search", tmp_path_factory.mktemp("example")) as server:
        yield server


def status(server: Server, path: str) -> int:
    with closing(Client(server.port, path, None)) as client:
        return client.response.status


def test_an_index_is_built_and_searched(server: Server) -> None:
    assert status(server, "/search?package=json&word=decoder") == 404
    *_, last = events(server.port, "/generate?package=json")
    assert (last["returncode"], last["error"]) == (0, None)
    lines = json.loads(get(server.port, "/search?package=json&word=Decoder"))["lines"]
    source = Path(json.__file__).parent
    assert ["__init__.py", "from .decoder import JSONDecoder, JSONDecodeError"] in [
        [file, text] for file, _, text in lines
    ]
    for file, number, text in lines:
        assert (source / file).read_text().splitlines()[number - 1].strip() == text
    assert json.loads(get(server.port, "/search?package=json&word=zzz")) == {"lines": []}


def test_what_cannot_be_indexed_or_searched_is_told(server: Server) -> None:
    *_, last = events(server.port, "/generate?package=nosuchpackage")
    assert last["returncode"] != 0
    assert "There is no package 'nosuchpackage'" in last["error"]
    assert status(server, "/generate?package=../etc") == 400
    for word in ("", "..", "a/b"):
        assert status(server, f"/search?package=json&word={word}") == 400
    assert status(server, "/search?package=../etc&word=a") == 404


def test_its_page_searches_when_the_index_is_there(server: Server, page: "Page") -> None:
    page.goto(f"http://127.0.0.1:{server.port}/?package=json")
    page.locator("input").wait_for(state="visible")
    page.locator("input").fill("decoder")
    page.locator("button").first.click()
    page.locator("li", has_text="from .decoder import JSONDecoder").wait_for()
