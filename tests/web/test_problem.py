"""Refusals and their bodies."""

import json
import pickle
from typing import NamedTuple

import pytest

from workqueue import InvalidParams, OverviewViewParams, QueueClosed, QueueFull, WorkQueueError
from workqueue.errors import StorageError
from workqueue.params import check_params
from workqueue.web import Problem


def test_a_problem_says_what_it_is() -> None:
    problem = Problem(403, "not yours", {"X-Reason": "quota"})
    assert isinstance(problem, WorkQueueError)
    assert str(problem) == "403 Forbidden: not yours"
    assert json.loads(problem.body()) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "not yours",
    }
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.headers["Cache-Control"] == "no-store"
    assert problem.headers["X-Reason"] == "quota"


def test_a_problem_survives_pickling() -> None:
    problem = pickle.loads(pickle.dumps(Problem(401, "who are you?", {"X-Reason": "x"}, {"more": 1})))
    assert (problem.status, problem.detail, problem.headers["X-Reason"]) == (401, "who are you?", "x")
    assert problem.members == {"more": 1}


def test_a_problem_may_say_more_to_programs() -> None:
    body = json.loads(Problem(404, "not there", members={"generate": "/generate"}).body())
    assert (body["status"], body["generate"]) == (404, "/generate")


@pytest.mark.parametrize("status", [0, 200, 304, 600, 499])
def test_a_problem_has_the_status_of_one(status: int) -> None:
    with pytest.raises(ValueError, match=f"{status}"):
        Problem(status, "no")


def test_who_is_to_say_who_he_is_is_told_how_and_his_browser_does_not_ask_him() -> None:
    assert Problem(401, "who?").headers["WWW-Authenticate"].startswith("x-Basic ")
    headers = Problem(401, "who?", {"www-authenticate": "Bearer"}).headers
    assert [value for name, value in headers.items() if name.lower() == "www-authenticate"] == ["Bearer"]


@pytest.mark.parametrize(
    ("name", "value"), [("X", "a\r\nSet-Cookie: b"), ("X\n", "a"), ("X", "\u2713"), ("", ""), ("X:", "a")]
)
def test_a_header_that_would_be_more_than_one_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="a header of a problem must be"):
        Problem(400, "no", {name: value})


def test_a_header_takes_the_place_of_its_like_however_it_is_written() -> None:
    problem = Problem(400, "no", {"content-type": "text/plain"})
    assert [value for name, value in problem.headers.items() if name.lower() == "content-type"] == ["text/plain"]


def test_bad_parameters_are_the_clients_fault_and_a_full_queue_is_not() -> None:
    problem = Problem.of(InvalidParams("server must be a URL"))
    assert (problem.status, problem.detail) == (400, "server must be a URL")
    assert "Retry-After" not in problem.headers
    for error in (QueueFull("the queue is full"), QueueClosed("the queue was closed")):
        problem = Problem.of(error)
        assert (problem.status, problem.detail, problem.headers["Retry-After"]) == (503, str(error), "5")


def test_a_problem_is_one_already_and_what_is_no_refusal_is_none() -> None:
    problem = Problem(403, "not yours")
    assert Problem.of(problem) is problem
    with pytest.raises(TypeError, match="StorageError refuses no request") as error:
        Problem.of(StorageError("Cannot make the directory /secret"))
    assert isinstance(error.value.__cause__, StorageError)


class Own(NamedTuple):
    document_set_id: str


def test_a_view_of_ones_own_names_overviews_fields_as_overview_does() -> None:
    """And a field of one's own parameters as they do, since nobody knows what the client calls it."""
    for name, sent_as in (("document_set_id", "documentSetId"), ("api_token", "apiToken"), ("server", "server")):
        with pytest.raises(InvalidParams) as caught:
            check_params(OverviewViewParams("http://h", "1", "t")._replace(**{name: ""}))
        assert Problem.of(caught.value).detail.startswith(f"{sent_as} must")
        assert str(caught.value).startswith(f"{name} must")
        assert pickle.loads(pickle.dumps(caught.value)).for_client() == caught.value.for_client()
    with pytest.raises(InvalidParams) as caught:
        check_params(Own("\0"))
    assert Problem.of(caught.value).detail.startswith("document_set_id must")
