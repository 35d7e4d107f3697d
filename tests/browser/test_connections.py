"""How many streams a browser holds open: six to a host over HTTP/1.1, as many as there are over HTTP/2."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.pages import Site
from tests.browser.test_element import ELEMENT, text_of
from tests.browser.test_jobs import Counting
from tests.servers.nginx import documented, nginx
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

N_SHOWN = 10

TEXT = text_of(
    element=ELEMENT * N_SHOWN,
    script="for (const e of document.querySelectorAll('workqueue-progress')) e.request = { body: { name: 'a' } };",
)

ASK = "() => { globalThis.answered = false; fetch('/nothing').then(() => { globalThis.answered = true; }); }"


def wait_shown(page: "Page", percent: str, n: int) -> None:
    """Return when so many elements are there."""
    page.wait_for_function(
        """([percent, n]) => n === [...document.querySelectorAll("workqueue-progress")]
          .filter(({ shadowRoot }) => shadowRoot.getElementById("percent").textContent === percent).length""",
        arg=[percent, n],
    )


def test_over_http_1_whatever_comes_after_six_streams_waits(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    """Ten elements in one page are more than that bears; ten tabs, of which one is shown, are not."""
    app = Counting(make_queue(program.path))
    page.goto(serve(app).page("page", TEXT))
    wait_shown(page, "25%", 6)
    page.evaluate(ASK)
    program.release("one")
    wait_shown(page, "50%", 6)
    assert page.evaluate("[answered, document.querySelectorAll('workqueue-progress[state=starting]').length]") == [
        False,
        N_SHOWN - 6,
    ]
    app.wait_open(6)
    program.release("two")
    wait_shown(page, "100%", N_SHOWN)
    page.wait_for_function("answered")
    assert len(program.runs) == 1


def test_over_http_2_by_the_documented_nginx_nothing_waits(
    browser: "Browser", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram, tmp_path: Path
) -> None:
    app = Counting(make_queue(program.path))
    site = serve(app)
    address = site.page("page", TEXT)
    (tmp_path / "nginx").mkdir()
    port = int(site.origin.rpartition(":")[2])
    context = browser.new_context(ignore_https_errors=True)
    with nginx(tmp_path / "nginx", documented(tmp_path, port)) as [secure]:
        page = context.new_page()
        page.goto(address.replace(site.origin, f"https://127.0.0.1:{secure}"))
        wait_shown(page, "25%", N_SHOWN)
        assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        app.wait_open(N_SHOWN)
        page.evaluate(ASK)
        page.wait_for_function("answered")
        program.release("one")
        wait_shown(page, "50%", N_SHOWN)
        program.release("two")
        wait_shown(page, "100%", N_SHOWN)
        context.close()
    assert len(program.runs) == 1
