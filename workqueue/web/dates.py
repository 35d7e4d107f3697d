"""7 dates: seconds since the epoch <-> the dates of HTTP (RFC 9110, section 5.6.7); pure."""

import calendar
import re
import time
from email.utils import formatdate
from typing import Final

# Not `strptime`, whose names of days and months are the locale's; nor `email`, which takes what HTTP says is no date.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"

#: The form that is sent, and two old ones that a recipient must accept.
_FORMS: Final = (
    re.compile(rf"{_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT", re.ASCII),
    re.compile(rf"{_LONG_DAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT", re.ASCII),
    re.compile(rf"{_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})", re.ASCII),
)

_CENTURY: Final = 100


def http_date(seconds: float) -> str:
    """A moment as HTTP writes it, such as ``Sun, 06 Nov 1994 08:49:37 GMT``; fractions of a second are cut off."""
    return formatdate(int(seconds), usegmt=True)


def parse_http_date(text: str) -> int | None:
    """The moment, in seconds since the epoch; None for what is no date of HTTP."""
    match = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if match is None:
        return None
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    year, month = _year(match["year"]), _MONTHS.index(match["month"]) + 1
    # A leap second is a second of a day, too.
    if not year or not 1 <= day <= calendar.monthrange(year, month)[1] or hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def _year(digits: str) -> int:
    """Two digits mean the past, where they would mean more than 50 years in the future."""
    year = int(digits)
    if len(digits) > 2:
        return year
    this = time.gmtime().tm_year
    year += this - this % _CENTURY
    return year - _CENTURY if year > this + 50 else year
