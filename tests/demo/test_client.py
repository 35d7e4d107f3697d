"""The client: answers as they come, and clear words when they do not."""

import itertools
import json
from collections.abc import Callable

import pytest
from flask import Flask, Response, request

from tests.demo.conftest import TOKEN, basic
from workqueue import OverviewViewParams
from workqueue.demo.client import Client, ClientError, _ArrayDecoder
from workqueue.demo.server import listen

Serve = Callable[[Flask], str]
PARAMS = OverviewViewParams("http://overview", "7", TOKEN)


@pytest.fixture
def client_of(serve: Serve) -> Callable[..., Client]:
    """A client of a server that answers everything so."""

    def make(body: str, status: int = 200) -> Client:
        app = Flask("canned")
        app.add_url_rule("/<path:_>", view_func=lambda _: Response(body, status), methods=["GET", "POST"])
        return Client(serve(app), PARAMS)

    return make


def test_every_cut_of_an_array_gives_the_same_elements() -> None:
    events = [{"a": "]"}, {"b": "é \n ,"}]
    text = ("[\n" + ",\n".join(json.dumps(event, ensure_ascii=False) for event in events) + "\n]").encode()
    for i, j in itertools.combinations_with_replacement(range(len(text) + 1), 2):
        decoder = _ArrayDecoder()
        found = [event for piece in (text[:i], text[i:j], text[j:]) for event in decoder.feed(piece)]
        assert found == events
        assert decoder.ended


def test_an_element_is_given_before_the_next_piece() -> None:
    decoder = _ArrayDecoder()
    assert list(decoder.feed(b'[\n{"a": 1}')) == [{"a": 1}]
    assert not decoder.ended
    assert list(decoder.feed(b"\n]")) == []
    assert decoder.ended


def test_it_says_who_asks_and_about_what(serve: Serve) -> None:
    app = Flask("echo")
    app.add_url_rule("/prefix/<path:_>", view_func=lambda _: echo(), methods=["GET", "POST"])

    def echo() -> list[object]:
        return [{"form": request.form, "query": request.args, "auth": request.headers["Authorization"]}]

    client = Client(serve(app) + "/prefix/", PARAMS, password="x")
    about = {"server": "http://overview", "documentSetId": "7"}
    auth = basic(TOKEN, "x")["Authorization"]
    assert list(client.generate()) == [{"form": about, "query": {}, "auth": auth}]
    assert client.search("é &") == [{"form": {}, "query": {"q": "é &", **about}, "auth": auth}]


def test_an_array_without_end_is_an_error(client_of: Callable[..., Client]) -> None:
    events = client_of('[\n{"a": 1},\n{"b"').generate()
    assert next(events) == {"a": 1}
    with pytest.raises(ClientError, match="POST /generate: the stream broke off before its end"):
        next(events)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ('{"message": "No index"}', 404, "GET /search: HTTP 404: No index"),
        ("<html>", 502, "GET /search: HTTP 502: BAD GATEWAY"),
        ("[]", 500, "GET /search: HTTP 500: INTERNAL SERVER ERROR"),
        ("<html>", 200, "GET /search: the answer is not JSON"),
    ],
)
def test_any_other_answer_is_an_error(client_of: Callable[..., Client], body: str, status: int, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        client_of(body, status).search("x")
    assert str(caught.value) == message


def test_no_server_is_an_error() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    for scheme in ("http", "https"):
        with pytest.raises(ClientError, match=r"GET /metadata: .*refused"):
            Client(f"{scheme}://127.0.0.1:{port}", PARAMS).get("/metadata")
