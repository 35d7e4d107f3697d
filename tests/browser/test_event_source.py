"""The browser's own EventSource on the ready application: as the documentation shows it, and left open by mistake."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.pages import Site
from tests.conftest import write_program
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram
from workqueue.web.wsgi import GenerateApp

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

PAGE = "<!doctype html><title>A page</title>"

#: Forgets to close it, unless it is told to.
READ = """(closes) => {
  globalThis.log = { events: [], opened: 0 };
  globalThis.source = new EventSource("/generate?name=a");
  source.onopen = () => { log.opened += 1; };
  source.onmessage = ({ data }) => {
    const progress = JSON.parse(data);
    log.events.push(progress);
    if (closes && progress.returncode !== null) source.close();
  };
}"""


class Getting:
    """The ready application for what a `Site` does not answer itself; it counts the requests."""

    def __init__(self, queue: WorkQueue, **options: object) -> None:
        self._app = GenerateApp(queue, params=lambda fields: (fields["name"],), **{"heartbeat": 0.1, **options})
        self.statuses: list[str] = []

    def __call__(self, environ: dict[str, object], start_response: Callable[..., object]) -> object:
        def start(status: str, headers: list[tuple[str, str]]) -> object:
            self.statuses.append(status[:3])
            return start_response(status, headers)

        return self._app(environ, start)


def test_each_event_comes_before_the_next_is_printed(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    app = Getting(make_queue(program.path))
    page.goto(serve(app).page("page", PAGE))
    page.evaluate(READ, True)
    page.wait_for_function("log.events.at(-1)?.message === 'one'")
    program.release("one")
    page.wait_for_function("log.events.at(-1).message === 'two'")
    program.release("two")
    page.wait_for_function("source.readyState === EventSource.CLOSED")
    assert page.evaluate("[log.events.at(-1).returncode, log.opened]") == [0, 1]
    assert app.statuses == ["200"]


def test_a_stream_that_ends_before_its_job_is_asked_for_again(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    app = Getting(make_queue(program.path), max_duration=0.2)
    page.goto(serve(app).page("page", PAGE))
    page.evaluate(READ, True)
    page.wait_for_function("log.opened === 2")
    program.release("one")
    page.wait_for_function("log.events.at(-1).message === 'two'")
    program.release("two")
    page.wait_for_function("source.readyState === EventSource.CLOSED")
    assert page.evaluate("log.events.at(-1).returncode") == 0
    assert len(program.runs) == 1


def test_a_page_that_forgets_to_close_it_runs_no_failed_job_again(
    page: "Page", serve: Serve, make_queue: MakeQueue, tmp_path: Path
) -> None:
    """It asks once more, and is told that this was the end."""
    queue = make_queue(write_program(tmp_path / "program", 'echo run >> "$0.runs"; exit 3'))
    app = Getting(queue)
    page.goto(serve(app).page("page", PAGE))
    page.evaluate(READ, False)
    page.wait_for_function("source.readyState === EventSource.CLOSED")
    assert app.statuses == ["200", "204"]
    assert page.evaluate("log.events.at(-1).returncode") == 3
    assert (tmp_path / "program.runs").read_text() == "run\n"
