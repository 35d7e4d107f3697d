"""Overview's word on a token, asked of the stand-in for its API by real requests."""

import contextlib
import itertools
import math
import queue
import select
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask, Response, redirect, request, request_started

from workqueue import InvalidParams, OverviewViewParams
from workqueue.demo.documents import DocumentSet
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.server import listen, serving
from workqueue.demo.texts import Text
from workqueue.web import OverviewTokenCheck, Problem


class Overview(NamedTuple):
    """A server, and the requests that it got."""

    url: str
    requests: list[str]


@pytest.fixture
def overview() -> Iterator[Overview]:
    """Knows the token `good`, of document set 42."""
    app = create_overview_api(DocumentSet.from_texts(42, [Text("id", "title", "body")]), "good")
    requests: list[str] = []

    def note(sender: Flask, **_: object) -> None:
        requests.append(request.path)

    request_started.connect(note, app)
    with serving(app, listen("127.0.0.1", 0)) as url:
        yield Overview(url, requests)


def verdict(check: OverviewTokenCheck, params: OverviewViewParams) -> int:
    try:
        check(params)
    except Problem as problem:
        return problem.status
    return 200


def test_overview_decides(overview: Overview) -> None:
    check = OverviewTokenCheck()
    assert verdict(check, OverviewViewParams(overview.url, "42", "good")) == 200
    assert verdict(check, OverviewViewParams(f"{overview.url}/", "42", "good")) == 200
    assert verdict(check, OverviewViewParams(overview.url, "43", "good")) == 403
    assert verdict(check, OverviewViewParams(overview.url, "42", "bad")) == 401


def test_a_verdict_is_remembered_yes_or_no(overview: Overview) -> None:
    check = OverviewTokenCheck()
    for token, status in (("good", 200), ("bad", 401)):
        overview.requests.clear()
        for _ in range(3):
            assert verdict(check, OverviewViewParams(overview.url, "42", token)) == status
        assert len(overview.requests) == 1


def test_a_verdict_is_forgotten_in_time(overview: Overview, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("workqueue.web.overview.time.monotonic", lambda: now[0])
    check, params = OverviewTokenCheck(ttl=30.0), OverviewViewParams(overview.url, "42", "good")
    check(params)
    now[0] += 29.9
    check(params)
    assert len(overview.requests) == 1
    now[0] += 0.2
    check(params)
    assert len(overview.requests) == 2


def test_the_memory_is_bounded_and_forgets_the_oldest(overview: Overview, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workqueue.web.overview._MAX_VERDICTS", 2)
    check = OverviewTokenCheck()
    for token in ("a", "b", "c", "c", "b", "a"):
        verdict(check, OverviewViewParams(overview.url, "42", token))
    assert len(overview.requests) == 4  # the last one again


def test_an_overview_that_is_away_is_told_without_its_address() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    check = OverviewTokenCheck()
    params = OverviewViewParams(f"http://127.0.0.1:{port}", "42", "good")
    with pytest.raises(Problem, match="502 Bad Gateway: Overview cannot be asked") as caught:
        check(params)
    assert str(port) not in caught.value.detail


def test_an_overview_that_says_nothing_is_given_up() -> None:
    with listen("127.0.0.1", 0) as silent:
        port = silent.getsockname()[1]
        assert (
            verdict(OverviewTokenCheck(timeout=0.05), OverviewViewParams(f"http://127.0.0.1:{port}", "42", "x")) == 502
        )


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (Response('{"documentSetId": 42}'), 200),
        (Response('{"documentSetId": "42"}'), 200),
        (Response("{}"), 403),
        (Response("[]"), 403),
        (Response('{"documentSetId": null}'), 403),
        (Response('{"documentSetId": [42]}'), 403),
        (Response("[" * 60_000), 502),
        (Response("not json"), 502),
        (Response(b"\xff"), 502),
        (Response("{" + " " * 100_000 + "}"), 502),
        (Response("", 404), 502),
        (Response("", 500), 502),
    ],
)
def test_another_answer_is_no_yes(response: Response, status: int) -> None:
    app = Flask("odd")
    app.add_url_rule("/api/v1/api-token", view_func=lambda: response)
    with serving(app, listen("127.0.0.1", 0)) as url:
        assert verdict(OverviewTokenCheck(), OverviewViewParams(url, "42", "t")) == status


@pytest.mark.parametrize(
    ("document_set_id", "answer"),
    [("None", "{}"), ("None", '{"documentSetId": null}'), ("True", '{"documentSetId": true}')],
)
def test_a_token_of_no_document_set_is_good_for_none(document_set_id: str, answer: str) -> None:
    app = Flask("odd")
    app.add_url_rule("/api/v1/api-token", view_func=lambda: answer)
    with serving(app, listen("127.0.0.1", 0)) as url:
        assert verdict(OverviewTokenCheck(), OverviewViewParams(url, document_set_id, "t")) == 403


def test_no_redirect_is_followed(overview: Overview) -> None:
    """Not even to an Overview that would say yes: it may lead to what only this server reaches."""
    app = Flask("odd")
    app.add_url_rule("/api/v1/api-token", view_func=lambda: redirect(f"{overview.url}/api/v1/api-token"))
    with serving(app, listen("127.0.0.1", 0)) as url:
        assert verdict(OverviewTokenCheck(), OverviewViewParams(url, "42", "good")) == 502
    assert overview.requests == []


