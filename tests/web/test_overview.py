"""Overview's word on a token, asked of the stand-in for its API by real requests."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from flask import Flask, Response, redirect, request, request_started

from workqueue import OverviewViewParams
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
        (Response("not json"), 502),
        (Response(b"\xff"), 502),
        (Response("{" + " " * 100_000 + "}"), 502),
        (Response("", 404), 502),
        (Response("", 500), 502),
        (redirect("http://127.0.0.1:1/"), 502),
    ],
)
def test_another_answer_is_no_yes(response: Response, status: int) -> None:
    app = Flask("odd")
    app.add_url_rule("/api/v1/api-token", view_func=lambda: response)
    with serving(app, listen("127.0.0.1", 0)) as url:
        assert verdict(OverviewTokenCheck(), OverviewViewParams(url, "42", "t")) == status


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


@pytest.mark.parametrize("options", [{"ttl": -1.0}, {"ttl": float("nan")}, {"timeout": 0.0}])
def test_an_option_that_cannot_work_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be a number of seconds"):
        OverviewTokenCheck(**options)
