"""Dates of HTTP: the three forms that a recipient must accept, and what is none."""

import calendar
import time

import pytest

from workqueue.web.dates import http_date, parse_http_date

MOMENT = 784111777  # of RFC 9110's own examples


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_each_form_is_the_same_moment(text: str) -> None:
    assert parse_http_date(text) == MOMENT


def test_what_is_written_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the zone, and without the fraction of a second."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert http_date(MOMENT + 0.9) == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert parse_http_date(http_date(1e9)) == 1e9
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "784111777",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


def test_a_year_of_two_digits_is_no_more_than_fifty_years_ahead() -> None:
    """RFC 9110, section 5.6.7."""
    this = time.gmtime().tm_year
    for ahead in (0, 1, 50):
        year = this + ahead
        assert parse_http_date(f"Monday, 01-Jan-{year % 100:02} 00:00:00 GMT") == calendar.timegm((year, 1, 1, 0, 0, 0))
    past = calendar.timegm((this - 49, 1, 1, 0, 0, 0))
    assert parse_http_date(f"Monday, 01-Jan-{(this + 51) % 100:02} 00:00:00 GMT") == past


def test_a_leap_second_and_the_first_year_are_dates() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == calendar.timegm((2017, 1, 1, 0, 0, 0))
    assert parse_http_date("Mon, 01 Jan 0001 00:00:00 GMT") is not None
    assert parse_http_date("Sat, 01 Jan 0000 00:00:00 GMT") is None
