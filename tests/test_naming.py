"""Whose result it is, and what it is about."""

import hashlib
import subprocess
import sys
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue import InvalidParams, OverviewViewParams
from workqueue.naming import Naming, check_naming, name_of
from workqueue.params import Params, check_params

SERVER = "https://www.overviewdocs.com"


def overview(server: str = SERVER, document_set_id: str = "123", api_token: str = "s3cret") -> OverviewViewParams:
    return OverviewViewParams(server, document_set_id, api_token)


class Named(NamedTuple):
    first: str
    second: str


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates and NUL included


def key(params: Params) -> str:
    return Naming("build.py").key(params)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("ab",), ("a", "b")),
        ((), ("",)),
        (("",), ("", "")),
        (("a", ""), ("", "a")),
        (("a", "b"), ("b", "a")),
        (("é",), ("e\u0301",)),
        (("1",), ("1 ",)),
        (("a\0b",), ("a", "b")),
    ],
)
def test_different_params_have_different_keys(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert key(one) != key(other)


def test_a_field_that_imitates_the_next_ones_length_changes_the_key() -> None:
    length = (1).to_bytes(8, "big").decode()
    assert key(("a", "b")) != key(("a" + length + "b",))


def test_equal_values_have_equal_keys_whatever_the_tuple_is_called() -> None:
    assert key(Named("a", "b")) == key(("a", "b"))
    assert key(overview()) == key((SERVER, "123", "s3cret"))


def test_the_keys_are_these_for_ever() -> None:
    """Results are kept under them: a key that changes makes every result be built again."""
    assert key(("a", "bc")) == "3504cdf0d2e954f1f3e225d9635452b081308dbe"
    assert key(overview()) == "731c2df0fa48be4ed9b57647fa37a651b74b8b8e"


@pytest.mark.parametrize(
    ("spellings", "canonical"),
    [
        (
            [
                "https://www.example.com/",
                "https://www.example.com///",
                "HTTPS://www.example.com",
                "https://WWW.Example.com",
                "https://www.example.com:443",
                "https://www.example.com:0443/",
                "https://www.example.com:",
            ],
            "https://www.example.com",
        ),
        (["http://[::1]:08080/api/", "HTTP://[::1]:8080/api"], "http://[::1]:8080/api"),
        (["http://localhost:80"], "http://localhost"),
    ],
)
def test_two_spellings_of_one_server_are_one_key(spellings: list[str], canonical: str) -> None:
    found = key((canonical, "1", "t"))
    assert {key(OverviewViewParams(server, "1", "t")) for server in [*spellings, canonical]} == {found}


@pytest.mark.parametrize("server", ["https://example.com/a", "https://example.com/A", "http://example.com", "example"])
def test_another_server_is_another_key(server: str) -> None:
    others = ("https://example.com", "https://example.com:444")
    keys = {key(OverviewViewParams(each, "1", "t")) for each in (server, *others)}
    assert len(keys) == 3


def test_the_key_is_a_hash_over_length_prefixed_parts() -> None:
    data = b"".join(len(part).to_bytes(8, "big") + part for part in (b"build.py", b"2", b"a", b"\xc3\xa9"))
    found = Naming("build.py", "2").key(("a", "é"))
    assert found == hashlib.blake2b(data, digest_size=20, person=b"workqueue-key-3").hexdigest()


def test_the_key_is_the_same_in_another_process() -> None:
    code = "from workqueue.naming import Naming; print(Naming('build.py').key(('a', 'bc')))"
    result = subprocess.run([sys.executable, "-R", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == key(("a", "bc"))


def test_programs_and_versions_have_keys_of_their_own() -> None:
    namings = [Naming(name, version) for name in ("a", "b", "") for version in ("", "a", "b", "ab")]
    assert len({naming.key(params) for naming in namings for params in [(), ("a",), ("a", "b"), ("b",)]}) == 4 * 12


def test_a_directory_and_a_file_have_keys_of_their_own() -> None:
    assert Naming("build.py", form="directory").key(("a",)) != Naming("build.py").key(("a",))


def test_the_fields_that_make_a_result_are_chosen() -> None:
    naming = Naming("build.py", fields=lambda params: params[:2])
    assert naming.key(overview(api_token="one")) == naming.key(overview(api_token="another"))
    assert naming.key(overview(api_token="one")) != naming.key(overview(document_set_id="124"))
    # A server has one spelling there, too.
    assert naming.key(overview()) == naming.key(overview(server="HTTPS://WWW.OverviewDocs.com:443/"))


@pytest.mark.parametrize("chosen", ["ab", ["a"], ("a", 1), None, 3])
def test_what_is_no_choice_of_fields_says_so(chosen: Any) -> None:
    with pytest.raises(TypeError, match=r"key must return a tuple of strings; got (str|list|tuple|NoneType|int)"):
        Naming("build.py", fields=lambda _: chosen).key(("a",))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/srv/process-docset.py"], "process-docset.py"),
        (["/srv/build"], "build"),
        (["/usr/bin/python3", "/srv/build.py", "--fast"], "build.py"),
        (["/usr/bin/python3", "-m", "my.builder"], "my.builder"),
        (["bash", "-c", "make"], "bash -c make"),
        (["bash", "-m"], "bash -m"),
        (["/usr/bin/ffmpeg", "-i", "/films/a.mp4"], "ffmpeg -i a.mp4"),
        (["/"], "/"),
    ],
)
def test_a_program_without_a_name_has_that_of_its_file(command: list[str], name: str) -> None:
    assert name_of(command) == name


@pytest.mark.parametrize(
    ("naming", "error", "words"),
    [
        (Naming(""), ValueError, "name must not be empty"),
        (Naming("a\0"), ValueError, "name must not contain a NUL"),
        (Naming("a", "\ud800"), ValueError, "version must be valid Unicode"),
        (Naming(None), TypeError, "name must be a string; got NoneType"),  # type: ignore[arg-type]
        (Naming("a", 3), TypeError, "version must be a string; got int"),  # type: ignore[arg-type]
        (Naming("a", fields=("server",)), TypeError, "key must be a function"),  # type: ignore[arg-type]
    ],
)
def test_what_names_nothing_is_refused(naming: Naming, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_naming(naming)


@given(st.lists(ANY_TEXT, max_size=8).map(tuple))
def test_any_tuple_of_text_has_a_key_or_is_refused(params: tuple[str, ...]) -> None:
    try:
        check_params(params)
    except InvalidParams:
        return
    found = key(params)
    assert len(found) == 40
    assert set(found) <= set("0123456789abcdef")


@given(st.lists(st.text(max_size=4), max_size=4).map(tuple), st.lists(st.text(max_size=4), max_size=4).map(tuple))
def test_keys_are_equal_exactly_when_the_params_are(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (key(one) == key(other)) == (one == other)
