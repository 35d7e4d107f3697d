"""Behind a proxy that holds responses back the page has progress all the same, if slower."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

from tests.browser.holding_proxy import holding_proxy
from tests.browser.pages import DONE, Answer, Environ, Script, SilentAnswer, Site, StartResponse, line
from tests.browser.test_element import has_text, open_page, text_of, wait_state
from tests.servers.server import eventually
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram
from workqueue.web.wsgi import GenerateApp

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Site]
MakeQueue = Callable[..., WorkQueue]

LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
SHORT = f"{EVENTS};wait=5"


def hurried(app: GenerateApp) -> Callable[..., Iterable[bytes]]:
    """The application, for which two seconds are what five are: so long does a test wait for each event."""

    def hurry(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["HTTP_ACCEPT"] = environ.get("HTTP_ACCEPT", "").replace("wait=5", "wait=2")
        return app(environ, start_response)

    return hurry


@pytest.mark.parametrize("lets_events_through", [False, True], ids=["holds all", "lets events through"])
def test_a_job_behind_a_proxy_that_holds_responses_back(
    page: "Page", serve: Serve, make_queue: MakeQueue, program: ScriptedProgram, lets_events_through: bool
) -> None:
    """Without a word of a lost connection."""
    app = GenerateApp(make_queue(program.path), params=lambda fields: (fields["name"],), heartbeat=0.2)
    site = serve(hurried(app))
    page.clock.install()
    with holding_proxy(site.origin, lets_events_through=lets_events_through) as proxy:
        site.page("page", text_of(script="element.request = { body: { name: 'a' }, firstPause: 10 };"))
        page.goto(f"{proxy.origin}/page")
        program.wait_reached("one")
        page.clock.fast_forward(20_000)
        has_text(page, "percent", "25%")
        program.release("one")
        has_text(page, "percent", "50%")
        program.release("two")
        wait_state(page, "done")
        states = page.evaluate("log.filter(([type]) => type === 'connection').map(([, { state }]) => state)")
        page.close()
    assert states == ["open"]
    assert proxy.accepts[0] == LINES
    # Where events come through, long responses do.
    assert set(proxy.accepts[1:]) - ({EVENTS} if lets_events_through else set()) == {SHORT}
    assert len(program.runs) == 1


def sent(script: Script) -> list[str]:
    return [environ["HTTP_ACCEPT"] for environ, _ in script.requests]


def serve_script(serve: Serve, *answers: Answer) -> tuple[Script, Site]:
    script = Script(*answers)
    return script, serve(script)


TWO_EVENTS = Answer(
    b"retry: 1000\n: a comment\nid: x\ndata:" + line(0.5).strip() + b"\n\n",
    b"id: end\r\ndata: " + DONE.strip() + b"\r\n\r\n",
    headers={"Content-Type": "text/event-stream; charset=utf-8"},
)


@pytest.mark.parametrize("first", [Answer(), Answer(b"", status="504 Gateway Timeout")], ids=["nothing", "504"])
def test_a_response_that_brought_nothing_is_followed_by_a_short_one(page: "Page", serve: Serve, first: Answer) -> None:
    script, site = serve_script(serve, first, TWO_EVENTS)
    open_page(page, site, script="element.request = { firstPause: 10 };")
    wait_state(page, "done")
    assert page.evaluate("log.map(([type, { state, fraction }]) => state ?? fraction ?? type)") == ["open", 0.5, 1, 1]
    assert sent(script) == [LINES, SHORT]


def test_one_that_brought_something_is_followed_by_a_long_one(page: "Page", serve: Serve) -> None:
    script, site = serve_script(serve, Answer(line(0.5)), Answer(line(0.6)), Answer(DONE))
    open_page(page, site, script="element.request = { firstPause: 10 };")
    wait_state(page, "done")
    assert sent(script) == [LINES] * 3


def test_a_server_that_says_nothing_is_asked_both_ways_and_told_lost(page: "Page", serve: Serve) -> None:
    """The first time it may have been held back; the second it is a loss."""
    silent = [SilentAnswer(b"") for _ in range(2)]
    script, site = serve_script(serve, *silent, Answer(DONE))
    page.clock.install()
    open_page(page, site, script="element.request = { firstPause: 10, longestPause: 10 };")
    for n_requests, patience in ((1, 20_000), (2, 45_000)):
        # The page waits from the moment when it asks.
        eventually(lambda n=n_requests: len(script.requests) == n)
        page.clock.fast_forward(patience)
    wait_state(page, "done")
    for answer in silent:
        answer.released.set()
    states = page.evaluate("log.filter(([type]) => type === 'connection').map(([, { state }]) => state)")
    assert states == ["lost", "open"]
    assert sent(script) == [LINES, SHORT, LINES]


def test_an_accept_of_the_pages_own_stays(page: "Page", serve: Serve) -> None:
    script, site = serve_script(serve, Answer(), Answer(DONE))
    open_page(page, site, script="element.request = { firstPause: 10, headers: { Accept: 'application/jsonl' } };")
    wait_state(page, "done")
    assert sent(script) == ["application/jsonl"] * 2


def events(*lines: bytes) -> Answer:
    return Answer(*(b"data: " + line + b"\n" for line in lines), headers={"Content-Type": EVENTS})


#: The page's clock stands still, so what comes, comes at once; or each look at it is two seconds after the last one.
PROMPT = "Date.now = () => 1000;"
SLOW = "let now = 0; Date.now = () => (now += 2000);"


def follow_to_its_end(page: "Page", site: Site, clock: str) -> None:
    open_page(page, site, script=f"{clock} element.request = {{ firstPause: 10 }};")
    wait_state(page, "done")


def test_a_server_that_was_slow_once_is_asked_for_long_responses_again(page: "Page", serve: Serve) -> None:
    """As one that was just started; nothing holds its short responses back, so nothing may hold the long ones."""
    some = [events(line(n / 10)) for n in range(1, 6)]
    script, site = serve_script(serve, Answer(), *some, events(DONE))
    follow_to_its_end(page, site, PROMPT)
    assert sent(script) == [LINES, *[SHORT] * 3, *[EVENTS] * 3]


def test_a_long_response_that_is_held_back_again_was_the_last(page: "Page", serve: Serve) -> None:
    some = [events(line(n / 10)) for n in range(1, 9)]
    script, site = serve_script(serve, Answer(), *some[:3], Answer(), *some[3:], events(DONE))
    follow_to_its_end(page, site, PROMPT)
    assert sent(script) == [LINES, *[SHORT] * 3, EVENTS, *[SHORT] * 6]


def test_short_responses_that_come_late_are_held_back(page: "Page", serve: Serve) -> None:
    some = [events(line(n / 10)) for n in range(1, 6)]
    script, site = serve_script(serve, Answer(), *some, events(DONE))
    follow_to_its_end(page, site, SLOW)
    assert sent(script) == [LINES, *[SHORT] * 6]


def test_a_server_that_is_slow_twice_is_tried_twice(page: "Page", serve: Serve) -> None:
    some = [events(line(n / 10)) for n in range(1, 9)]
    script, site = serve_script(serve, Answer(), *some[:4], Answer(), *some[4:], events(DONE))
    follow_to_its_end(page, site, PROMPT)
    assert sent(script) == [LINES, *[SHORT] * 3, EVENTS, EVENTS, *[SHORT] * 3, EVENTS, EVENTS]
