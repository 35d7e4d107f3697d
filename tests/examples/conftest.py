"""A browser for these tests, and pages that may throw nothing."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Of the module, and not of more: Playwright leaves its event loop running on this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    errors: list[str] = []
    with closing(browser.new_context()) as context:
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context.new_page()
    assert errors == []
