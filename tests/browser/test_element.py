"""<workqueue-progress>: events -> what a person sees and hears, and what a page can do about it."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import DONE, STRICT_POLICY, Answer, Script, Site, line, serving

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Serve = Callable[..., Site]

ELEMENT = '<workqueue-progress src="/generate" label="Search index"></workqueue-progress>'


def text_of(*lines: str, element: str = ELEMENT, language: str = "en", script: str = "") -> str:
    """A page with the element, and what it does before the element starts."""
    return f"""<!doctype html><html lang="{language}"><meta charset="utf-8"><title>A page</title>
    <script type="module">
      import {{ WorkqueueProgress }} from "/workqueue.js";
      const element = globalThis.element = document.querySelector("workqueue-progress");
      globalThis.log = [];
      for (const type of ["progress", "done", "failed", "connection"]) {{
        element?.addEventListener(type, ({{ detail }}) => log.push([type, detail]));
      }}
      {script}
    </script>
    {element}"""


def open_page(page: "Page", site: Site, **options: str) -> "Locator":
    """Go there; the element."""
    page.goto(site.page("page", text_of(**options)))
    return page.locator("workqueue-progress")


def wait_state(page: "Page", state: str) -> None:
    page.locator(f"workqueue-progress[state={state}]").wait_for(state="attached")


def part(page: "Page", name: str) -> "Locator":
    return page.locator(f"workqueue-progress [part={name}]")


def has_text(page: "Page", name: str, text: str) -> None:
    """A part says this, or comes to."""
    from playwright.sync_api import expect

    expect(part(page, name)).to_have_text(text, timeout=10_000)


def snapshot(element: "Locator") -> list[str]:
    """What the accessibility tree has."""
    return [item.strip(" -") for item in element.aria_snapshot().splitlines()]


def test_a_job_from_the_queue_to_its_end(page: "Page", serve: Serve) -> None:
    gates = [threading.Event() for _ in range(5)]
    site = serve(
        Answer(
            *(line(0, n_ahead_in_queue=2), gates[0], line(0, n_ahead_in_queue=1), gates[1], line(0), gates[2]),
            *(line(0.29, message="Read 29 documents"), gates[3], line(0.999), gates[4], DONE),
        )
    )
    element = open_page(page, site)
    has_text(page, "message", "2 builds ahead")
    assert element.get_attribute("state") == "queued"
    assert part(page, "bar").get_attribute("value") is None
    gates[0].set()
    has_text(page, "message", "1 build ahead")
    gates[1].set()
    has_text(page, "message", "Starting…")
    gates[2].set()
    has_text(page, "message", "Read 29 documents")
    has_text(page, "percent", "29%")
    assert part(page, "bar").evaluate("bar => bar.value") == 0.29
    gates[3].set()
    has_text(page, "percent", "99%")
    gates[4].set()
    has_text(page, "message", "Done")
    has_text(page, "percent", "100%")
    assert element.get_attribute("state") == "done"
    types = page.evaluate("log.map(([type]) => type)")
    assert types == ["connection", *["progress"] * 6, "done"]
    assert page.evaluate("log.at(-1)[1].returncode") == 0


def test_the_accessibility_tree_names_the_bar(page: "Page", serve: Serve) -> None:
    gate = threading.Event()
    element = open_page(page, serve(Answer(line(0.5, message="Half"), gate, DONE)))
    has_text(page, "message", "Half")
    assert snapshot(element)[0] == 'group "Search index":'
    assert 'progressbar "Search index"' in snapshot(element)
    bar = page.get_by_role("progressbar", name="Search index")
    assert bar.get_attribute("aria-describedby") == "message"
    gate.set()


def test_a_screen_reader_hears_each_tenth_and_not_each_event(page: "Page", serve: Serve) -> None:
    events = [line(i / 1000, message=f"Read {i}") for i in range(1, 1000)]
    script = """
      globalThis.heard = [];
      const spoken = element.shadowRoot.querySelector("[role=status]");
      new MutationObserver(() => heard.push(spoken.textContent)).observe(spoken, { childList: true });
    """
    # A line a piece, and each a task of its own: else an observer would see only the last of several.
    gates = [threading.Event() for _ in events]
    pieces = [piece for pair in zip(events, gates, strict=True) for piece in pair]
    for gate in gates:
        gate.set()
    open_page(page, serve(Answer(*pieces, DONE)), script=script)
    wait_state(page, "done")
    heard = page.evaluate("heard")
    assert heard[-1] == "Search index: Done"
    assert "Search index: 90%" in heard
    assert len(heard) <= 13


def test_a_long_queue_is_heard_by_tens(page: "Page", serve: Serve) -> None:
    gates = [threading.Event() for _ in range(3)]
    lines = [line(0, n_ahead_in_queue=n) for n in (28, 25, 20, 9)]
    open_page(page, serve(Answer(lines[0], gates[0], lines[1], gates[1], lines[2], gates[2], lines[3])))
    has_text(page, "spoken", "Search index: 28 builds ahead")
    gates[0].set()
    has_text(page, "message", "25 builds ahead")
    has_text(page, "spoken", "Search index: 28 builds ahead")
    gates[1].set()
    has_text(page, "spoken", "Search index: 20 builds ahead")
    gates[2].set()
    has_text(page, "spoken", "Search index: 9 builds ahead")


def test_a_message_is_text(page: "Page", serve: Serve) -> None:
    evil = "<img src=x onerror='globalThis.hurt = 1'><b>bold</b>"
    gate = threading.Event()
    failure = line(1.0, returncode=1, error=f"Exited with code 1\nstderr:\n{evil}")
    open_page(page, serve(Answer(line(0.5, message=evil), gate, failure)))
    has_text(page, "message", evil)
    gate.set()
    has_text(page, "reason", evil)
    assert page.evaluate("element.shadowRoot.querySelectorAll('img, b').length") == 0
    assert page.evaluate("globalThis.hurt") is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Exited with code 3\nstderr:\nno such set\nat all\n", "no such set at all"),
        ("Exited with code -9\nstderr:\n", "The program ended with exit status 3 and did not say why."),
        ("cannot start the program", "cannot start the program"),
    ],
)
def test_a_failure_is_an_alert_in_the_programs_words(page: "Page", serve: Serve, error: str, reason: str) -> None:
    element = open_page(page, serve(Answer(line(0.5), line(1.0, returncode=3, error=error))))
    wait_state(page, "failed")
    has_text(page, "reason", reason)
    assert page.get_by_role("alert").inner_text().startswith("The build failed")
    assert 'button "Try again"' in snapshot(element)
    assert "progressbar" not in element.aria_snapshot()
    assert page.evaluate("log.at(-1)") == ["failed", {"error": error, "returncode": 3, "refused": None}]


def test_the_end_of_a_long_failure_is_in_sight(page: "Page", serve: Serve) -> None:
    """Of a traceback, say, whose last line tells what happened."""
    lines = "\n".join(f"line {i}" for i in range(200))
    open_page(page, serve(Answer(line(1.0, returncode=1, error=f"Exited with code 1\nstderr:\n{lines}"))))
    wait_state(page, "failed")
    height, top, below = part(page, "reason").evaluate(
        "e => [e.scrollHeight, e.scrollTop, e.scrollHeight - e.scrollTop - e.clientHeight]"
    )
    assert top > height / 2
    assert below < 2


def test_try_again_starts_anew_and_keeps_the_focus(page: "Page", serve: Serve) -> None:
    gate = threading.Event()
    failure = line(1.0, returncode=1, error="Exited with code 1\nstderr:\nno such set")
    open_page(page, serve(Answer(line(0.5), failure), Answer(line(0.25), gate, DONE)))
    wait_state(page, "failed")
    page.get_by_role("button", name="Try again").focus()
    page.keyboard.press("Enter")
    has_text(page, "percent", "25%")
    assert not page.get_by_role("alert").is_visible()
    assert page.evaluate("element.shadowRoot.activeElement.id") == "box"
    gate.set()
    wait_state(page, "done")


def test_a_refusal_is_shown_and_asked_once(page: "Page") -> None:
    problem = b'{"title": "Bad Request", "status": 400, "detail": "name is missing"}'
    script = Script(Answer(problem, status="400 Bad", headers={"Content-Type": "application/problem+json"}))
    with serving(script) as site:
        open_page(page, site)
        has_text(page, "title", "The build could not be started")
        has_text(page, "reason", "name is missing")
        detail = page.evaluate("({ ...log.at(-1)[1], refused: log.at(-1)[1].refused.status })")
        assert detail == {"error": "name is missing", "returncode": None, "refused": 400}
        page.close()
    assert len(script.requests) == 1


def test_a_full_queue_is_no_lost_connection(page: "Page", serve: Serve) -> None:
    page.clock.install()
    open_page(page, serve(Answer(status="503 Full", headers={"Retry-After": "5"}), Answer(DONE)))
    has_text(page, "connection", "No place in the queue yet. Trying again…")
    page.clock.fast_forward(6_000)
    wait_state(page, "done")


def test_a_lost_connection_is_shown_in_place_of_what_is_stale(page: "Page", serve: Serve) -> None:
    gates = [threading.Event() for _ in range(2)]
    site = serve(Answer(line(0.5, message="Half"), gates[0], None), Answer(line(0.6, message="More"), gates[1], DONE))
    open_page(page, site, script="element.request = { firstPause: 1e6, longestPause: 1e6 };")
    has_text(page, "message", "Half")
    gates[0].set()
    has_text(page, "connection", "Connection lost. Reconnecting…")
    has_text(page, "message", "")
    has_text(page, "percent", "50%")
    has_text(page, "spoken", "Search index: Connection lost. Reconnecting…")
    page.evaluate("dispatchEvent(new Event('online'))")
    has_text(page, "message", "More")
    has_text(page, "connection", "")
    has_text(page, "spoken", "Search index: 60%")
    gates[1].set()
    wait_state(page, "done")
    states = page.evaluate("log.filter(([type]) => type === 'connection').map(([, { state }]) => state)")
    assert states == ["open", "lost", "open"]


def test_a_place_in_the_queue_that_is_stale_moves_no_more(page: "Page", serve: Serve) -> None:
    """And nothing of the bar looks like a fraction."""
    gate = threading.Event()
    site = serve(Answer(line(0, n_ahead_in_queue=2), gate, None))
    open_page(page, site, script="element.request = { firstPause: 1e6, longestPause: 1e6 };")
    look = "e => [getComputedStyle(e).animationName, getComputedStyle(e).backgroundImage.split('(')[0]]"
    has_text(page, "message", "2 builds ahead")
    assert part(page, "bar").evaluate(look) == ["waiting", "linear-gradient"]
    gate.set()
    has_text(page, "connection", "Connection lost. Reconnecting…")
    assert part(page, "bar").evaluate(look) == ["none", "none"]


def test_the_remaining_time_is_told_once_it_is_credible(page: "Page", serve: Serve) -> None:
    # (seconds since the last event, fraction, what is told): 0.5% a second, then much faster, then that again.
    story = [
        (0, 0.0, ""),
        (2, 0.01, ""),
        (2, 0.02, ""),
        (4, 0.04, ""),  # three steps and 8 s, but less than 0.05
        (4, 0.06, "About 3 minutes left"),
        (60, 0.36, "About 2 minutes left"),
        (30, 0.51, "About 2 minutes left"),
        (2, 0.95, ""),  # a leap: nobody knows what comes
        (70, 0.96, ""),
        (6, 0.963, "Less than a minute left"),
    ]
    gates = [threading.Event() for _ in story]
    pieces = [
        piece
        for gate, (_, fraction, _) in zip(gates, story, strict=True)
        for piece in (gate, line(fraction, message=f"at {fraction}"))
    ]
    page.clock.install()
    open_page(page, serve(Answer(*pieces, threading.Event())), script="element.request = { stall: 1e8 };")
    wait_state(page, "starting")
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    for gate, (seconds, fraction, told) in zip(gates, story, strict=True):
        page.clock.fast_forward(seconds * 1000)
        gate.set()
        has_text(page, "message", f"at {fraction}")
        has_text(page, "remaining", told)


def test_the_wait_is_told_where_the_server_can_tell(page: "Page", serve: Serve) -> None:
    # What is sent, shown and heard. A screen reader is told with the place, not each time that the estimate changes.
    two, one = "2 builds ahead. Starts in about 2 minutes", "1 build ahead. Starts in less than a minute"
    story = [
        ({"n_ahead_in_queue": 3}, "3 builds ahead", "", "3 builds ahead"),
        ({"n_ahead_in_queue": 2, "eta": 118.4}, "2 builds ahead", "Starts in about 2 minutes", two),
        ({"n_ahead_in_queue": 2, "eta": 61.0}, "2 builds ahead", "Starts in about a minute", two),
        ({"n_ahead_in_queue": 1, "eta": 0.0}, "1 build ahead", "Starts in less than a minute", one),
        ({"n_ahead_in_queue": 1, "eta": 7300}, "1 build ahead", "Starts in about 2 hours", one),
        ({"n_ahead_in_queue": 0}, "Starting…", "", "Starting…"),
    ]
    gates = [threading.Event() for _ in story]
    pieces = [p for gate, (event, *_) in zip(gates, story, strict=True) for p in (gate, line(0, **event))]
    open_page(page, serve(Answer(*pieces, threading.Event())))
    wait_state(page, "starting")
    for gate, (event, ahead, wait, heard) in zip(gates, story, strict=True):
        gate.set()
        has_text(page, "message", ahead)
        has_text(page, "remaining", wait)
        has_text(page, "spoken", f"Search index: {heard}")
        assert page.evaluate("log.at(-1)[1].eta") == event.get("eta")
    assert page.evaluate("log.filter(([type]) => type === 'progress').length") == len(story)


def test_the_words_of_the_wait_are_the_pages(page: "Page", serve: Serve) -> None:
    script = "element.texts = { wait: (seconds, language) => `noch ${seconds} s (${language})` };"
    gate = threading.Event()
    site = serve(Answer(line(0, n_ahead_in_queue=2, eta=90.5), gate, None))
    open_page(page, site, script=f"{script} element.request = {{ firstPause: 1e6, longestPause: 1e6 }};", language="de")
    has_text(page, "remaining", "noch 90.5 s (de)")
    gate.set()
    has_text(page, "connection", "Connection lost. Reconnecting…")
    has_text(page, "remaining", "")


def test_a_run_that_begins_again_has_a_new_estimate(page: "Page", serve: Serve) -> None:
    gates = [threading.Event() for _ in range(6)]
    fractions = [0.1, 0.2, 0.3, 0.4, 0.1, 0.11]
    pieces = [p for gate, f in zip(gates, fractions, strict=True) for p in (gate, line(f, message=f"at {f}"))]
    page.clock.install()
    open_page(page, serve(Answer(*pieces, threading.Event())), script="element.request = { stall: 1e8 };")
    wait_state(page, "starting")
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    remaining = []
    for gate, fraction in zip(gates, fractions, strict=True):
        page.clock.fast_forward(60_000)
        gate.set()
        has_text(page, "message", f"at {fraction}")
        remaining.append(part(page, "remaining").inner_text())
    assert remaining == ["", "", "", "About 6 minutes left", "", ""]


def test_texts_can_be_replaced_for_all_and_for_one(page: "Page", serve: Serve) -> None:
    gate = threading.Event()
    script = """
      WorkqueueProgress.texts = { ahead: (n, language) => `noch ${n} (${language})`, done: "Fertig" };
      element.texts = { done: "Alles fertig", starting: "<i>gleich</i>" };
    """
    site = serve(Answer(line(0, n_ahead_in_queue=2), gate, DONE))
    open_page(page, site, script=script, language="de-CH")
    has_text(page, "message", "noch 2 (de-CH)")
    gate.set()
    has_text(page, "message", "Alles fertig")
    page.evaluate("element.texts = null")
    has_text(page, "message", "Fertig")


@pytest.mark.parametrize(
    ("language", "percent"), [("en", "25%"), ("de", "25\u00a0%"), ("ar-EG", "٢\u0665٪"), ("x_y", "25%")]
)
def test_percent_is_in_the_language_of_the_page(page: "Page", serve: Serve, language: str, percent: str) -> None:
    open_page(page, serve(Answer(line(0.259), threading.Event())), language=language)
    part(page, "percent").filter(has_text="5" if percent[0] == "2" else "\u0665").wait_for()
    shown = page.evaluate("element.shadowRoot.querySelector('[part=percent]').textContent")
    assert shown.replace("\u061c", "").replace("\u200e", "") == percent


def test_a_strict_policy_is_enough_and_parts_are_styled_by_the_page(page: "Page", serve: Serve) -> None:
    site = serve(Answer(line(0.5, message="Half"), threading.Event()))
    style = "workqueue-progress { --workqueue-height: 30px } ::part(message) { color: rgb(1, 2, 3) }"
    page.route("**/style.css", lambda route: route.fulfill(content_type="text/css", body=style))
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    scripts = '<script type="module" src="/workqueue.js"></script><link rel="stylesheet" href="/style.css">'
    page.goto(site.page("page", f"<!doctype html><title>A page</title>{scripts}{ELEMENT}", STRICT_POLICY))
    has_text(page, "message", "Half")
    assert part(page, "message").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
    assert part(page, "bar").bounding_box()["height"] == 30
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark_as_the_page_is(page: "Page", serve: Serve, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    element = '<meta name="color-scheme" content="light dark">' + ELEMENT
    open_page(page, serve(Answer(line(0.5, message="Half"), threading.Event())), element=element)
    has_text(page, "message", "Half")
    color = part(page, "bar").evaluate("e => getComputedStyle(e).color")
    assert color == {"light": "rgb(39, 86, 197)", "dark": "rgb(141, 176, 255)"}[scheme]


def test_reduced_motion_moves_nothing(page: "Page", serve: Serve) -> None:
    page.emulate_media(reduced_motion="reduce")
    open_page(page, serve(Answer(line(0), threading.Event())))
    wait_state(page, "running")
    assert part(page, "bar").evaluate("e => getComputedStyle(e).animationName") == "none"


def test_an_element_that_is_removed_ends_its_request(page: "Page", serve: Serve) -> None:
    answer = Answer(line(0.5), threading.Event())
    open_page(page, serve(answer))
    wait_state(page, "running")
    page.evaluate("element.remove()")
    assert answer.ended.wait(10)
    assert page.evaluate("element.state") == "idle"


def test_an_element_that_is_moved_goes_on(page: "Page") -> None:
    gate = threading.Event()
    script = Script(Answer(line(0.5), gate, DONE))
    with serving(script) as site:
        open_page(page, site)
        wait_state(page, "running")
        page.evaluate("document.body.appendChild(document.createElement('main')).append(element)")
        gate.set()
        wait_state(page, "done")
        page.evaluate("document.body.append(element)")
        assert page.evaluate("element.state") == "done"
        page.close()
    assert len(script.requests) == 1


def test_it_starts_once_for_all_that_is_set_in_one_go(page: "Page") -> None:
    script = Script(Answer(DONE))
    with serving(script) as site:
        page.goto(site.page("page", text_of(element="")))
        page.evaluate("""async () => {
          const element = document.createElement("workqueue-progress");
          element.src = "/elsewhere";
          document.body.append(element);
          element.src = "/generate";
          element.label = "Search index";
          element.request = { body: { name: "a" }, token: "t" };
        }""")
        wait_state(page, "done")
        has_text(page, "label", "Search index")
        page.close()
    (environ, body) = script.requests[0]
    assert (environ["PATH_INFO"], body, len(script.requests)) == ("/generate", "name=a", 1)
    assert environ["HTTP_AUTHORIZATION"].startswith("Basic ")


def test_what_was_set_before_the_module_came_counts(page: "Page") -> None:
    script = Script(Answer(DONE))
    with serving(script) as site:
        page.goto(site.page("page", f"<!doctype html><title>A page</title>{ELEMENT}"))
        page.evaluate("""async () => {
          document.querySelector("workqueue-progress").request = { body: { name: "early" } };
          await import("/workqueue.js");
        }""")
        wait_state(page, "done")
        page.close()
    assert [body for _, body in script.requests] == ["name=early"]


def test_a_new_request_takes_the_place_of_the_old(page: "Page", serve: Serve) -> None:
    old = Answer(line(0.5), threading.Event())
    open_page(page, serve(old, Answer(DONE)))
    wait_state(page, "running")
    page.evaluate("element.request = { body: { name: 'b' } }")
    wait_state(page, "done")
    assert old.ended.wait(10)


def test_manual_waits_for_start_and_stop_ends_it(page: "Page") -> None:
    answer = Answer(line(0.5), threading.Event())
    script = Script(answer)
    element = '<workqueue-progress src="/generate" manual></workqueue-progress>'
    with serving(script) as site:
        open_page(page, site, element=element)
        has_text(page, "label", "Building")
        assert page.evaluate("[element.state, element.manual]") == ["idle", True]
        assert script.requests == []
        page.evaluate("element.start()")
        wait_state(page, "running")
        page.evaluate("element.stop()")
        assert answer.ended.wait(10)
        assert page.evaluate("element.state") == "idle"
        page.close()


def test_without_an_address_start_says_so(page: "Page", serve: Serve) -> None:
    element = "<workqueue-progress></workqueue-progress>"
    open_page(page, serve(Answer(DONE)), element=element)
    message = "try { element.start() } catch (error) { error.message }"
    assert page.evaluate(message) == "workqueue-progress: src is not set"
    assert page.evaluate("element.state") == "idle"


def test_a_listener_may_stop_it(page: "Page", serve: Serve) -> None:
    script = "element.addEventListener('progress', () => element.stop());"
    open_page(page, serve(Answer(line(0.1) + line(0.2) + DONE)), script=script)
    page.wait_for_function("log.length === 2")
    assert page.evaluate("element.state") == "idle"
    assert page.evaluate("log.map(([type]) => type)") == ["connection", "progress"]


def test_a_wrong_request_is_a_failure(page: "Page", serve: Serve) -> None:
    open_page(page, serve(Answer(DONE)), script="element.request = { headers: { 'no header': '1' } };")
    wait_state(page, "failed")
    assert page.evaluate("[log.at(-1)[0], log.at(-1)[1].refused]") == ["failed", None]


def test_the_module_may_be_loaded_twice(page: "Page", serve: Serve) -> None:
    open_page(page, serve(Answer(DONE)), script="await import('/workqueue.js?again');")
    wait_state(page, "done")
