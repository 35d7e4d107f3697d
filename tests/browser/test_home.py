"""The demo's page at `/`: a line before one's eyes, and what a person can do about it."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_demo import console
from tests.demo.library_demo import LibraryDemo, library_demo

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

__all__ = ["console"]  # a fixture

#: Milliseconds for a program to start or to end, or for anything else, on a slow machine.
SLOW = 20_000


@pytest.fixture
def demo(context: "BrowserContext") -> Iterator[LibraryDemo]:
    with library_demo() as demo:
        yield demo
        context.close()


@pytest.fixture
def home(page: "Page", demo: LibraryDemo) -> "Page":
    page.set_default_timeout(SLOW)
    page.goto(f"{demo.url}/")
    return page


def card(page: "Page", title: str) -> "Locator":
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=title))


def says(page: "Page", title: str, words: "str | re.Pattern[str]") -> None:
    """This is to be read in that card, or comes to be."""
    from playwright.sync_api import expect

    expect(card(page, title).locator("[part=box]")).to_contain_text(words, timeout=SLOW)


def explains(page: "Page", title: str, words: str) -> None:
    from playwright.sync_api import expect

    expect(card(page, title).locator(".why")).to_contain_text(words, timeout=SLOW)


def press(page: "Page", name: "str | re.Pattern[str]") -> None:
    page.get_by_role("button", name=name).click()


def focused(page: "Page") -> str:
    return str(page.evaluate("document.activeElement.textContent"))


def test_all_are_built_in_line_followed_in_a_second_window_and_searched(
    home: "Page", console: list[str], demo: LibraryDemo
) -> None:
    from playwright.sync_api import expect

    press(home, "Build all")
    for title in ("Alpha", "Beta"):
        says(home, title, "Indexed 0 of 40 documents")
    says(home, "Gamma", "2 builds ahead")
    says(home, "Delta", "3 builds ahead")
    explains(home, "Gamma", "All slots are taken")
    explains(home, "Alpha", "The program prints how far it is")
    with home.expect_popup() as popup:
        home.get_by_role("link", name="Open in a second window Gamma").click()
    second = popup.value
    expect(second.locator("[part=message]")).to_contain_text("2 builds ahead", timeout=SLOW)
    demo.gates.open("1", 1)
    says(home, "Alpha", "Indexed 20 of 40 documents")
    demo.gates.open("1", 1)
    says(home, "Alpha", "Done")
    explains(home, "Alpha", "The index is kept")
    says(home, "Gamma", "Indexed 0 of 40 documents")
    expect(second.locator("[part=message]")).to_contain_text("Indexed 0 of 40 documents", timeout=SLOW)
    says(home, "Delta", "2 builds ahead")
    for number in "234":
        demo.gates.open(number)
    second.locator("#words").wait_for(timeout=SLOW)
    says(home, "Delta", "Overview's answer broke off before its end")
    explains(home, "Delta", "Its exit status was not 0")
    card(home, "Delta").get_by_role("button", name="Try again").click()
    says(home, "Delta", "Done")
    for title in ("Beta", "Gamma"):
        says(home, title, "Done")
    alpha = card(home, "Alpha")
    alpha.get_by_role("button", name="alpha word7").click()
    expect(alpha.locator(".summary")).to_have_text("1 document matches “alpha word7”:", timeout=SLOW)
    expect(alpha.locator(".hits h3")).to_have_text(["Alpha 7"])
    alpha.get_by_role("button", name="common").click()
    expect(alpha.locator(".summary")).to_have_text("40 documents match “common”; the best 3:", timeout=SLOW)
    assert alpha.get_by_role("searchbox").input_value() == "common"
    assert console == []


def test_a_build_that_waits_is_cancelled_and_one_that_runs_and_both_are_built(
    home: "Page", console: list[str], demo: LibraryDemo
) -> None:
    press(home, "Build all")
    says(home, "Gamma", "2 builds ahead")
    press(home, "Cancel Gamma")
    says(home, "Gamma", "Cancelled")
    says(home, "Alpha", "Indexed 0 of 40 documents")
    press(home, "Cancel Alpha")
    says(home, "Alpha", "Cancelled")
    explains(home, "Alpha", "nothing half built is kept")
    for number in "1234":
        demo.gates.open(number)
    for title in ("Alpha", "Gamma"):
        card(home, title).get_by_role("button", name="Try again").click()
        says(home, title, "Done")
    assert console == []


def test_a_program_is_killed_and_the_set_built_again(home: "Page", console: list[str], demo: LibraryDemo) -> None:
    press(home, "Build Beta")
    kill = home.get_by_role("button", name=re.compile(r"Kill process \d+ Beta"))
    kill.wait_for(timeout=SLOW)
    assert f"Kill process {demo.runs('2')}" in kill.inner_text()
    kill.click()
    says(home, "Beta", "The program was killed")
    explains(home, "Beta", "Nothing half built is kept")
    card(home, "Beta").get_by_role("button", name="Try again").click()
    says(home, "Beta", "Indexed 0 of 40 documents")
    demo.gates.open("2")
    says(home, "Beta", "Done")
    assert console == []


def test_with_the_keyboard_alone(home: "Page", demo: LibraryDemo) -> None:
    from playwright.sync_api import expect

    home.keyboard.press("Tab")
    assert focused(home) == "Build all"
    for _ in range(2):
        home.keyboard.press("Tab")
    assert focused(home) == "Build"
    home.keyboard.press("Enter")
    # The button has gone; the focus is where it was, not at the top of the page, nor on another button.
    assert focused(home) == "Alpha"
    says(home, "Alpha", "Indexed 0 of 40 documents")
    home.keyboard.press("Tab")
    assert focused(home) == "Cancel"
    home.keyboard.press("Enter")
    says(home, "Alpha", "Cancelled")
    assert focused(home) == "Alpha"
    demo.gates.open("1")
    home.keyboard.press("Tab")  # Try again
    home.keyboard.press("Enter")
    says(home, "Alpha", "Done")
    search = card(home, "Alpha").get_by_role("searchbox", name="Words to find in Alpha")
    search.focus()
    home.keyboard.type("word39")
    home.keyboard.press("Enter")
    expect(card(home, "Alpha").locator(".hits h3")).to_have_text(["Alpha 39"], timeout=SLOW)


def test_what_one_window_does_is_seen_in_another_and_after_a_reload(
    home: "Page", context: "BrowserContext", demo: LibraryDemo
) -> None:
    other = context.new_page()
    other.goto(f"{demo.url}/")
    press(home, "Build Alpha")
    says(other, "Alpha", "Indexed 0 of 40 documents")
    demo.gates.open("1")
    says(other, "Alpha", "Done")
    other.reload()
    says(other, "Alpha", "Done")
    press(home, "Build all")
    says(other, "Delta", "2 builds ahead")
    press(other, "Start over")
    for page in (home, other):
        for title in ("Alpha", "Beta", "Delta"):
            page.get_by_role("button", name=f"Build {title}").wait_for(timeout=SLOW)


def test_a_narrow_window_and_a_wide_one(home: "Page", demo: LibraryDemo) -> None:
    press(home, "Build all")
    says(home, "Delta", "3 builds ahead")
    for width in (320, 1280):
        home.set_viewport_size({"width": width, "height": 800})
        assert home.evaluate("document.documentElement.scrollWidth") == width


def test_a_demo_that_has_ended_is_told(page: "Page") -> None:
    from playwright.sync_api import expect

    with library_demo() as demo:
        page.goto(f"{demo.url}/")
        page.get_by_role("button", name="Build Alpha").wait_for()
    expect(page.locator("#trouble")).to_contain_text("The demo does not answer", timeout=SLOW)
    page.context.close()
