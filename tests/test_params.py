import pickle
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from workqueue import InvalidParams, OverviewViewParams
from workqueue.params import MAX_FIELD_BYTES, MAX_FIELDS, check_params

SERVER = "https://www.overviewdocs.com"


def overview(server: Any = SERVER, document_set_id: Any = "123", api_token: Any = "s3cret") -> OverviewViewParams:
    return OverviewViewParams(server, document_set_id, api_token)


class Named(NamedTuple):
    first: str
    second: str


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates and NUL included


# What is refused


def refusal(params: Any, allowed_servers: list[str] | None = None) -> str:
    with pytest.raises(InvalidParams) as caught:
        check_params(params, allowed_servers)
    assert isinstance(caught.value, ValueError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("params", [(), ("",), ("a", "b"), ("é", "\u4e2d", "🎉"), Named("a", "b"), overview()])
def test_what_can_run_is_accepted(params: tuple[str, ...]) -> None:
    check_params(params)


@pytest.mark.parametrize(("params", "kind"), [(None, "NoneType"), ("text", "str"), (["a"], "list"), ({}, "dict")])
def test_what_is_no_tuple_is_refused(params: object, kind: str) -> None:
    assert refusal(params) == f"parameters must be a tuple of strings; got {kind}"


@pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), (1, "int"), (b"a", "bytes"), (["a"], "list")])
def test_a_field_that_is_no_string_is_refused(value: object, kind: str) -> None:
    assert refusal(("a", value)) == f"field 1 must be a string; got {kind}"
    assert refusal(Named("a", value)) == f"second must be a string; got {kind}"  # type: ignore[arg-type]
    assert refusal(overview(document_set_id=value)) == f"document_set_id must be a string; got {kind}"


@pytest.mark.parametrize("field", ["server", "document_set_id", "api_token"])
def test_a_nul_character_is_refused(field: str) -> None:
    assert refusal(overview(**{field: "a\0b"})) == f"{field} must not contain a NUL character"


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_a_lone_surrogate_is_refused(value: str) -> None:
    assert refusal((value,)) == "field 0 must be valid Unicode; it contains a lone surrogate"


def test_a_field_may_be_as_long_as_a_url_and_not_longer() -> None:
    check_params(("x" * MAX_FIELD_BYTES,))
    check_params(("é" * (MAX_FIELD_BYTES // 2),))
    assert refusal(("x" * (MAX_FIELD_BYTES + 1),)) == "field 0 must be at most 8192 bytes long; got 8193"
    assert refusal(("é" * (MAX_FIELD_BYTES // 2 + 1),)) == "field 0 must be at most 8192 bytes long; got 8194"


def test_there_may_be_so_many_fields_and_no_more() -> None:
    check_params(("x",) * MAX_FIELDS)
    assert refusal(("x",) * (MAX_FIELDS + 1)) == "parameters must have at most 64 fields; got 65"


@pytest.mark.parametrize("field", ["server", "document_set_id", "api_token"])
def test_an_empty_field_of_overview_is_refused(field: str) -> None:
    assert refusal(overview(**{field: ""})) == f"{field} must not be empty"


@pytest.mark.parametrize(
    "server",
    [
        "www.overviewdocs.com",
        "//www.overviewdocs.com",
        "/path",
        "ftp://www.overviewdocs.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:",
        "https://",
        "https:///path",
        "https://:443",
        "https://host:99999",
        "https://host:-1",
        "https://host:http",
        "https://[::1",
        "https://good@evil",
        "https://good:pass@evil",
        "https://good\\@evil",
        "https://evil\\.good",
        "https://go\tod",
        "https://good\n",
        "\thttps://good",
        "https://good\r\nHost: evil",
        "https://good evil",
        " https://good",
        "https://good\u202e",
        "https://good?evil",
        "https://good#evil",
        'https://good"',
        "https://<good>",
        "https://good\u2100evil",
    ],
)
def test_a_server_that_is_no_plain_url_with_a_host_is_refused(server: str) -> None:
    assert refusal(overview(server)).startswith("server must be an http:// or https:// URL with a host and nothing")


@pytest.mark.parametrize(
    "server",
    [
        "http://localhost:9000",
        "https://127.0.0.1",
        "http://[::1]:9000/api",
        "HTTPS://Host",
        "http://bücher.example",
        "http://host:/",
        "http://host:80/",
        "http://overview-web",
    ],
)
def test_a_server_that_is_a_url_with_a_host_is_accepted(server: str) -> None:
    check_params(overview(server))


@pytest.mark.parametrize("bad", [1, None, b"x"])
def test_the_token_is_in_no_message(bad: object) -> None:
    for params in (
        overview(document_set_id=bad),
        overview(server="ftp://host"),
        overview(document_set_id=""),
        overview(api_token="s3cret\0"),
        overview(api_token="s3cret" + "x" * MAX_FIELD_BYTES),
        overview(api_token="s3cret\ud800"),
    ):
        assert "s3cret" not in refusal(params)
    assert "s3cret" not in refusal(overview(), ["https://other"])


# Which servers are allowed


@pytest.mark.parametrize(
    ("allowed", "server"),
    [
        ("https://good", "https://good"),
        ("https://good", "https://good/"),
        ("https://good/", "https://good"),
        ("https://good", "https://good:443"),
        ("https://good:443/", "https://good"),
        ("http://good", "http://good:80/"),
        ("https://good", "https://good:/"),
        ("https://good", "HTTPS://GOOD"),
        ("https://Good.Example", "https://good.example"),
        ("https://good/overview", "https://good/overview/"),
        ("http://[::1]:9000", "http://[::1]:9000/"),
    ],
)
def test_another_spelling_of_an_allowed_server_is_allowed(allowed: str, server: str) -> None:
    check_params(overview(server), ["https://first.example", allowed])


@pytest.mark.parametrize(
    "server",
    [
        "https://evil",
        "http://good",
        "https://good:444",
        "https://good:80",
        "https://good/path",
        "https://good.evil",
        "https://evilgood",
        "https://evil/https://good",
        "https://good@evil",
        "https://good:443@evil",
        "https://evil\\@good",
        "https://evil\t.good",
        "https://evil#@good",
        "https://evil?https://good",
        "https://goo\u0500",
    ],
)
def test_another_server_is_refused_however_it_is_spelled(server: str) -> None:
    refusal(overview(server), ["https://good"])


def test_the_refusal_of_a_server_names_it() -> None:
    assert refusal(overview("https://evil"), ["https://good"]) == (
        "server 'https://evil' is not one of those this plugin serves"
    )


def test_the_path_of_an_allowed_server_is_compared_as_it_is_written() -> None:
    refusal(overview("https://good/A"), ["https://good/a"])


def test_an_empty_list_allows_no_server() -> None:
    refusal(overview(), [])


def test_other_tuples_have_no_server_to_check() -> None:
    check_params(("https://evil", "1", "t"), ["https://good"])


# Secrets


def test_the_repr_hides_the_token_and_shows_the_rest() -> None:
    text = "OverviewViewParams(server='https://www.overviewdocs.com', document_set_id='123', api_token=...)"
    params = overview()
    assert repr(params) == str(params) == f"{params}" == text
    assert repr([params]) == f"[{text}]"


def test_it_is_still_the_tuple_that_1_0_1_had() -> None:
    server, document_set_id, api_token = overview()
    assert (server, document_set_id, api_token) == overview() == (SERVER, "123", "s3cret")
    assert OverviewViewParams._fields == ("server", "document_set_id", "api_token")
