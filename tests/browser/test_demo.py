"""The demo's page, under its own strict policy: the real plugin, the real program, and the stand-in for Overview."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.browser.test_element import has_text, part
from tests.demo.conftest import PATIENCE, TOKEN, make_document_set
from workqueue import OverviewViewParams, WorkQueue
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.plugin import create_plugin
from workqueue.demo.server import listen, serving
from workqueue.demo.stage import PROGRAM

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@pytest.fixture
def queue(make_queue: Callable[..., WorkQueue], monkeypatch: pytest.MonkeyPatch) -> WorkQueue:
    # `env python3` is to find the Python that has ijson.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    return make_queue(PROGRAM)


@pytest.fixture
def serve(context: "BrowserContext") -> Iterator[Callable[[Flask], str]]:
    """Serves an app until the browser has left; its address."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app, listen("127.0.0.1", 0)))
        context.close()


@pytest.fixture
def console(page: "Page") -> list[str]:
    """What the browser complains of, such as what the policy forbids."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    return said


def address(plugin: str, overview: str, **more: str) -> str:
    query = {"server": overview, "origin": overview, "documentSetId": "7", "apiToken": TOKEN, **more}
    return f"{plugin}/show?{urlencode(query)}"


def has_summary(page: "Page", text: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#summary")).to_have_text(text, timeout=10_000)


def test_an_index_is_built_before_ones_eyes_and_searched(
    page: "Page", console: list[str], serve: Callable[[Flask], str], queue: WorkQueue
) -> None:
    batches = threading.Semaphore(0)
    overview = serve(
        create_overview_api(make_document_set(45), TOKEN, delay=0.25, wait=lambda _: batches.acquire(timeout=PATIENCE))
    )
    page.goto(address(serve(create_plugin(queue)), overview))
    for n_done in (0, 20, 40):
        has_text(page, "message", f"Indexed {n_done} of 45 documents")
        batches.release()
    page.locator("#words").wait_for()
    assert not part(page, "bar").is_visible()
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.type("word4 common")
    has_summary(page, "6 documents match “word4 common”:")
    hit = page.locator("#hits li").first
    assert hit.locator("h3").inner_text() == "Title 4"
    assert hit.locator("mark").all_inner_texts() == ["common", "word4"]
    page.fill("#words", "nowhere")
    has_summary(page, "No document matches “nowhere”.")
    assert page.locator("#hits li").count() == 0
    assert console == []


def test_a_failure_is_told_and_tried_again(page: "Page", serve: Callable[[Flask], str], queue: WorkQueue) -> None:
    overview = create_overview_api(make_document_set(45), TOKEN, truncate_after=10)
    page.goto(address(serve(create_plugin(queue)), serve(overview)))
    has_text(page, "title", "The index could not be built")
    has_text(page, "reason", "Overview's answer broke off before its end, or is not JSON")
    overview.wsgi_app = create_overview_api(make_document_set(45), TOKEN).wsgi_app
    page.get_by_role("button", name="Try again").click()
    page.locator("#words").wait_for()


def test_who_may_not_and_who_does_not_say_what_is_told_so(
    page: "Page", serve: Callable[[Flask], str], queue: WorkQueue
) -> None:
    plugin = serve(create_plugin(queue))
    page.goto(address(plugin, serve(create_overview_api(make_document_set(1), TOKEN)), apiToken="wrong0secret"))
    has_text(page, "reason", "Overview does not know this API token")
    page.goto(f"{plugin}/show?documentSetId=7")
    assert page.get_by_role("alert").inner_text().startswith("Overview opens this page")
    assert page.locator("workqueue-progress").get_attribute("state") == "idle"


def test_an_index_that_is_gone_is_built_again(page: "Page", serve: Callable[[Flask], str], queue: WorkQueue) -> None:
    overview = serve(create_overview_api(make_document_set(45), TOKEN))
    page.goto(address(serve(create_plugin(queue)), overview))
    page.locator("#words").wait_for()
    queue.destination_path_for_params(OverviewViewParams(overview, "7", TOKEN)).unlink()
    page.locator("#progress").evaluate("e => e.addEventListener('done', () => e.classList.add('again'))")
    page.fill("#words", "word44")
    page.locator("#progress.again").wait_for(state="attached")
    # The box went while the index was built, and is back with the words in it.
    page.locator("#words").press("Enter")
    has_summary(page, "1 document matches “word44”:")
    assert queue.destination_path_for_params(OverviewViewParams(overview, "7", TOKEN)).exists()
