"""<workqueue-progress>: a request that is equal to the last one is none, as frameworks set it each time they render."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import DONE, Answer, Script, Site, line, serving
from tests.browser.test_element import Serve, has_text, open_page, wait_state

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: What a page renders each time: objects that are new, and equal.
RENDER = """() => {
  element.src = "/generate";
  element.label = `Rendered ${globalThis.n = (globalThis.n ?? 0) + 1} times`;
  element.request = { headers: { "X-More": "1" }, body: { name: "a", seconds: 6 }, token: "t", method: "post" };
}"""

FAILURE = line(1.0, returncode=1, error="no such set")


def settle(page: "Page") -> None:
    """Return when what the page did so far has had its effect: a request that it was to make is on its way."""
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve)).then(() => fetch('/settled'))")


def test_a_page_that_renders_again_and_again_asks_once(page: "Page") -> None:
    """While the job runs, after each event of the element's own, and when it has failed."""
    gate = threading.Event()
    script = Script(Answer(line(0.5), gate, FAILURE))
    with serving(script) as site:
        open_page(
            page,
            site,
            script=f"globalThis.render = {RENDER}; element.addEventListener('progress', render);"
            "element.addEventListener('failed', render); render();",
        )
        wait_state(page, "running")
        for _ in range(5):
            page.evaluate("render()")
        gate.set()
        wait_state(page, "failed")
        for _ in range(5):
            page.evaluate("render()")
        settle(page)
        assert page.evaluate("[element.state, n]") == ["failed", 14]
        has_text(page, "label", "Rendered 14 times")
        page.close()
    assert [body for _, body in script.requests] == ["name=a&seconds=6"]


def test_a_page_that_renders_each_second(page: "Page") -> None:
    """In plain JavaScript, with its clock; a program that fails is run once."""
    script = Script(Answer(FAILURE))
    page.clock.install()
    with serving(script) as site:
        open_page(page, site, script=f"globalThis.render = {RENDER}; render(); setInterval(render, 1000);")
        wait_state(page, "failed")
        page.clock.run_for(9_000)
        settle_clocked(page)
        assert page.evaluate("n") >= 10
        assert page.evaluate("element.state") == "failed"
        page.close()
    assert len(script.requests) == 1


def settle_clocked(page: "Page") -> None:
    page.evaluate("() => fetch('/settled').then(() => fetch('/settled'))")


#: Equal by value: the first is what was asked for.
EQUAL = [
    ("{ body: { a: '1', b: '2' } }", "{ body: { b: '2', a: '1' } }"),
    ("{ body: { a: 1 } }", "{ body: { a: '1' }, token: undefined, headers: null }"),
    ("{ body: new URLSearchParams('a=1') }", "{ body: new URLSearchParams('a=1'), method: 'POST' }"),
    ("{ body: new TextEncoder().encode('{}') }", "{ body: new TextEncoder().encode('{}') }"),
    ("{ body: new TextEncoder().encode('{}').buffer }", "{ body: new TextEncoder().encode('{}').buffer }"),
    ("{ body: '{}', headers: new Headers({ a: '1' }) }", "{ body: '{}', headers: new Headers({ a: '1' }) }"),
    ("{ body: form({ a: '1' }) }", "{ body: form({ a: '1' }), credentials: 'same-origin', stall: 30000 }"),
    ("globalThis.same ??= { body: new Blob(['a']) }", "{ ...same }"),
    ("{ headers: 'wrong' }", "{ headers: 'wrong' }"),
]

#: Each is another request than `{ body: { a: '1' }, token: 't', headers: { 'x-a': '1' } }`.
OTHER = [
    "{ body: { a: '2' }, token: 't', headers: { 'x-a': '1' } }",
    "{ body: { a: '1', b: '' }, token: 't', headers: { 'x-a': '1' } }",
    "{ body: 'a=1', token: 't', headers: { 'x-a': '1' } }",
    "{ body: { a: '1' }, token: 'u', headers: { 'x-a': '1' } }",
    "{ body: { a: '1' }, token: 't', headers: { 'x-a': '2' } }",
    "{ body: { a: '1' }, token: 't' }",
    "{ body: { a: '1' }, token: 't', headers: { 'x-a': '1' }, method: 'PUT' }",
    "{ body: { a: '1' }, token: 't', headers: { 'x-a': '1' }, credentials: 'omit' }",
    "{}",
    "null",
]

FORM = """globalThis.form = (fields) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
};"""

NOTE = "globalThis.begun = 0; const begin = element.start; element.start = () => { begun += 1; begin.call(element); };"


@pytest.fixture
def asked(page: "Page") -> "Asked":
    return Asked(page)


class Asked:
    """A page that counts how often its element begins."""

    def __init__(self, page: "Page") -> None:
        self.page = page

    def open(self, site: Site, request: str) -> None:
        open_page(self.page, site, script=f"{FORM} {NOTE} element.request = {request};")
        self.page.wait_for_function("begun === 1")

    def after(self, script: str) -> int:
        """How often it has begun once the page has done this."""
        self.page.evaluate(f"async () => {{ {script}; await new Promise((resolve) => setTimeout(resolve)); }}")
        begun = self.page.evaluate("begun")
        assert isinstance(begun, int)
        return begun


@pytest.mark.parametrize(("one", "same"), EQUAL)
def test_what_is_equal(asked: Asked, serve: Serve, one: str, same: str) -> None:
    asked.open(serve(Answer(DONE)), one)
    assert asked.after(f"element.request = {same}") == 1
    assert asked.after(f"element.request = {{ body: 'other' }}; element.request = {same}") == 1
    assert asked.after("element.start()") == 2  # which asks anew


@pytest.mark.parametrize("other", OTHER)
def test_what_is_another_request(asked: Asked, serve: Serve, other: str) -> None:
    one = "{ body: { a: '1' }, token: 't', headers: { 'x-a': '1' } }"
    asked.open(serve(Answer(DONE)), one)
    assert asked.after(f"element.request = {one}") == 1
    assert asked.after(f"element.request = {other}") == 2
    assert asked.after(f"element.request = {one}") == 3
    assert asked.after("element.src = '/generate?b'") == 4
    assert asked.after("element.src = '/generate?b'") == 4


def test_a_request_that_was_changed_in_its_place_is_another(asked: Asked, serve: Serve) -> None:
    asked.open(serve(Answer(DONE)), "{ body: { a: '1' } }")
    assert asked.after("element.request.body.a = '2'; element.request = element.request") == 2


def test_an_element_that_was_away_asks_for_what_is_new(asked: Asked, serve: Serve) -> None:
    """And shows what it has, for what is not."""
    asked.open(serve(Answer(DONE)), "{ body: { a: '1' } }")
    wait_state(asked.page, "done")
    away = "element.remove(); await new Promise((resolve) => setTimeout(resolve)); "
    assert asked.after(f"{away} element.request = {{ body: {{ a: '1' }} }}; document.body.append(element)") == 1
    assert asked.after(f"{away} element.request = {{ body: {{ a: '2' }} }}; document.body.append(element)") == 2


def test_an_element_that_was_stopped_stays_so(asked: Asked, serve: Serve) -> None:
    gate = threading.Event()
    asked.open(serve(Answer(line(0.5), gate, DONE)), "{ body: { a: '1' } }")
    wait_state(asked.page, "running")
    assert asked.after("element.stop(); element.request = { body: { a: '1' } }") == 1
    assert asked.page.evaluate("element.state") == "idle"
    gate.set()
