"""Real jobs of a real queue, seen from real tabs."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import Environ, Site, StartResponse
from tests.browser.server import ServerProcess
from tests.browser.test_element import has_text, part, text_of, wait_state
from tests.conftest import write_program
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram
from workqueue.web.wsgi import GenerateApp

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

REQUEST = "element.request = { body: { name: 'a' }, glance: 200, grace: 10 };"


class Counting:
    """An application that counts its open streams."""

    def __init__(self, queue: WorkQueue, **options: object) -> None:
        # A client that has left is noticed at the next heartbeat.
        self._app = GenerateApp(queue, params=lambda fields: (fields["name"],), **{"heartbeat": 0.1, **options})
        self._changed = threading.Condition()
        self._n_open = 0
        self.n_begun = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with self._changed:
            self.n_begun += 1
            self._n_open += 1
        body = self._app(environ, start_response)
        try:
            yield from body
        finally:
            getattr(body, "close", lambda: None)()
            with self._changed:
                self._n_open -= 1
                self._changed.notify_all()

    def wait_open(self, n: int) -> None:
        """Return when so many are open; fail when that does not come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._n_open == n, 10), f"{self._n_open} streams are open"


def address_of(site: Site) -> str:
    return site.page("page", text_of(script=REQUEST))


def test_the_page_sees_each_event_before_the_next_is_printed(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    page.goto(address_of(serve(Counting(make_queue(program.path)))))
    has_text(page, "message", "one")
    has_text(page, "percent", "25%")
    program.release("one")
    has_text(page, "message", "two")
    program.release("two")
    wait_state(page, "done")
    events = page.evaluate("log.filter(([type]) => type === 'progress').map(([, event]) => event)")
    assert events[-1] == {
        "n_ahead_in_queue": 0,
        "fraction": 1,
        "message": None,
        "returncode": 0,
        "error": None,
    }
    # And once more, now that the result is there.
    page.reload()
    wait_state(page, "done")
    assert len(program.runs) == 1


def test_a_page_that_is_loaded_again_shows_where_the_job_is(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    page.goto(address_of(serve(Counting(make_queue(program.path)))))
    has_text(page, "percent", "25%")
    program.release("one")
    has_text(page, "percent", "50%")
    page.reload()
    has_text(page, "percent", "50%")
    has_text(page, "message", "two")
    program.release("two")
    wait_state(page, "done")
    assert len(program.runs) == 1


def test_a_page_of_another_origin_may_watch(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    """And load the module. Its token makes the browser ask first whether it may: OPTIONS."""
    methods: list[str] = []
    app = GenerateApp(make_queue(program.path), params=lambda fields: (fields["apiToken"], fields["name"]))

    def plugin(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        methods.append(environ["REQUEST_METHOD"])
        return app(environ, start_response)

    origin = serve(plugin).origin
    page.goto(serve(app).page("page", "<!doctype html><title>Another origin</title>"))
    assert not page.url.startswith(origin)
    page.evaluate(
        """async (origin) => {
          const { watch } = await import(`${origin}/generate/workqueue.js`);
          globalThis.events = [];
          const request = { token: "t0ken", body: { name: "a" } };
          for await (const event of watch(`${origin}/generate`, request)) {
            events.push(event);
            if (event.message === "one") return;
          }
        }""",
        origin,
    )
    program.release("one")
    program.release("two")
    assert methods == ["GET", "OPTIONS", "POST"]
    assert program.runs[0][:2] == ["t0ken", "a"]


def test_streams_that_the_server_ends_are_taken_up_again(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    app = Counting(make_queue(program.path), max_duration=0.2)
    page.goto(address_of(serve(app)))
    has_text(page, "percent", "25%")
    page.wait_for_function("log.length > 4")
    program.release("one")
    has_text(page, "percent", "50%")
    program.release("two")
    wait_state(page, "done")
    assert app.n_begun > 1
    assert page.evaluate("log.filter(([type]) => type === 'connection').map(([, { state }]) => state)") == ["open"]


def test_a_server_that_was_killed_and_comes_back_finishes_the_job(
    page: "Page", program: ScriptedProgram, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Not in the test's own directory: a server that is killed cannot tidy up.
    storage = tmp_path_factory.mktemp("storage")
    with ServerProcess(program.path, storage) as first:
        page.goto(f"{first.origin}/page")
        has_text(page, "percent", "25%")
        program.wait_reached("one")
        first.kill()
        has_text(page, "connection", "Connection lost. Reconnecting…")
    program.release("one")  # what is left of the first run
    with ServerProcess(program.path, storage, first.port):
        program.wait_reached("one")
        has_text(page, "connection", "")
        program.release("one")
        has_text(page, "percent", "50%")
        program.release("two", 2)
        wait_state(page, "done")
        page.close()
    assert len(program.runs) == 2


def test_a_program_that_fails_once_works_when_tried_again(
    page: "Page", serve: Serve, make_queue: MakeQueue, tmp_path: Path
) -> None:
    text = 'mkdir "$0.tried" 2>/dev/null && { echo "no <such> set" >&2; exit 3; }\necho built > "$output"'
    queue = make_queue(write_program(tmp_path / "program", text))
    page.goto(address_of(serve(Counting(queue))))
    has_text(page, "reason", "no <such> set")
    page.get_by_role("alert").wait_for()
    page.get_by_role("button", name="Try again").click()
    wait_state(page, "done")


def test_a_second_tab_sees_the_same_job(
    context: "BrowserContext", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    address = address_of(serve(Counting(make_queue(program.path))))
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(address)
        has_text(tab, "percent", "25%")
    program.release("one")
    for tab in tabs:
        has_text(tab, "percent", "50%")
    program.release("two")
    for tab in tabs:
        wait_state(tab, "done")
    assert len(program.runs) == 1


def test_ten_tabs_get_to_the_end_and_leave_room_for_other_requests(
    context: "BrowserContext", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    app = Counting(make_queue(program.path))
    address = address_of(serve(app))
    tabs = [context.new_page() for _ in range(10)]
    tabs[0].goto(address)
    for tab in tabs[1:]:
        tab.goto(f"{address}#hidden")
    for tab in tabs:
        has_text(tab, "percent", "25%")
    # With ten streams, or seven, this would wait for the end of the job.
    assert tabs[0].evaluate("fetch('/nothing').then((response) => response.status)") == 204
    program.release("one")
    for tab in tabs:
        has_text(tab, "percent", "50%")
    tabs[9].evaluate("hide(false)")
    program.release("two")
    for tab in tabs:
        wait_state(tab, "done")
    app.wait_open(0)
    assert len(program.runs) == 1


def test_a_page_that_is_left_leaves_no_stream(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    app = Counting(make_queue(program.path))
    page.goto(address_of(serve(app)))
    has_text(page, "percent", "25%")
    app.wait_open(1)
    page.evaluate("element.remove()")
    app.wait_open(0)
    page.evaluate("document.body.append(element)")
    has_text(page, "percent", "25%")
    page.goto("about:blank")
    app.wait_open(0)
    program.release("one")
    program.release("two")


def test_the_queue_is_shown_and_a_full_one_is_waited_for(
    context: "BrowserContext", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    site = serve(Counting(make_queue(program.path, max_running=1, max_pending=1)))
    tabs = []
    for name in "abc":
        script = REQUEST.replace("'a'", f"'{name}'")
        tabs.append(context.new_page())
        tabs[-1].clock.install()
        tabs[-1].goto(site.page(name, text_of(script=script)))
        if name == "a":
            has_text(tabs[0], "percent", "25%")
        elif name == "b":
            has_text(tabs[1], "message", "1 build ahead")
    has_text(tabs[2], "connection", "No place in the queue yet. Trying again…")
    program.release("one", 3)
    program.release("two", 3)
    wait_state(tabs[0], "done")
    wait_state(tabs[1], "done")
    tabs[2].clock.fast_forward(10_000)
    wait_state(tabs[2], "done")
    assert part(tabs[2], "connection").inner_text() == ""
