"""What the documentation shows of the browser's side, as it stands there."""

import gzip
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import Site
from tests.browser.test_element import has_text, wait_state
from tests.readme import DOCS, block
from tests.servers.server import Server
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram
from workqueue.web import BROWSER_MODULE
from workqueue.web.wsgi import GenerateApp

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

WEB = DOCS / "web.rst"
OVERVIEW = DOCS / "overview.rst"
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


def test_the_page_of_an_overview_plugin(
    page: "Page", program: ScriptedProgram, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It asks once, for what its address says, and shows what was found."""
    # Not in the test's own directory: a server that is killed cannot tidy up.
    directory = tmp_path_factory.mktemp("plugin")
    for name in ("plugin.py", "show.html"):
        (directory / name).write_text(block(name, OVERVIEW))
    (directory / "process-docset.py").symlink_to(program.path)
    with Server(["flask", "--app", "plugin", "run", "--port", "0"], directory) as server:
        page.goto(f"http://127.0.0.1:{server.port}/show?{ABOUT}")
        has_text(page, "percent", "25%")
        has_text(page, "label", "Building the index")
        program.release("one")
        has_text(page, "percent", "50%")
        program.release("two")
        wait_state(page, "done")
        page.get_by_text("the database").wait_for()
        assert program.runs[0][:3] == TRIPLE
        assert server.output.count('"POST /generate HTTP') == 1
        page.close()


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


def test_the_module_is_as_small_as_its_page_says() -> None:
    module = BROWSER_MODULE.read_bytes()
    text = " ".join((DOCS / "pages.rst").read_text().split())
    found = re.search(r"no dependency; the module has (\d+) kB, ([\d.]+) kB compressed", text)
    assert found is not None
    assert len(module) / 1000 == pytest.approx(float(found[1]), abs=0.5)
    assert len(gzip.compress(module)) / 1000 == pytest.approx(float(found[2]), abs=0.25)
