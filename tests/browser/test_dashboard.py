"""The operators' page, as a person uses it: with a mouse, with keys alone, on a phone, and while its server is away."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages import Environ, Site, StartResponse, serving
from tests.conftest import ensure, write_program
from workqueue import Job, WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram
from workqueue.web.wsgi import DashboardApp

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

#: Where the site has its application; the page finds all else beside it.
AT = "/generate/dashboard/"

#: The narrowest phone.
NARROW = {"width": 320, "height": 640}


class Server:
    """A dashboard whose server can be away, and whose operators can lose their rights."""

    def __init__(self, queue: WorkQueue, **options: Any) -> None:
        self.is_away = False
        self.is_allowed = True
        self.posts: list[tuple[str, str]] = []
        # Short streams: a server that is away is noticed when the page comes back.
        options = {"heartbeat": 0.1, "max_duration": 0.3, **options}
        self._app = DashboardApp(queue, authorize_operator=lambda _: self.is_allowed, **options)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self.is_away:
            start_response("502 Bad Gateway", [("Content-Type", "text/html")])  # as a proxy says it
            return [b"<h1>502</h1>"]

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if environ["REQUEST_METHOD"] == "POST":
                self.posts.append((status, environ["PATH_INFO"]))
            return start_response(status, headers)

        return self._app(environ, start)


@pytest.fixture
def console(context: "BrowserContext") -> Iterator[list[str]]:
    """What the pages logged; a violation of a policy is logged."""
    logged: list[str] = []
    context.on("console", lambda message: logged.append(message.text))
    return logged


def open_page(page: "Page", serve: Serve, server: Server) -> str:
    """Show the page, until it is live; where it is."""
    address = serve(server).origin + AT
    page.goto(address)
    wait_connection(page, "live")
    return address


def wait_connection(page: "Page", state: str) -> None:
    page.wait_for_selector(f"#connection[data-state={state}]")


def row_of(page: "Page", job: Job) -> "Locator":
    """The row of a job that runs or waits."""
    return page.get_by_role("row").filter(has=page.get_by_role("button", name=f"Cancel job {job.key[:10]}"))


# Playwright's `wait_for_function` would have the page evaluate a string, which the policy forbids.
def wait_text(locator: "Locator", text: str) -> None:
    """Return when the element has this text in it."""
    locator.filter(has_text=text).first.wait_for()


def focused(page: "Page") -> str:
    """The accessible name of what has the focus, or its text."""
    return str(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))


def tab_to(page: "Page", name: str) -> None:
    """Press Tab until this has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused(page).startswith(name):
            return
    pytest.fail(f"{name!r} is not reached by Tab")


def test_a_job_is_seen_as_it_goes_and_the_policy_holds(
    page: "Page", console: list[str], serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path)
    job = ensure(queue, "secret-of-a")
    program.wait_reached("one")
    open_page(page, serve, Server(queue, title="Sets"))
    row = row_of(page, job)
    wait_text(row, "25 %")
    wait_text(row, "one")
    bar = row.get_by_role("progressbar", name=f"Progress of job {job.key[:10]}")
    assert bar.evaluate("bar => bar.value") == 0.25
    program.release("one")
    wait_text(row, "50 %")
    assert bar.evaluate("bar => bar.value") == 0.5
    assert page.locator("#count-running").text_content() == "1"
    program.release("two")
    wait_text(page.get_by_role("table").filter(has_text="Outcome"), "Succeeded")
    page.get_by_text("Nothing runs, and nothing waits.").wait_for()
    assert page.locator("#count-succeeded").text_content() == "1"
    assert "secret" not in page.content()
    assert page.title() == "Sets"
    assert console == []


def test_a_job_that_waits_is_shown_with_its_place(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=1)
    ensure(queue, "a")
    program.wait_reached("one")
    job = ensure(queue, "b")
    open_page(page, serve, Server(queue))
    wait_text(row_of(page, job), "Waiting, 1 ahead")
    wait_text(page.locator("#count-limit"), "of 1")
    queue.close(0)
    wait_text(page.locator("#count-waiting"), "0")


