"""The plugin, over real HTTP, with the real program."""

import http.client
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask

from tests.demo.conftest import PATIENCE, TOKEN, Answer, ask, basic, make_document_set
from workqueue import OverviewViewParams, WorkQueue
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.plugin import create_plugin
from workqueue.demo.stage import PROGRAM

Serve = Callable[[Flask], str]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def queue(make_queue: Callable[..., WorkQueue], our_python_first: None) -> WorkQueue:
    return make_queue(PROGRAM)


@pytest.fixture
def plugin(serve: Serve, queue: WorkQueue) -> str:
    return serve(create_plugin(queue))


@pytest.fixture
def overview(serve: Serve) -> str:
    return serve(create_overview_api(make_document_set(45), TOKEN))


def generate(plugin: str, headers: dict[str, str] | None = None, **form: str) -> Answer:
    headers = (basic(TOKEN) if headers is None else headers) | FORM
    return ask(f"{plugin}/generate", headers, "POST", urlencode(form).encode())


def search(plugin: str, headers: dict[str, str] | None = None, **query: str) -> tuple[int, Any]:
    answer = ask(f"{plugin}/search", basic(TOKEN) if headers is None else headers, **query)
    return answer.status, json.loads(answer.body)


def test_metadata_may_be_read_from_any_page_and_kept(plugin: str) -> None:
    answer = ask(f"{plugin}/metadata")
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Type"] == "application/json"
    assert "max-age" in answer.headers["Cache-Control"]


def test_the_page_may_be_framed_and_leaks_nothing(plugin: str) -> None:
    answer = ask(f"{plugin}/show", server="http://o", documentSetId="7", apiToken=TOKEN)
    assert answer.status == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers
    assert TOKEN.encode() not in answer.body
    assert b"//" not in answer.body