def test_what_is_no_address_of_an_overview_is_not_opened(tmp_path: Path) -> None:
    """Also where nobody has checked the parameters before."""
    (tmp_path / "x.json").write_text('{"documentSetId": 42}')
    for server in (f"file://{tmp_path}/x.json#", "ftp://localhost", "data:,"):
        with pytest.raises(InvalidParams):
            OverviewTokenCheck()(OverviewViewParams(server, "42", "good"))


@contextmanager
def dripping(*pieces: bytes) -> Iterator[tuple[str, threading.Event]]:
    """A server that sends the pieces over and over, as long as its client is there; and whether it was asked."""
    is_asked = threading.Event()

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                is_asked.set()
                for piece in itertools.cycle(pieces):
                    connection.sendall(piece)
                    # Until the client leaves, or the next piece is due; well within the time-out for one.
                    if select.select([connection], [], [], 0.02)[0]:
                        return

    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=drip, args=[listener])
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", is_asked
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("pieces", [[b"HTTP/1.1 100 Continue\r\n\r\n"], [b"x"]])
def test_an_overview_that_drips_is_given_up(pieces: list[bytes]) -> None:
    """Each byte comes in time; a socket's own time-out would wait for ever."""
    with dripping(*pieces) as (url, is_asked):
        assert verdict(OverviewTokenCheck(timeout=0.3), OverviewViewParams(url, "42", "t")) == 502
        assert is_asked.is_set()


def test_trouble_is_remembered_for_a_moment_and_told_to_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("odd")
    asked: list[str] = []
    app.add_url_rule("/api/v1/api-token", view_func=lambda: asked.append("") or Response("", 500))
    with serving(app, listen("127.0.0.1", 0)) as url:
        check, params = OverviewTokenCheck(), OverviewViewParams(url, "42", "s3cret")
        assert [verdict(check, params) for _ in range(3)] == [502] * 3
    assert len(asked) == 1
    [record] = caplog.records
    assert (record.name, record.getMessage()) == (
        "workqueue",
        f"Overview at {url} answered HTTP 500 when asked about an API token",
    )


class Gate:
    """An Overview that says yes once it may."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.opened = threading.Event()

    def app(self) -> Flask:
        app = Flask("gate")
        app.add_url_rule("/api/v1/api-token", view_func=self._answer)
        return app

    def _answer(self) -> Response:
        self.asked.put(request.headers["Authorization"])
        assert self.opened.wait(10)
        return Response('{"documentSetId": 42}')


def test_of_many_who_ask_the_same_at_once_one_asks_overview() -> None:
    gate, check = Gate(), OverviewTokenCheck()
    with serving(gate.app(), listen("127.0.0.1", 0)) as url, ThreadPoolExecutor(8) as executor:
        params = OverviewViewParams(url, "42", "good")
        first = executor.submit(verdict, check, params)
        gate.asked.get(timeout=10)
        # The first is under way until the gate opens, so none of the others can find a verdict.
        others = [executor.submit(verdict, check, params) for _ in range(7)]
        gate.opened.set()
        assert [future.result(10) for future in (first, *others)] == [200] * 8
        assert gate.asked.empty()


def test_who_comes_when_too_many_are_asked_about_is_told_to_come_again() -> None:
    """A slow Overview takes no more threads than that, and nobody is remembered as refused."""
    gate, check = Gate(), OverviewTokenCheck(max_asking=1)
    with serving(gate.app(), listen("127.0.0.1", 0)) as url, ThreadPoolExecutor(1) as executor:
        first = executor.submit(verdict, check, OverviewViewParams(url, "42", "one"))
        gate.asked.get(timeout=10)
        with pytest.raises(Problem, match="503 Service Unavailable: too many API tokens") as caught:
            check(OverviewViewParams(url, "42", "two"))
        assert caught.value.headers["Retry-After"] == "5"
        gate.opened.set()
        assert first.result(10) == 200
        assert verdict(check, OverviewViewParams(url, "42", "two")) == 200


def test_bad_tokens_make_no_good_one_forgotten(overview: Overview, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workqueue.web.overview._MAX_VERDICTS", 1)
    check, good = OverviewTokenCheck(), OverviewViewParams(overview.url, "42", "good")
    check(good)
    for token in ("a", "b", "c"):
        verdict(check, OverviewViewParams(overview.url, "42", token))
    overview.requests.clear()
    check(good)
    assert overview.requests == []


def test_threads_may_share_one(overview: Overview) -> None:
    check, barrier = OverviewTokenCheck(), threading.Barrier(8)

    def ask(i: int) -> int:
        barrier.wait()
        return verdict(check, OverviewViewParams(overview.url, "42", "good" if i % 2 else "bad"))

    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(ask, range(8))) == [401, 200] * 4


def test_only_overview_has_tokens() -> None:
    with pytest.raises(TypeError, match="OverviewTokenCheck needs OverviewViewParams; got tuple"):
        OverviewTokenCheck()(("a", "b"))


@pytest.mark.parametrize("options", [{"ttl": -1.0}, {"ttl": math.nan}, {"timeout": 0.0}, {"timeout": math.inf}])
def test_an_option_that_cannot_work_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be a number of seconds"):
        OverviewTokenCheck(**options)


def test_somebody_must_be_allowed_to_ask() -> None:
    with pytest.raises(ValueError, match="max_asking must be 1 or more; got 0"):
        OverviewTokenCheck(max_asking=0)