def test_a_job_is_cancelled(page: "Page", console: list[str], serve: Serve, queue: WorkQueue) -> None:
    job = ensure(queue, "a")
    server = Server(queue)
    open_page(page, serve, server)
    row_of(page, job).get_by_role("button").click()
    page.get_by_role("button", name="Keep it").click()
    assert server.posts == []
    row_of(page, job).get_by_role("button").click()
    page.get_by_role("dialog").get_by_text(job.key).wait_for()
    page.get_by_role("button", name="Cancel the job").click()
    wait_text(page.get_by_role("status"), "is being cancelled")
    assert job.wait().returncode == -998
    row_of(page, job).wait_for(state="detached")
    assert server.posts == [("200 OK", f"{AT}cancel")]
    assert console == []


def test_keys_alone_will_do(page: "Page", serve: Serve, queue: WorkQueue, engine: ManualEngine) -> None:
    """And the focus stays where it is while rows come and go."""
    first, second = ensure(queue, "a"), ensure(queue, "b")
    open_page(page, serve, Server(queue))
    row_of(page, second).wait_for()
    tab_to(page, f"Cancel job {second.key[:10]}")
    engine.start(first)
    engine.succeed(first)
    row_of(page, first).wait_for(state="detached")
    assert focused(page).startswith(f"Cancel job {second.key[:10]}")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    assert focused(page) == "Keep it"
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert focused(page).startswith(f"Cancel job {second.key[:10]}")
    page.keyboard.press("Enter")
    tab_to(page, "Cancel the job")
    page.keyboard.press("Enter")
    assert second.wait().returncode == -998
    row_of(page, second).wait_for(state="detached")
    # The row is gone; the focus is beside it, not at the page's beginning.
    page.locator("#jobs-title:focus").wait_for()


def test_what_a_failed_job_wrote_to_stderr_is_shown_as_it_is(
    page: "Page", console: list[str], serve: Serve, make_queue: MakeQueue, tmp_path: Path
) -> None:
    text = 'printf "<img src=x onerror=alert(1)>\\n  no such set\\n" >&2; exit 3'
    queue = make_queue(write_program(tmp_path / "program", text))
    job = ensure(queue, "a")
    job.wait()
    open_page(page, serve, Server(queue))
    button = page.get_by_role("button", name=f"Show stderr of job {job.key[:10]}")
    button.wait_for()
    wait_text(page.get_by_role("row"), "✗ Failed, exit 3")
    button.focus()
    page.keyboard.press("Enter")
    shown = page.locator("#stderr-text")
    wait_text(shown, "no such set")
    assert shown.text_content() == "<img src=x onerror=alert(1)>\n  no such set\n"
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert focused(page).startswith("Show stderr")
    assert console == []


