"""The page at `/`: what it is told, and what its buttons do."""

import json
import os
from collections.abc import Iterator

import pytest

from tests.demo.conftest import ask
from tests.demo.library_demo import LINES, LibraryDemo, library_demo
from workqueue.demo.home import show_query
from workqueue.errors import StorageError
from workqueue.params import OverviewViewParams
from workqueue.storage import DiskStorage

BUTTONS = ("sets/1/cancel", "sets/1/kill", "sets/1/progress", "start-over")


@pytest.fixture
def demo() -> Iterator[LibraryDemo]:
    with library_demo() as demo:
        yield demo


def test_the_page_has_the_sets_and_may_be_framed_by_nobody(demo: LibraryDemo) -> None:
    answer = ask(f"{demo.url}/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.body.decode()
    for title in ("Alpha", "Beta", "Gamma", "Delta"):
        assert f">{title}</h2>" in page
    assert list(demo.tokens) == ["1", "2", "3", "4"]
    assert len(set(demo.tokens.values())) == 4
    assert f"documentSetId=3&amp;apiToken={demo.tokens['3']}" in page
    assert page.count("its first build fails") == 1
    assert "<script>" not in page
    assert "style=" not in page
    for name in ("home.js", "home.css", "search.js"):
        assert ask(f"{demo.url}/static/{name}").status == 200


def test_a_set_from_the_line_to_its_index(demo: LibraryDemo) -> None:
    assert {now["state"] for now in demo.standing().values()} == {"idle"}
    with demo.generate("1"), demo.generate("2"), demo.generate("3") as third, demo.generate("3") as again:
        assert third.first()["n_ahead_in_queue"] == 2
        assert again.first()["n_ahead_in_queue"] == 2
        pids = [demo.runs("1"), demo.runs("2")]
        assert demo.standing() == {
            "1": {"state": "running", "pid": pids[0]},
            "2": {"state": "running", "pid": pids[1]},
            "3": {"state": "waiting", "pid": None},
            "4": {"state": "idle", "pid": None},
        }
        demo.gates.open("1")
        demo.stands("1", "built")
        assert demo.runs("3") not in pids
        demo.gates.open("3")
        assert third.last()["returncode"] == again.last()["returncode"] == 0
    assert demo.search("1", "alpha word7")["total"] == 1


def test_what_waits_and_what_runs_is_cancelled(demo: LibraryDemo) -> None:
    with demo.generate("1") as first, demo.generate("2"), demo.generate("3") as third:
        demo.runs("1")
        assert demo.post("sets/3/cancel").status == 204
        assert third.last()["error"] == "The job was cancelled."
        assert demo.post("sets/1/cancel").status == 204
        assert first.last()["error"] == "The job was cancelled."
        assert demo.standing()["1"] == demo.standing()["3"] == {"state": "failed", "pid": None}
    assert demo.post("sets/1/cancel").status == 204  # there is nothing to cancel


def test_a_program_that_is_killed_and_its_set_built_again(demo: LibraryDemo) -> None:
    assert demo.post("sets/1/kill").status == 409
    with demo.generate("1") as build:
        pid = demo.runs("1")
        os.kill(pid, 0)
        assert demo.post("sets/1/kill").status == 204
        assert build.last()["returncode"] == -9
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert demo.standing()["1"] == {"state": "failed", "pid": None}
    demo.gates.open("1")
    with demo.generate("1") as build:
        assert build.last()["returncode"] == 0
    assert demo.standing()["1"] == {"state": "built", "pid": None}


def test_a_build_that_fails_is_tried_again_and_fails_once_more_after_a_new_start(demo: LibraryDemo) -> None:
    demo.gates.open("4")
    returncodes = []
    for _ in range(3):
        with demo.generate("4") as build:
            returncodes.append(build.last()["returncode"])
    assert returncodes == [1, 0, 0]
    with demo.generate("1") as first:
        demo.runs("1")
        assert demo.post("start-over").status == 204
        assert first.last()["error"] == "The job was cancelled."
    assert {now["state"] for now in demo.standing().values()} == {"idle"}
    with demo.generate("4") as build:
        assert "broke off" in build.last()["error"]


@pytest.mark.parametrize("button", BUTTONS)
def test_only_the_page_may_press_its_buttons(demo: LibraryDemo, button: str) -> None:
    with demo.generate("1") as build:
        pid = demo.runs("1")
        for headers in (
            {},
            {"Origin": "null"},
            {"Origin": "http://elsewhere.example"},
            {"Origin": demo.url.replace("http:", "https:")},
            {"Origin": demo.url, "Sec-Fetch-Site": "cross-site"},
            # What a name that was made to mean 127.0.0.1 has the browser say.
            {"Origin": "http://elsewhere.example", "Host": "elsewhere.example", "Sec-Fetch-Site": "same-origin"},
        ):
            answer = demo.post(button, headers)
            assert answer.status == 403
            assert f"open {demo.url}/".encode() in answer.body
        assert demo.standing()["1"] == {"state": "running", "pid": pid}
        assert ask(f"{demo.url}/{button}").status == 405
        demo.gates.open("1")
        assert build.last()["returncode"] == 0
    assert demo.standing()["1"]["state"] == "built"
    localhost = demo.url.replace("127.0.0.1", "localhost")
    assert demo.post("start-over", {"Origin": localhost}).status == 204


def test_what_waits_is_told_in_short_responses_and_a_page_that_follows_starts_nothing(demo: LibraryDemo) -> None:
    answer = demo.follow("3")
    assert answer.status == 409
    assert b"nothing builds this set" in answer.body
    assert demo.standing()["3"]["state"] == "idle"
    with demo.generate("1"), demo.generate("2"):
        demo.runs("1")
        demo.runs("2")
        started = [json.loads(line) for line in demo.post("sets/3/progress", demo.own | LINES).body.splitlines()]
        followed = [json.loads(line) for line in demo.follow("3").body.splitlines()]
        for event in started + followed:
            assert (event["n_ahead_in_queue"], event["returncode"]) == (2, None)
        assert demo.post("sets/3/cancel").status == 204
        for _ in range(2):
            assert json.loads(demo.follow("3").body.splitlines()[-1])["error"] == "The job was cancelled."
        assert demo.standing()["3"]["state"] == "failed"
        for number in "123":
            demo.gates.open(number)
        demo.post("sets/3/progress", demo.own | LINES)
        demo.stands("3", "built")
        for answer in (demo.post("sets/3/progress", demo.own | LINES), demo.follow("3")):
            assert json.loads(answer.body.splitlines()[-1])["returncode"] == 0


def test_a_set_that_is_not_there(demo: LibraryDemo) -> None:
    for action in ("cancel", "kill", "progress"):
        answer = demo.post(f"sets/9/{action}")
        assert answer.status == 404
        assert b"there is no document set '9'" in answer.body


def test_an_overview_elsewhere_is_not_asked(demo: LibraryDemo) -> None:
    demo.server = "http://127.0.0.1:9"
    with demo.generate("1") as build:
        assert "server" in build.first()["detail"]


def test_the_address_of_a_set_is_overviews() -> None:
    assert show_query(OverviewViewParams("http://o", "7", "t")) == {
        "server": "http://o",
        "origin": "http://o",
        "documentSetId": "7",
        "apiToken": "t",
    }


def test_a_storage_that_cannot_be_had(
    demo: LibraryDemo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("/a/secret/place cannot be read")

    for name in ("info", "delete"):
        monkeypatch.setattr(DiskStorage, name, refuse)
    for answer in (ask(f"{demo.url}/sets"), demo.follow("1"), demo.post("start-over")):
        assert answer.status == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert b"secret" not in answer.body
    assert caplog.messages == ["/a/secret/place cannot be read"] * 3
