"""docs/tutorial.rst in a browser: what each of its steps says is seen."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guide.walk import Folder, server
from tests.servers.server import TIMEOUT, Server

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.allow(20)


def opened(context: "BrowserContext", port: int, name: str) -> "Page":
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/?name={name}")
    return page


def sees(page: "Page", text: str) -> None:
    page.get_by_text(text, exact=True).wait_for()


def test_what_the_tutorial_says_is_seen(context: "BrowserContext", folder: Folder) -> None:
    with Server(server("gunicorn"), folder.path) as gunicorn:
        port = gunicorn.port
        pages = [opened(context, port, "moon"), opened(context, port, "moon")]
        folder.allow(7)
        for page in pages:
            sees(page, "Wrote page 7 of 20")
            sees(page, "35%")
        pages.append(opened(context, port, "rain"))
        sees(pages[-1], "Wrote page 7 of 20")
        pages.append(opened(context, port, "wind"))
        sees(pages[-1], "2 builds ahead")
        folder.allow(20)
        for page in pages:
            sees(page, "Done")
        folder.allow(0)
        pages[0].get_by_role("link", name="Read the report").click()
        assert pages[0].inner_text("body").splitlines()[:2] == ["Page 1 about moon", "Page 2 about moon"]
        sees(opened(context, port, "moon"), "Done")

        folder.run("fail")
        page = opened(context, port, "volcanoes")
        sees(page, "The build failed")
        sees(page, "The printer is out of paper")
        folder.run("again")
        page.get_by_role("button", name="Try again").click()
        folder.allow(3)
        sees(page, "Wrote page 3 of 20")
        gunicorn.process.send_signal(signal.SIGINT)
        gunicorn.process.wait(TIMEOUT)
    # The page that heard of its job's end says so; one whose connection was cut first comes back by itself.
    again = page.get_by_role("button", name="Try again")
    again.or_(page.get_by_text("Connection lost. Reconnecting…")).first.wait_for()
    with Server(server("gunicorn", port), folder.path):
        if again.is_visible():
            sees(page, "The work queue was closed while this job ran.")
            again.click()
        folder.allow(20)
        sees(page, "Done")
        sees(opened(context, port, "moon"), "Done")
