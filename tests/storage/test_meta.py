"""A version has one name, however a service says it, and another one when it is another."""

from datetime import UTC, datetime

import pytest

from workqueue.storage.base import Origin
from workqueue.storage.details import Details
from workqueue.storage.meta import Meta, attributes_of, meta_of

PUBLISHED = Details(publication="0123456789abcdef")


def meta(e_tag: str | None, details: Details = Details(), size: int = 5, at: float = 1000.0) -> Meta:  # noqa: B008
    return Meta(size, at, e_tag, details)


@pytest.mark.parametrize("e_tag", ['"other"', 'W/"abc"', "abc", None])
def test_what_we_published_has_the_name_that_we_gave_it(e_tag: str | None) -> None:
    assert meta(e_tag, PUBLISHED).version == meta('"abc"', PUBLISHED).version
    assert meta(e_tag, PUBLISHED._replace(publication="f" * 16)).version != meta('"abc"', PUBLISHED).version


@pytest.mark.parametrize("e_tag", ['"abc"', 'W/"abc"', "abc"])
def test_without_one_it_is_the_etag_however_it_is_written(e_tag: str) -> None:
    assert meta(e_tag).version == meta('"abc"').version != meta('"abcd"').version


def test_without_an_etag_it_is_when_and_how_much() -> None:
    assert meta(None).version == meta(None).version
    assert len({meta(None).version, meta(None, at=1001.0).version, meta(None, size=6).version}) == 3


@pytest.mark.parametrize(
    ("e_tag", "asked"), [('"abc"', '"abc"'), ("abc", '"abc"'), ('W/"abc"', None), ("", None), (None, None)]
)
def test_a_version_is_asked_for_by_a_strong_etag_in_quotes_or_not_at_all(e_tag: str | None, asked: str | None) -> None:
    assert meta(e_tag).if_match == asked


def test_what_is_written_is_read_back() -> None:
    details = Details(Origin("mine", "7", 1.5, "done"), "directory", 5, "0123456789abcdef")
    found = {"size": 5, "last_modified": datetime.fromtimestamp(1000, UTC), "e_tag": '"abc"'}
    assert meta_of(found, attributes_of(details)) == meta('"abc"', details)
    assert meta_of(found) == meta_of(found, {}) == meta_of(found, {"workqueue": "not base64!"}) == meta('"abc"')
