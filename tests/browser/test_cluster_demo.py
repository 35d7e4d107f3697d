"""The page of `workqueue demo --cluster`: the cluster's processes beside the build, and buttons that kill them."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_demo import console
from tests.browser.test_element import part
from tests.demo.cluster_demo import ALL, ClusterDemo

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

__all__ = ["console"]  # a fixture

#: Milliseconds for a run to begin elsewhere, or for anything else, on a slow machine.
SLOW = 20_000


@pytest.fixture
def demo(context: "BrowserContext", tmp_path: Path) -> Iterator[ClusterDemo]:
    with ClusterDemo(tmp_path) as demo:
        yield demo
        context.close()


def says(place: "Locator", words: "str | re.Pattern[str]") -> None:
    """This is there to be read, or comes to be."""
    from playwright.sync_api import expect

    expect(place).to_contain_text(words, timeout=SLOW)


def entry(page: "Page", title: str) -> "Locator":
    return page.get_by_role("listitem").filter(has_text=title)


def test_a_person_kills_a_worker_and_a_server_and_sees_the_build_succeed(
    page: "Page", console: list[str], demo: ClusterDemo
) -> None:
    from playwright.sync_api import expect

    page.goto(demo.page)
    says(part(page, "message"), "Indexed 20 of 45 documents")
    expect(page.locator("#nodes strong")).to_have_text(
        ["NATS server 1", "NATS server 2", "NATS server 3", "Worker 1", "Worker 2"], timeout=SLOW
    )
    builds = page.get_by_role("listitem").filter(has_text="building")
    expect(builds).to_have_count(1, timeout=SLOW)
    title = builds.locator("strong").inner_text()
    other = {"Worker 1": "Worker 2", "Worker 2": "Worker 1"}[title]
    page.get_by_role("button", name=f"Kill {title}").click()
    says(entry(page, title), "dead")
    page.get_by_role("button", name="Kill NATS server 2").click()
    says(entry(page, "NATS server 2"), "dead")
    says(entry(page, other), "building")
    says(part(page, "message"), "Indexed 0 of 45 documents")
    page.get_by_role("button", name=f"Start again {title}").click()
    says(entry(page, title), re.compile(r"process \d+"))
    demo.batches.release(ALL)
    page.locator("#words").wait_for()
    demo.hold()
    page.get_by_role("button", name="Build it again").click()
    says(part(page, "message"), "Indexed 0 of 45 documents")
    demo.batches.release(ALL)
    page.locator("#words").wait_for()
    assert console == []


def test_a_demo_that_has_ended_is_told(page: "Page", demo: ClusterDemo) -> None:
    demo.batches.release(ALL)
    page.goto(demo.page)
    page.locator("#words").wait_for()
    demo.end(signal.SIGTERM)
    says(page.locator("#trouble"), "The demo does not answer.")
