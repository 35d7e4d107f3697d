"""The README's first program and server, copied out, started as it says, and watched in Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_element import has_text, wait_state
from tests.readme import block
from tests.servers.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

#: In place of the program's slow work: from this page on it waits for a file.
GATE = 38
SLOW_WORK = "time.sleep(0.1)  # your slow work"
WAIT = f"""while page > {GATE} and not __import__("os").path.exists("{{gate}}"):
            time.sleep(0.01)"""


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With both files. Not the test's own directory: a server that is killed cannot tidy up."""
    directory = tmp_path_factory.mktemp("first")
    program = block("report.py")
    assert program.count(SLOW_WORK) == 1
    (directory / "report.py").write_text(program.replace(SLOW_WORK, WAIT.format(gate=directory / "gate")))
    (directory / "app.py").write_text(block("app.py"))
    return directory


@pytest.fixture
def server(directory: Path) -> Iterator[Server]:
    with Server(["flask", "run", "--port", "0"], directory) as server:
        yield server


def test_progress_is_live_in_two_windows_and_a_third_waits(
    context: "BrowserContext", server: Server, directory: Path
) -> None:
    first, second, waiting = (context.new_page() for _ in range(3))
    address = f"http://127.0.0.1:{server.port}/"
    for page in (first, second):
        page.goto(address)
        has_text(page, "message", f"Wrote page {GATE} of 100")
        has_text(page, "percent", f"{GATE}%")
        assert not page.get_by_text("Read the report").is_visible()
    waiting.goto(address + "?name=Grace")
    has_text(waiting, "message", "1 build ahead")
    (directory / "gate").touch()
    for page in (first, second, waiting):
        wait_state(page, "done")
    first.get_by_text("Read the report").click()
    first.get_by_text("Ada, page 100").wait_for()
    assert server.output.count("POST /generate?name=Ada") == 2
    assert len([path for path in (directory / "reports").iterdir() if path.is_file()]) == 2


def test_a_result_that_is_there_is_shown_at_once(context: "BrowserContext", server: Server, directory: Path) -> None:
    (directory / "gate").touch()
    page = context.new_page()
    for _ in range(2):
        page.goto(f"http://127.0.0.1:{server.port}/?name=%3Cb%3E%26")
        wait_state(page, "done")
        has_text(page, "label", "Report for <b>&")
    page.get_by_text("Read the report").click()
    page.get_by_text("<b>&, page 100").wait_for()
