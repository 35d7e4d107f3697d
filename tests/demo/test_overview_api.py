"""The stand-in for Overview's API, over real HTTP."""

import base64
import http.client
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.demo.conftest import PATIENCE, TOKEN, Answer, ask, basic, make_document_set
from workqueue.demo.documents import ALL_FIELDS
from workqueue.demo.overview_api import create_overview_api

Serve = Callable[[Flask], str]


@pytest.fixture
def api(serve: Serve) -> str:
    """A set of 45 documents, number 7; its two newest selections are kept."""
    return serve(create_overview_api(make_document_set(45), TOKEN, max_selections=2)) + "/api/v1"


def get(api: str, path: str, **query: Any) -> Answer:
    return ask(api + path, basic(TOKEN), **query)


def get_documents(api: str, **query: Any) -> Any:
    answer = get(api, "/document-sets/7/documents", **query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("wrong"),
        basic(""),
        basic(TOKEN, "x-api-token"),
        {"Authorization": "Bearer " + TOKEN},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
    ],
)
def test_without_the_right_token_and_password_401(api: str, headers: dict[str, str]) -> None:
    answer = ask(f"{api}/document-sets/7/documents", headers)
    assert answer.status == 401
    body = json.loads(answer.body)
    assert list(body) == ["message"]
    assert body["message"].startswith("You must set an Authorization header of 'Basic #{base64encode(")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/document-sets/8/documents", "/document-sets/8/tags"])
def test_another_document_set_403(api: str, path: str) -> None:
    answer = get(api, path)
    assert answer.status == 403
    assert json.loads(answer.body)["message"].startswith("Your API token is valid, but")


@pytest.mark.parametrize(("path", "status"), [("/api-token", 200), ("/nonsense", 404), ("/store/state", 200)])
def test_every_answer_may_be_read_from_any_page(api: str, path: str, status: int) -> None:
    answer = get(api, path)
    assert answer.status == status
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert answer.headers["Access-Control-Allow-Headers"] == "origin, authorization, content-type, accept"


