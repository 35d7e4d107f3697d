"""What a request says, in every form in which it may say it, and in those in which it may not."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue import OverviewViewParams
from workqueue.web import Fields, Problem, overview_params, parse_fields
from workqueue.web.fields import MAX_BODY_BYTES

FORM = "application/x-www-form-urlencoded"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def refused(status: int, detail: str, **request: object) -> None:
    with pytest.raises(Problem, match=detail) as caught:
        parse_fields(**request)  # type: ignore[arg-type]
    assert caught.value.status == status


# Where fields come from


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"server=http%3A%2F%2Fh&documentSetId=1&x=%C3%BC+"),
        (f"{FORM}; charset=UTF-8", b"server=http%3A%2F%2Fh&documentSetId=1&x=%C3%BC+"),
        ("Application/JSON", b'{"server": "http://h", "documentSetId": 1, "x": "\xc3\xbc "}'),
        ("application/json", b' {"server": "http://h", "documentSetId": "1", "x": "\\u00fc "}\n'),
    ],
)
def test_a_body_is_read_in_each_form(content_type: str, body: bytes) -> None:
    fields = parse_fields(content_type=content_type, body=body)
    assert fields == {"server": "http://h", "documentSetId": "1", "x": "ü "}


def test_the_query_counts_where_the_body_does_not_say_otherwise() -> None:
    assert parse_fields("a=query&b=query", FORM, b"b=body") == {"a": "query", "b": "body"}


def test_an_empty_value_is_a_value() -> None:
    assert parse_fields("a=&b") == {"a": "", "b": ""}


def test_bytes_of_a_query_that_should_have_been_escaped_are_utf8_too() -> None:
    """As WSGI has them: a byte a character."""
    assert parse_fields("a=ü".encode().decode("latin-1")) == {"a": "ü"}
    for query in ("a=\xff", "a=\u2713"):  # the second has been decoded already
        refused(400, "the query must be .*encoded in UTF-8", query=query)


# The token


@pytest.mark.parametrize("password", ["x-auth-token", "x-api-token", "", "with:colon"])
def test_the_user_of_basic_authorization_is_the_token_whatever_the_password(password: str) -> None:
    assert parse_fields(authorization=basic(f"t0ken:{password}")) == {"apiToken": "t0ken"}


def test_a_user_without_any_password_is_a_token_too() -> None:
    assert parse_fields(authorization=basic("t0ken")) == {"apiToken": "t0ken"}


def test_the_header_counts_more_than_a_field() -> None:
    assert parse_fields("apiToken=query", FORM, b"apiToken=form", basic("header:")) == {"apiToken": "header"}


def test_an_empty_user_is_no_token() -> None:
    assert parse_fields("apiToken=query", "", b"", basic(":x")) == {"apiToken": "query"}


def test_another_scheme_is_not_looked_at() -> None:
    assert parse_fields(authorization="Bearer abc") == parse_fields() == {}


@pytest.mark.parametrize("credentials", ["!", "YWJ", "\x80", base64.b64encode(b"\xff:x").decode()])
def test_broken_credentials_are_refused(credentials: str) -> None:
    refused(400, "must be Basic, with user:password in Base64", authorization=f"Basic {credentials}")


# What is refused


@pytest.mark.parametrize(
    ("content_type", "body", "status", "detail"),
    [
        (FORM, b"a=%ff", 400, "encoded in UTF-8"),
        (FORM, b"a=\xff", 400, "the form must be encoded in UTF-8"),
        (FORM, b"a=1&a=2", 400, "a is twice in the form"),
        (FORM, b"&".join(b"%d=" % i for i in range(65)), 400, "at most 64 fields"),
        ("application/json", b"{", 400, "not JSON"),
        ("application/json", b"[" * 100_000, 400, "not JSON"),
        ("application/json", b"\xff", 400, "the JSON body must be encoded in UTF-8"),
        ("application/json", b'["a"]', 400, "must be an object"),
        ("application/json", b'"a"', 400, "must be an object"),
        ("application/json", b'{"a": "1", "a": "2"}', 400, "a is twice in the JSON body"),
        ("application/json", b'{"a": true}', 400, "a must be a string or a whole number"),
        ("application/json", b'{"a": null}', 400, "a must be a string or a whole number"),
        ("application/json", b'{"a": 1.5}', 400, "a must be a string or a whole number"),
        ("application/json", b'{"a": {"b": "c"}}', 400, "a must be a string or a whole number"),
        ("application/json", b'{"a": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        ("application/json", json.dumps(dict.fromkeys(map(str, range(65)), "")).encode(), 400, "at most 64 fields"),
        ("multipart/form-data; boundary=b", b"--b\r\n", 415, "the body must be"),
        ("text/plain", b"a=1", 415, "the body must be"),
        ("", b"a=1", 415, "the body must be"),
        (FORM, b"a" * (MAX_BODY_BYTES + 1), 413, f"at most {MAX_BODY_BYTES} bytes"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(content_type: str, body: bytes, status: int, detail: str) -> None:
    refused(status, detail, content_type=content_type, body=body)


def test_a_body_as_large_as_it_may_be_is_read() -> None:
    value = "x" * (MAX_BODY_BYTES - len("a="))
    assert parse_fields(content_type=FORM, body=f"a={value}".encode()) == {"a": value}


def test_a_query_that_says_one_thing_twice_is_refused() -> None:
    refused(400, "server is twice in the query", query="server=http://good&server=http://evil")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_refusal_does_not_repeat_a_name_as_long_as_it_likes() -> None:
    name = b"a" * 10_000
    with pytest.raises(Problem) as caught:
        parse_fields("", FORM, name + b"=1&" + name + b"=2", "")
    assert len(caught.value.detail) < 200


@given(
    st.sampled_from([FORM, "application/json", "application/json;charset=x", ";"]),
    st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()),
    st.text(max_size=50),
    st.text(max_size=50),
)
def test_whatever_comes_there_are_fields_or_a_problem(content_type: str, body: bytes, query: str, auth: str) -> None:
    with contextlib.suppress(Problem):
        fields = parse_fields(query, content_type, body, f"Basic {auth}")
        assert all(isinstance(name, str) and isinstance(value, str) for name, value in fields.items())


# The parameters of an Overview plugin


def test_overview_params_are_made_of_three_fields() -> None:
    fields = Fields(server="http://h", documentSetId="1", apiToken="t", other="ignored")
    assert overview_params(fields) == OverviewViewParams("http://h", "1", "t")


@pytest.mark.parametrize("name", ["server", "documentSetId"])
def test_a_missing_field_is_named(name: str) -> None:
    fields = Fields(server="http://h", documentSetId="1", apiToken="t")
    del fields[name]
    with pytest.raises(Problem, match=f"400 Bad Request: {name} is missing: give it in the query"):
        overview_params(fields)


@pytest.mark.parametrize("token", [{}, {"apiToken": ""}])
def test_without_a_token_one_is_asked_for_but_not_by_the_browser(token: dict[str, str]) -> None:
    with pytest.raises(Problem, match="401 Unauthorized: the API token is missing") as caught:
        overview_params(Fields(server="http://h", documentSetId="1", **token))
    # `Basic` here would make a browser ask the person.
    assert not caught.value.headers["WWW-Authenticate"].lower().startswith("basic")