@pytest.mark.parametrize(("name", "kind"), [("show.css", "text/css"), ("show.js", "text/javascript")])
def test_the_page_has_its_files(plugin: str, name: str, kind: str) -> None:
    assert f"static/{name}".encode() in ask(f"{plugin}/show").body
    answer = ask(f"{plugin}/static/{name}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(kind)


def test_the_page_may_be_for_one_overview_alone(serve: Serve, queue: WorkQueue) -> None:
    url = serve(create_plugin(queue, frame_ancestors="https://overview.example"))
    assert ask(f"{url}/show").headers["Content-Security-Policy"].endswith("frame-ancestors https://overview.example")


def test_events_arrive_one_by_one(serve: Serve, plugin: str) -> None:
    batches = threading.Semaphore(0)
    app = create_overview_api(
        make_document_set(45), TOKEN, delay=0.25, wait=lambda _: batches.acquire(timeout=PATIENCE)
    )
    connection = http.client.HTTPConnection(urlsplit(plugin).netloc, timeout=PATIENCE)
    form = urlencode({"server": serve(app), "documentSetId": "7"})
    connection.request("POST", "/generate", form, basic(TOKEN) | FORM)
    response = connection.getresponse()
    text = ""
    for done in (0, 20, 40, 45):
        while f"Indexed {done} of 45" not in text:
            piece = response.read1().decode()
            assert piece, "the stream ended too early"
            text += piece
        batches.release()
    text += response.read().decode()
    connection.close()
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    first, *lines, last = text.split("\n", text.count("\n") - 1)
    assert (first, last) == ("[", "]\n")
    events = [json.loads(line.removeprefix(",")) for line in lines]
    assert set(events[0]) == {"n_ahead_in_queue", "fraction", "message", "returncode", "error"}
    assert [event["returncode"] for event in events] == [None] * (len(events) - 1) + [0]


def test_what_is_built_is_answered_at_once(plugin: str, overview: str) -> None:
    first = generate(plugin, server=overview, documentSetId="7")
    assert json.loads(first.body)[-1]["returncode"] == 0
    assert generate(plugin, server=overview, documentSetId="7").body == b"[]\n"


@pytest.mark.parametrize("headers", [basic(TOKEN, "x-api-token"), basic(TOKEN, ""), {}])
def test_any_password_will_do_and_so_will_a_form_field(plugin: str, overview: str, headers: dict[str, str]) -> None:
    form = {} if headers else {"apiToken": TOKEN}
    answer = generate(plugin, headers, server=overview, documentSetId="7", **form)
    assert json.loads(answer.body)[-1]["returncode"] == 0


def test_a_failure_is_the_last_event(serve: Serve, plugin: str) -> None:
    breaking = serve(create_overview_api(make_document_set(45), TOKEN, truncate_after=10))
    answer = generate(plugin, server=breaking, documentSetId="7")
    last = json.loads(answer.body)[-1]
    assert last["returncode"] == 1
    assert "broke off" in last["error"]
    assert TOKEN.encode() not in answer.body


def test_a_token_that_overview_does_not_know_runs_nothing(plugin: str, overview: str) -> None:
    for token, number, status in (("wrong0secret", "7", 401), (TOKEN, "8", 403)):
        answer = generate(plugin, basic(token), server=overview, documentSetId=number)
        assert answer.status == status
        assert "API token" in json.loads(answer.body)["detail"]
        assert token.encode() not in answer.body


def test_a_request_that_can_never_run_is_refused(plugin: str, overview: str) -> None:
    complete = {"server": overview, "documentSetId": "7"}
    for form, headers, status, detail in (
        ({"server": overview}, basic(TOKEN), 400, "documentSetId is missing"),
        ({"documentSetId": "7"}, basic(TOKEN), 400, "server is missing"),
        (complete, {}, 401, "the API token is missing"),
        (complete, basic(""), 401, "the API token is missing"),
        (complete, {"Authorization": f"Bearer {TOKEN}"}, 401, "the API token is missing"),
        (complete | {"server": "ftp://overview"}, basic(TOKEN), 400, "server must be an http://"),
        (complete | {"documentSetId": "7\0"}, basic(TOKEN), 400, "documentSetId must not contain a NUL"),
    ):
        answer = generate(plugin, headers, **form)
        assert answer.status == status
        assert json.loads(answer.body)["detail"].startswith(detail)


def test_the_index_is_searched(plugin: str, overview: str) -> None:
    about = {"server": overview, "documentSetId": "7"}
    generate(plugin, **about)
    status, body = search(plugin, q=" word4 common ", **about)
    assert (status, body["query"], body["total"]) == (200, "word4 common", 6)
    status, body = search(plugin, q="word44", **about)
    assert body["hits"] == [
        {
            "id": (7 << 32) + 44,
            "title": "Title 44",
            "snippet": "common word44 café 😀",
            "parts": ["common ", "word44", " café 😀"],
        }
    ]
    for words in ('"', "*", "NEAR(", "a AND OR", "title:x", "\0", "word44\0*"):
        assert search(plugin, q=words, **about)[0] == 200


def test_a_search_that_makes_no_sense_is_refused(plugin: str, overview: str) -> None:
    about = {"server": overview, "documentSetId": "7"}
    token = basic(TOKEN)
    for query, headers, status, detail in (
        (about | {"q": "x"}, token, 404, "There is no index yet"),
        (about, token, 400, "q is needed"),
        (about | {"q": "  "}, token, 400, "q is needed"),
        (about | {"q": "x" * 501}, token, 400, "q may have at most 500 characters"),
        ({"q": "x"}, token, 400, "server is missing"),
        (about | {"q": "x"}, {}, 401, "the API token is missing"),
        (about | {"q": "x", "apiToken": TOKEN}, {}, 401, "the API token is missing"),
        (about | {"q": "x", "server": "ftp://o"}, token, 400, "server must be an http://"),
    ):
        answer_status, body = search(plugin, headers, **query)
        assert answer_status == status
        assert body["detail"].startswith(detail)


def test_an_index_that_cannot_be_read_is_told(queue: WorkQueue, plugin: str) -> None:
    path = Path(queue.destination_path_for_params(OverviewViewParams("http://o", "7", TOKEN)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("junk" * 1000)
    status, body = search(plugin, server="http://o", documentSetId="7", q="x")
    assert status == 500
    assert body["detail"].startswith("The index cannot be read: ")
