"""The browser of these tests, or the reason why there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.tools import find_program, missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    # Nothing leaves this machine, whatever a page or the browser itself would like to have.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@contextmanager
def chromium(**options: Any) -> Iterator["Browser"]:
    """Start the system's Chromium, without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("no Playwright: pip install playwright")
    path = find_program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=_ARGUMENTS, **options)
        try:
            yield browser
        finally:
            browser.close()
