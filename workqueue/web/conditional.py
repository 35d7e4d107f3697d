"""7 conditional: a request's conditions, and what there is -> whether to send it (RFC 9110, section 13); pure.

Evaluate them only for what would otherwise be sent with 200 (section 13.2.1): what is not there is 404, whatever the
conditions say.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from workqueue.web.dates import parse_http_date

# Section 8.8.3. What a byte above 0x7F stands for does not matter: it is compared as it is.
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

# Section 5.6.1: a recipient accepts empty elements, too.
_SEPARATOR: Final = re.compile(r"[ \t]*(?:,[ \t]*)+|[ \t]*$")


class Validators(NamedTuple):
    """What tells one version of a thing from others."""

    etag: str
    """The opaque text, without quotes; it is a strong one."""

    modified_at: float
    """In seconds since the epoch."""


class Verdict(Enum):
    """What to do with a request."""

    SEND = "send"
    """It is to be answered as if it had no conditions, but for its range: see `is_range_wanted`."""

    NOT_MODIFIED = "not modified"
    """304: the client has it."""

    FAILED = "failed"
    """412: it is not what the client takes it for."""


def evaluate(method: str, headers: Mapping[str, str], there: Validators) -> Verdict:
    """Evaluate the conditions in their order of precedence (section 13.2.2).

    Args:
        method: of the request.
        headers: of the request, by names in lower case; of one that came more than once, the values, with commas.
        there: what would be sent.
    """
    if (if_match := headers.get("if-match")) is not None:
        if not _is_listed(if_match, there.etag, strong=True):
            return Verdict.FAILED
    elif _is_modified_since(headers.get("if-unmodified-since"), there) is True:
        return Verdict.FAILED
    is_safe = method in {"GET", "HEAD"}
    if (if_none_match := headers.get("if-none-match")) is not None:
        if _is_listed(if_none_match, there.etag, strong=False):
            return Verdict.NOT_MODIFIED if is_safe else Verdict.FAILED
    elif is_safe and _is_modified_since(headers.get("if-modified-since"), there) is False:
        return Verdict.NOT_MODIFIED
    return Verdict.SEND


def is_range_wanted(method: str, headers: Mapping[str, str], there: Validators) -> bool:
    """Whether the Range header, if there is one, counts: for GET alone (section 14.2), and as If-Range says.

    A date in If-Range never counts. It would have to be a strong validator (section 13.1.5), and two versions may have
    been published in one second (section 8.8.2.2). A client that has our ETag must not send one anyway.
    """
    if method != "GET" or "range" not in headers:
        return False
    if_range = headers.get("if-range")
    return if_range is None or if_range.strip() == f'"{there.etag}"'


def _is_listed(field: str, etag: str, *, strong: bool) -> bool:
    """Whether If-Match or If-None-Match names it; a field that is malformed names nothing."""
    if field.strip() == "*":
        return True
    found, place = False, len(field) - len(field.lstrip(" \t,"))
    while place < len(field):
        tag = _TAG.match(field, place)
        if tag is None or (separator := _SEPARATOR.match(field, tag.end())) is None:
            return False
        found = found or (tag[2] == etag and not (strong and tag[1]))
        place = separator.end()
    return found


def _is_modified_since(date: str | None, there: Validators) -> bool | None:
    """None: there is no such condition, or it is no date, and to be ignored."""
    seconds = None if date is None else parse_http_date(date.strip())
    return None if seconds is None else int(there.modified_at) > seconds
