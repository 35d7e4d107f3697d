"""What the README and the page about the web show of the browser's side, as it stands there."""

import gzip
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import Application, Environ, Site, StartResponse
from tests.browser.test_element import has_text, wait_state
from tests.readme import DOCS, README, block
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram
from workqueue.web import BROWSER_MODULE
from workqueue.web.wsgi import GenerateApp

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

WEB = DOCS / "web.rst"
ABOUT = "server=http%3A%2F%2Foverview&origin=http%3A%2F%2Fo&documentSetId=7&apiToken=t0ken"
TRIPLE = ["http://overview", "7", "t0ken"]

#: What a page of one's own has around the example: names for what it is about, and for what it does.
OWN_PAGE = """<!doctype html><html lang="en"><title>A page</title><progress id="bar" value="0"></progress>
<script>
  var server = "http://overview", documentSetId = "7", apiToken = "t0ken", told = null;
  function show(progress) {{ bar.value = progress.fraction; if (progress.returncode === 0) showResult(); }}
  function showResult() {{ told = "result"; }}
  function showError(error) {{ told = error; }}
</script>
<script type="module">{script}</script>"""


def noting(app: Application, requests: list[tuple[str, str]]) -> Application:
    """The application, which notes how each request was made, and how answered."""

    def noted(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]]) -> object:
            requests.append((environ["REQUEST_METHOD"], status[:3]))
            return start_response(status, headers)

        return app(environ, start)

    return noted


@pytest.mark.parametrize("source", [README, WEB], ids=["README", "web"])
def test_the_page_of_an_overview_plugin(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram, source: Path
) -> None:
    """It asks once, and for what its address says."""
    requests: list[tuple[str, str]] = []
    site = serve(noting(GenerateApp(make_queue(program.path)), requests))
    site.page("search", "<!doctype html><title>The result</title>")
    page.goto(site.page("show", "<!doctype html>" + block("show.html", source)) + "?" + ABOUT)
    has_text(page, "percent", "25%")
    has_text(page, "label", "Building the index" if source == README else "Building")
    program.release("one")
    has_text(page, "percent", "50%")
    program.release("two")
    if source == README:
        wait_state(page, "done")
    else:
        page.wait_for_url(f"**/search?{ABOUT}")
    assert program.runs[0][:3] == TRIPLE
    assert requests == [("GET", "200"), ("POST", "200")]


def test_the_page_for_parameters_of_ones_own(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    app = GenerateApp(make_queue(program.path), params=lambda fields: (fields["corpus"], fields["year"]))
    page.goto(serve(app).page("page", "<!doctype html>" + block("report.html", WEB)))
    has_text(page, "percent", "25%")
    program.release("one")
    program.release("two")
    wait_state(page, "done")
    assert program.runs[0][:2] == ["enron", "2001"]


@pytest.mark.parametrize("name", ["watch.js", "event_source.js"])
def test_a_page_that_draws_for_itself(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram, name: str
) -> None:
    site = serve(GenerateApp(make_queue(program.path)))
    page.goto(site.page("page", OWN_PAGE.format(script=block(name, WEB))))
    page.wait_for_function("bar.value === 0.25")
    program.release("one")
    page.wait_for_function("bar.value === 0.5")
    program.release("two")
    page.wait_for_function("told === 'result'")
    assert program.runs[0][:3] == TRIPLE


def test_the_module_is_as_small_as_the_readme_says() -> None:
    module = BROWSER_MODULE.read_bytes()
    found = re.search(r"no dependency; (\d+) kB, ([\d.]+) kB compressed", README.read_text())
    assert found is not None
    assert len(module) / 1000 == pytest.approx(float(found[1]), abs=0.5)
    assert len(gzip.compress(module)) / 1000 == pytest.approx(float(found[2]), abs=0.25)
