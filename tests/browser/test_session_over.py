"""A session that is over is a refusal that can be mended, not a lost connection."""

import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import DONE, Answer, Environ, Script, Site, StartResponse, line
from tests.browser.test_element import has_text, open_page, part, text_of, wait_state

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Site]

LOGIN = "<!doctype html><title>Log in</title><h1>Log in</h1>"


class Gate:
    """Sends all requests, pages' too, elsewhere once the session is over."""

    def __init__(self, application: Script) -> None:
        self._application = application
        self.login = ""
        self.is_over = threading.Event()
        self.n_sent_away = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not self.is_over.is_set():
            return self._application(environ, start_response)
        self.n_sent_away += 1
        start_response("302 Found", [("Location", self.login)])
        return []


@pytest.mark.parametrize("is_elsewhere", [True, False], ids=["another origin", "the same origin"])
def test_a_session_that_is_over(page: "Page", serve: Serve, is_elsewhere: bool) -> None:
    """The page says so, asks no more, and takes the person to where the gate sends it."""
    gate = threading.Event()
    away = Gate(Script(Answer(line(0.5), gate)))
    site = serve(away)
    # Another port is another origin; nothing there lets this page read it.
    other = serve(Answer()) if is_elsewhere else site
    away.login = other.page("login", LOGIN)
    page.goto(site.page("page", text_of(script="element.request = { firstPause: 10 };")))
    wait_state(page, "running")
    away.is_over.set()
    gate.set()
    wait_state(page, "failed")
    has_text(page, "title", "The build could not be started")
    has_text(page, "again", "Log in again")
    refused = page.evaluate("(({ status, redirected }) => ({ status, redirected }))(log.at(-1)[1].refused)")
    assert refused == {"status": 0 if is_elsewhere else 200, "redirected": True}
    assert [kind for kind in page.evaluate("log.map(([type, { state }]) => state)") if kind == "lost"] == []
    n_sent_away = away.n_sent_away
    page.evaluate("fetch('/login')")
    assert away.n_sent_away == n_sent_away
    with page.expect_navigation():
        part(page, "again").click()


def test_a_redirect_within_the_site_is_followed(page: "Page", serve: Serve) -> None:
    """As one from a mount to the same path with a slash behind it."""
    site = serve(Answer(status="307 Temporary Redirect", headers={"Location": "/generate/"}), Answer(DONE))
    open_page(page, site)
    wait_state(page, "done")


def test_a_network_that_is_away_is_no_redirect(page: "Page", serve: Serve) -> None:
    """Though the same request without redirects is made at once, and one with them when it finds one."""
    moved = Answer(status="307 Temporary Redirect", headers={"Location": "/generate/"})
    script = Script(moved, moved, Answer(DONE))
    n_cut = 0

    def cutting(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        nonlocal n_cut
        if n_cut == 0:
            n_cut += 1
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        return script(environ, start_response)

    open_page(page, serve(cutting), script="element.request = { firstPause: 10 };")
    wait_state(page, "done")
    assert [environ["PATH_INFO"] for environ, _ in script.requests] == ["/generate", "/generate", "/generate/"]


def test_a_server_behind_a_redirect_may_be_away_for_a_while(page: "Page", serve: Serve) -> None:
    """It was reached through it before, so nobody is sent elsewhere to log in."""
    gate, is_away = threading.Event(), threading.Event()
    readable = {"Access-Control-Allow-Origin": "*"}
    script = Script(Answer(line(0.5), gate, headers=readable), Answer(DONE, headers=readable))

    def restarting(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if is_away.is_set():
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        return script(environ, start_response)

    target = serve(restarting)
    moved = Answer(status="307 Temporary Redirect", headers={"Location": f"{target.origin}/generate"})
    open_page(page, serve(moved), script="element.request = { firstPause: 10, longestPause: 100 };")
    wait_state(page, "running")
    is_away.set()
    gate.set()
    page.wait_for_function("log.filter(([type, { state }]) => type === 'connection' && state === 'lost').length >= 2")
    is_away.clear()
    wait_state(page, "done")
