"""What `progress_responses` says of an endpoint; tests/recipes/test_openapi.py holds real answers against it."""

import json
from typing import Any

import pytest
from fastapi import FastAPI, Request
from jsonschema import Draft202012Validator

from tests.web.conftest import Reply
from tests.web.schemas import ARRAY, EVENT, PROBLEM, events_of, spoil
from workqueue import InvalidParams, QueueClosed, QueueFull
from workqueue.web import Problem, progress_responses
from workqueue.web.encodings import ENCODINGS, Encoding, NdJson, ServerSent


def schema_of(media_type: dict[str, Any]) -> dict[str, Any]:
    """A schema, as it is by itself."""
    return {"$schema": EVENT.schema["$schema"], **media_type["schema"]}


def test_each_form_has_the_schema_of_an_event_or_of_the_array() -> None:
    content = progress_responses()[200]["content"]
    assert list(content) == [encoding.media_type for encoding in ENCODINGS]
    array, *others = content.values()
    assert schema_of(array) == ARRAY.schema
    assert [schema_of(other) for other in others] == [EVENT.schema, EVENT.schema]


@pytest.mark.parametrize("encoding", [NdJson, ServerSent], ids=lambda encoding: encoding.media_type)
def test_the_examples_are_whole_streams(encoding: type[Encoding]) -> None:
    body = progress_responses()[200]["content"][encoding.media_type]["example"].encode()
    events = events_of(Reply(200, [("Content-Type", encoding.content_type)], body))
    for event in events:
        EVENT.validate(event)
    assert [event["returncode"] for event in events] == [None, None, 0]


def test_refusals_are_those_that_a_queue_gives() -> None:
    responses = progress_responses()
    for error in InvalidParams("no"), QueueFull("full"), QueueClosed("closed"):
        problem = Problem.of(error)
        response = responses[problem.status.value]
        assert schema_of(response["content"][problem.headers["Content-Type"]]) == PROBLEM.schema
        for name, header in response.get("headers", {}).items():
            Draft202012Validator(header["schema"]).validate(int(problem.headers[name]))


def test_it_is_its_callers_to_change() -> None:
    before = json.dumps(progress_responses())
    spoil(progress_responses())
    assert json.dumps(progress_responses()) == before


def test_fastapi_shows_it_as_it_is_beside_what_the_author_adds() -> None:
    app = FastAPI()
    added: dict[int | str, dict[str, Any]] = {403: {"description": "You may not."}}

    @app.get("/generate", responses={**progress_responses(), **added})
    @app.post("/generate", responses=progress_responses())
    def generate(request: Request) -> None:
        """Is not called here."""

    path = app.openapi()["paths"]["/generate"]
    expected = {str(status): response for status, response in progress_responses().items()}
    assert path["post"]["responses"] == expected
    assert path["get"]["responses"] == {**expected, "403": added[403]}
