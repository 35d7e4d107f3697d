"""Oboe.js 2.1.7, which pages written for 1.0.1 use, reads what the README's plugin sends."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.readme import block
from tests.servers.server import Server
from tests.tools import missing
from workqueue.testing import ScriptedProgram

if TYPE_CHECKING:
    from playwright.sync_api import Page

READ = """([url, authorization]) => {
  globalThis.log = { events: [], end: null };
  const body = "server=http%3A%2F%2Flocalhost&documentSetId=1";
  const headers = { Authorization: authorization, "Content-Type": "application/x-www-form-urlencoded" };
  oboe({ url, method: "POST", headers, body })
    .node("![*]", (event) => {
      log.events.push(event);
      return oboe.drop;
    })
    .done(() => { log.end = "done"; })
    .fail(({ statusCode, thrown }) => { log.end = `failed: ${statusCode} ${thrown}`; });
}"""


@pytest.fixture(scope="session")
def oboe() -> str:
    """Its text: it is others' work, so it is not in this repository."""
    path = os.environ.get("WORKQUEUE_TEST_OBOE")
    if not path:
        missing("WORKQUEUE_TEST_OBOE is not set: npm pack oboe@2.1.7, and name package/dist/oboe-browser.min.js in it")
    return Path(path).read_text()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, program: ScriptedProgram) -> Iterator[Server]:
    # Not in the test's own directory: a server that is killed cannot tidy up.
    directory = tmp_path_factory.mktemp("plugin")
    (directory / "plugin.py").write_text(block("plugin.py"))
    (directory / "process-docset.py").symlink_to(program.path)
    with Server(["flask", "--app", "plugin", "run", "--port", "0"], directory) as server:
        yield server


def open_page(page: "Page", oboe: str, server: Server) -> None:
    page.route("**/page", lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
    page.goto(f"http://127.0.0.1:{server.port}/page")
    page.add_script_tag(content=oboe)
    page.evaluate(READ, ["/generate", "Basic dG9rZW46eC1hdXRoLXRva2Vu"])


def test_oboe_is_told_of_a_connection_that_was_cut(
    page: "Page", oboe: str, server: Server, program: ScriptedProgram
) -> None:
    """And does not take it for the end: the array was not closed."""
    open_page(page, oboe, server)
    page.wait_for_function("log.events.at(-1)?.fraction === 0.25")
    server.process.kill()
    page.wait_for_function("log.end !== null")
    assert page.evaluate("log.end").startswith("failed: ")
    assert page.evaluate("log.events.at(-1).returncode") is None
    page.close()


def test_oboe_sees_each_event_before_the_next_is_printed(
    page: "Page", oboe: str, server: Server, program: ScriptedProgram
) -> None:
    open_page(page, oboe, server)
    page.wait_for_function("log.events.at(-1)?.fraction === 0.25")
    assert page.evaluate("[log.events.at(-1).message, log.end]") == ["one", None]
    program.release("one")
    page.wait_for_function("log.events.at(-1).fraction === 0.5")
    program.release("two")
    page.wait_for_function("log.end !== null")
    assert page.evaluate("[log.events.at(-1).returncode, log.end]") == [0, "done"]

    page.evaluate(READ, ["/generate", "Basic dG9rZW46eC1hdXRoLXRva2Vu"])
    page.wait_for_function("log.end !== null")
    assert page.evaluate("[log.events.length, log.end]") == [0, "done"]
    page.close()