def test_a_preflight_needs_no_token(api: str) -> None:
    answer = ask(f"{api}/anything/at/all", method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == "DELETE, PUT, POST, GET, OPTIONS"
    assert answer.headers["Access-Control-Max-Age"] == "1728000"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_token_tells_what_it_is_for(api: str) -> None:
    body = json.loads(get(api, "/api-token").body)
    assert (body["token"], body["documentSetId"]) == (TOKEN, 7)
    assert set(body) == {"token", "description", "createdAt", "userEmail", "documentSetId"}


def test_a_page_has_the_default_fields(api: str) -> None:
    page = get_documents(api)
    assert set(page) == {"selectionId", "warnings", "pagination", "items"}
    assert page["warnings"] == []
    assert page["pagination"] == {"offset": 0, "limit": 1000, "total": 45}
    assert page["items"][1] == {
        "id": (7 << 32) + 1,
        "pageNumber": None,
        "suppliedId": "file-1",
        "title": "Title 1",
        "url": None,
    }


@pytest.mark.parametrize(
    ("query", "pagination", "length"),
    [
        ({"limit": 5000}, {"offset": 0, "limit": 1000, "total": 45}, 45),
        ({"fields": "text"}, {"offset": 0, "limit": 20, "total": 45}, 20),
        ({"fields": "id,tokens", "limit": 1000}, {"offset": 0, "limit": 20, "total": 45}, 20),
        ({"fields": "metadata", "limit": 3}, {"offset": 0, "limit": 3, "total": 45}, 3),
        ({"offset": 40}, {"offset": 40, "limit": 1000, "total": 45}, 5),
        ({"offset": 99}, {"offset": 99, "limit": 1000, "total": 45}, 0),
        ({"offset": -1, "limit": 0}, {"offset": 0, "limit": 1, "total": 45}, 1),
        ({"offset": "x", "limit": "9" * 30}, {"offset": 0, "limit": 1000, "total": 45}, 45),
    ],
)
def test_pages_have_limits(api: str, query: dict[str, Any], pagination: dict[str, int], length: int) -> None:
    page = get_documents(api, **query)
    assert page["pagination"] == pagination
    assert len(page["items"]) == length


def test_the_id_is_always_among_the_fields_and_unknown_ones_are_passed_over(api: str) -> None:
    assert set(get_documents(api, fields="title,nonsense")["items"][0]) == {"id", "title"}
    assert len(get_documents(api, fields="nonsense")["items"][0]) == 5


def test_ids_alone_are_a_bare_array_of_all_that_match(api: str) -> None:
    assert get_documents(api, fields="id", limit=1) == [(7 << 32) + i for i in range(45)]
    assert get_documents(api, fields="id", q="WORD44") == [(7 << 32) + 44]


def test_a_selection_stays_the_same_until_it_expires(api: str) -> None:
    page = get_documents(api, q="word1", limit=2)
    selection_id = page["selectionId"]
    assert page["pagination"]["total"] == 11
    following = get_documents(api, selectionId=selection_id, offset=2)
    assert following["selectionId"] == selection_id
    assert [item["title"] for item in following["items"]][:2] == ["Title 11", "Title 12"]
    get_documents(api)
    get_documents(api)
    answer = get(api, "/document-sets/7/documents", selectionId=selection_id)
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not-found")


def test_a_stream_sends_each_batch_as_it_has_it_and_the_total_first(serve: Serve) -> None:
    batches = threading.Semaphore(0)
    app = create_overview_api(
        make_document_set(45), TOKEN, delay=0.25, wait=lambda _: batches.acquire(timeout=PATIENCE)
    )
    connection = http.client.HTTPConnection(urlsplit(serve(app)).netloc, timeout=PATIENCE)
    connection.request("GET", "/api/v1/document-sets/7/documents?stream=true&fields=title", headers=basic(TOKEN))
    response = connection.getresponse()
    assert response.headers["Transfer-Encoding"] == "chunked"
    text = response.read1().decode()
    assert text.endswith('","pagination":{"offset":0,"limit":2147483647,"total":45},"items":[')
    for expected in (20, 40, 45):
        batches.release()
        text += response.read1().decode()
        assert len(json.loads(text + "]}")["items"]) == expected
    assert response.read() == b"]}"
    connection.close()


def test_a_stream_may_be_a_part_and_is_whole_json(api: str) -> None:
    page = get_documents(api, stream="true", offset=40, limit=30, fields=",".join(ALL_FIELDS))
    assert list(page) == ["selectionId", "pagination", "items"]
    assert page["pagination"] == {"offset": 40, "limit": 30, "total": 45}
    assert [item["title"] for item in page["items"]] == [f"Title {i}" for i in range(40, 45)]
    assert page["items"][0]["text"] == "common word40 café 😀"


def test_a_server_that_fails_breaks_its_stream_off(serve: Serve) -> None:
    url = serve(create_overview_api(make_document_set(45), TOKEN, truncate_after=25))
    answer = get(url, "/api/v1/document-sets/7/documents", stream="true", fields="title")
    assert answer.body.count(b'"title"') == 25
    assert not answer.body.endswith(b"]}")


def test_one_document_has_every_field(api: str) -> None:
    answer = get(api, f"/document-sets/7/documents/{(7 << 32) + 3}")
    assert tuple(sorted(json.loads(answer.body))) == tuple(sorted(ALL_FIELDS))
    answer = get(api, "/document-sets/7/documents/3")
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not-found")


def test_there_are_no_tags(api: str) -> None:
    assert get(api, "/document-sets/7/tags").body.strip() == b"[]"


def test_the_state_is_a_json_object_that_is_kept(api: str) -> None:
    def put(body: bytes) -> Answer:
        return ask(f"{api}/store/state", basic(TOKEN), "PUT", body)

    assert json.loads(get(api, "/store/state").body) == {}
    assert json.loads(put(b'{"a": [1]}').body) == {"a": [1]}
    assert json.loads(get(api, "/store/state").body) == {"a": [1]}
    for body, code in ((b"[]", "illegal-arguments"), (b"{", "bad-request"), (b"\xff", "bad-request")):
        answer = put(body)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, code)
    assert json.loads(get(api, "/store/state").body) == {"a": [1]}


def test_errors_have_a_code_and_a_message(api: str) -> None:
    answer = get(api, "/nonsense")
    assert answer.status == 404
    assert json.loads(answer.body).keys() == {"code", "message"}
    answer = ask(f"{api}/api-token", basic(TOKEN), "DELETE")
    assert (answer.status, json.loads(answer.body)["code"]) == (405, "bad-request")