def test_those_that_failed_can_be_found(page: "Page", serve: Serve, make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", 'test "$1" = good && echo x > "$output"'))
    good, bad = ensure(queue, "good"), ensure(queue, "bad")
    good.wait()
    bad.wait()
    open_page(page, serve, Server(queue))
    rows = page.locator("#ends tbody tr")
    rows.nth(1).wait_for()
    page.get_by_label("Failed only").check()
    assert rows.count() == 1
    assert bad.key[:10] in (rows.text_content() or "")
    wait_text(page.locator("#plot-failures-text"), "1 of 2 jobs that ended failed")


def test_another_sites_page_cancels_nothing(
    page: "Page", browser: "Browser", serve: Serve, queue: WorkQueue, engine: ManualEngine
) -> None:
    """Another port is another origin, though cookies, which know no ports, are sent there."""
    job = ensure(queue, "a")
    server = Server(queue)
    address = open_page(page, serve, server)
    assert [cookie["sameSite"] for cookie in page.context.cookies()] == ["Strict"]
    page.goto(serve(server).page("other", "<!doctype html><title>Another origin</title><form method=post></form>"))
    outcome = page.evaluate(
        """async ([url, key]) => {
          const body = JSON.stringify({ key });
          const options = { method: "POST", credentials: "include", body };
          const simple = await fetch(url, { ...options, mode: "no-cors" }).then(() => "told", () => "not told");
          const headers = { "Content-Type": "application/json", "X-Workqueue-Token": "0".repeat(32) };
          const whole = await fetch(url, { ...options, headers }).then(() => "told", () => "not told");
          return [simple, whole];
        }""",
        [f"{address}cancel", job.key],
    )
    assert outcome == ["not told", "not told"]
    page.evaluate("url => Object.assign(document.forms[0], { action: url }).submit()", f"{address}cancel")
    page.wait_for_url(f"{address}cancel")
    # What a simple request and a form may send; the other one was not allowed to be sent.
    assert [status[:3] for status, _ in server.posts] == ["415", "415"]
    assert not job.state.is_final


def test_it_says_when_a_proxy_has_no_server_and_comes_back(
    page: "Page", serve: Serve, queue: WorkQueue, engine: ManualEngine
) -> None:
    server = Server(queue)
    open_page(page, serve, server)
    server.is_away = True
    wait_connection(page, "lost")
    wait_text(page.get_by_role("status"), "Connection lost")
    job = ensure(queue, "a")
    server.is_away = False
    wait_connection(page, "live")
    row_of(page, job).wait_for()


def test_it_says_when_the_server_has_gone_and_finds_the_next_one(page: "Page", queue: WorkQueue) -> None:
    server = Server(queue)
    with serving(server) as site:
        address = site.origin + AT
        page.goto(address)
        wait_connection(page, "live")
    wait_connection(page, "lost")
    job = ensure(queue, "a")
    with serving(server, int(site.origin.rpartition(":")[2])):
        wait_connection(page, "live")
        row_of(page, job).wait_for()
        page.close()


def test_who_may_no_longer_see_it_is_told_so(page: "Page", serve: Serve, queue: WorkQueue) -> None:
    job = ensure(queue, "a")
    server = Server(queue)
    open_page(page, serve, server)
    row_of(page, job).wait_for()
    server.is_allowed = False
    wait_connection(page, "refused")
    row_of(page, job).get_by_role("button").click()
    page.get_by_role("button", name="Cancel the job").click()
    wait_text(page.get_by_role("alert"), "this is for the operators of the queue")
    assert not job.state.is_final


def test_of_two_thousand_jobs_the_first_are_shown(page: "Page", serve: Serve, queue: WorkQueue) -> None:
    for i in range(2000):
        ensure(queue, str(i))
    open_page(page, serve, Server(queue))
    page.get_by_text("The first 100 of 2,000 jobs").wait_for()
    assert page.locator("#jobs tbody tr").count() == 100
    assert page.locator("#count-waiting").text_content() == "2,000"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_the_dark_too(
    browser: "Browser", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram, scheme: Any
) -> None:
    queue = make_queue(program.path, max_running=1, tenant=lambda params: params[0])
    job = ensure(queue, "a")
    program.wait_reached("one")
    ensure(queue, "b")
    address = serve(Server(queue)).origin + AT
    context = browser.new_context(viewport=NARROW, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(address)
    row_of(page, job).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    red, *_ = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red < 64) == (scheme == "dark")
    # Cards are still rows and cells to a screen reader, and each bar has a name.
    assert page.get_by_role("table", name="2 jobs that run or wait").get_by_role("row").count() == 3
    assert row_of(page, job).get_by_role("cell").count() == 6
    for image in page.get_by_role("img").all():
        assert image.evaluate(
            "image => image.getAttribute('aria-labelledby').split(' ').every(id => "
            "document.getElementById(id).textContent)"
        )
    context.close()
    queue.close(0)


def test_a_page_that_is_hidden_holds_no_connection(page: "Page", serve: Serve, queue: WorkQueue) -> None:
    """A browser has six of them for a host."""
    page.clock.install()
    open_page(page, serve, Server(queue))
    page.evaluate("hide(true)")
    page.clock.run_for(11_000)
    job = ensure(queue, "a")
    assert row_of(page, job).count() == 0
    page.evaluate("hide(false)")
    row_of(page, job).wait_for()
