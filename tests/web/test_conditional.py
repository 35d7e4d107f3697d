"""Conditions, without a server; the cases that every server is held against are in tests/servers/range_cases.py."""

import itertools

import pytest

from workqueue.web.conditional import Validators, Verdict, evaluate, is_range_wanted
from workqueue.web.dates import http_date

THERE = Validators("v1", 1_000_000_000.7)
SAME, BEFORE, AFTER = (http_date(THERE.modified_at + seconds) for seconds in (0, -1, 1))


@pytest.mark.parametrize(
    ("field", "is_listed", "is_listed_weakly"),
    [
        ('"v1"', True, True),
        ('W/"v1"', False, True),
        ('"v2"', False, False),
        ("*", True, True),
        (" * ", True, True),
        ('"a", "v1"', True, True),
        ('"a" , , W/"v1",', False, True),
        (',"v1"', True, True),
        ('"a,v1"', False, False),
        ('w/"v1"', False, False),
        ("v1", False, False),
        ('"v1', False, False),
        ('"v1" "a"', False, False),
        ('"v1", *', False, False),
        ("", False, False),
        ('"V1"', False, False),
    ],
)
def test_tags_are_compared_strongly_and_weakly(field: str, is_listed: bool, is_listed_weakly: bool) -> None:
    """RFC 9110, sections 8.8.3.2, 13.1.1 and 13.1.2."""
    verdict = evaluate("GET", {"if-match": field}, THERE)
    assert verdict is (Verdict.SEND if is_listed else Verdict.FAILED)
    verdict = evaluate("GET", {"if-none-match": field}, THERE)
    assert verdict is (Verdict.NOT_MODIFIED if is_listed_weakly else Verdict.SEND)
    verdict = evaluate("POST", {"if-none-match": field}, THERE)
    assert verdict is (Verdict.FAILED if is_listed_weakly else Verdict.SEND)


def expected(
    method: str, match: str | None, unmodified: str | None, none_match: str | None, modified: str | None
) -> str:
    """Section 13.2.2, step by step, as it is told there."""
    if match is not None:
        if match != '"v1"':
            return "failed"
    elif unmodified == BEFORE:
        return "failed"
    if none_match is not None:
        if none_match == '"v1"':
            return "not modified" if method in ("GET", "HEAD") else "failed"
    elif method in ("GET", "HEAD") and modified in (SAME, AFTER):
        return "not modified"
    return "send"


def test_all_conditions_together_have_the_precedence_of_the_rfc() -> None:
    tags, dates = (None, '"v1"', '"v2"'), (None, "no date", BEFORE, SAME, AFTER)
    names = ("if-match", "if-unmodified-since", "if-none-match", "if-modified-since")
    for method, *values in itertools.product(("GET", "HEAD", "POST"), tags, dates, tags, dates):
        headers = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        verdict = evaluate(method, headers, THERE)
        assert verdict.value == expected(method, *values), (method, headers)


@pytest.mark.parametrize(
    ("if_range", "is_wanted"),
    [(None, True), ('"v1"', True), (' "v1" ', True), ('W/"v1"', False), ('"v2"', False), (SAME, False), ("", False)],
)
def test_a_range_counts_if_the_client_has_this_very_version(if_range: str | None, is_wanted: bool) -> None:
    """A date is no strong validator: two versions may be of one second (sections 8.8.2.2 and 13.1.5)."""
    headers = {"range": "bytes=0-"} | ({} if if_range is None else {"if-range": if_range})
    assert is_range_wanted("GET", headers, THERE) is is_wanted
    assert not is_range_wanted("HEAD", headers, THERE)
    assert not is_range_wanted("POST", headers, THERE)


def test_without_a_range_none_is_wanted() -> None:
    assert not is_range_wanted("GET", {"if-range": '"v1"'}, THERE)
