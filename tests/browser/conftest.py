"""A browser for all these tests; a context, with what a page logged, for each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import chromium
from tests.browser.pages import Answer, Script, Site, serving
from workqueue.testing import ScriptedProgram, output, say, wait

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

#: Milliseconds that a page may take to show what it is to show.
PATIENCE = 15_000

#: Tabs in a browser without windows are all shown. `hide(true)` hides this one, as switching to another would.
HIDE = """
{
  let hidden = location.hash === "#hidden";
  // Configurable, since a window that a link opens runs this twice.
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
  globalThis.hide = (value) => {
    hidden = value;
    document.dispatchEvent(new Event("visibilitychange"));
  };
}
"""


# Not of the session: Playwright leaves its event loop running on this thread, where other tests want one of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    """A profile of its own, whose pages may throw nothing that they do not catch."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    context.add_init_script(HIDE)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def page(context: "BrowserContext") -> "Page":
    return context.new_page()


@pytest.fixture
def serve(context: "BrowserContext") -> Iterator[Callable[..., Site]]:
    """Serves an application, or a `Script` of some answers; until the browser has left."""
    with ExitStack() as stack:
        yield lambda *answers: stack.enter_context(
            serving(Script(*answers) if isinstance(answers[0], Answer) else answers[0])
        )
        context.close()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    """Stands at 0.25, then at 0.5, then ends, each time when it is told to go on."""
    steps = say(0.25, "one"), wait("one"), say(0.5, "two"), wait("two"), output(b"the database")
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        yield program
