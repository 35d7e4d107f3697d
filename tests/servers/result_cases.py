"""What a server of files must answer, case by case, as RFC 9110 has it in sections 13 and 14; and a check of one.

The table is made from the text of the RFC, and knows nothing of our code; the client is the standard library's.
"""

import email
import http.client
import random
import re
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from typing import NamedTuple

#: Of some blocks, and none of them full.
SIZE = 200_001
DATA = random.Random(18).randbytes(SIZE)

WHOLE = ((0, SIZE),)


class Case(NamedTuple):
    """A request, and its answer. Its headers name what is there: ``{tag}``, ``{same}``, ``{before}``, ``{after}``."""

    section: str
    headers: dict[str, str]
    status: int
    spans: tuple[tuple[int, int], ...] = ()
    """What of the data is sent; several: as multipart."""

    method: str = "GET"


def _range(value: str, *spans: tuple[int, int], status: int = 206, **more: str) -> Case:
    return Case("14.2", {"Range": value, **more}, status, spans)


_RANGE = {"Range": "bytes=10-19"}
_PART = ((10, 20),)

CASES = {
    "the whole": Case("15.3.1", {}, 200, WHOLE),
    "its head": Case("9.3.2", {}, 200, method="HEAD"),
    # 13.1.1
    "if-match: this one": Case("13.1.1", {"If-Match": "{tag}"}, 200, WHOLE),
    "if-match: one of a list": Case("13.1.1", {"If-Match": '"other", {tag}'}, 200, WHOLE),
    "if-match: any": Case("13.1.1", {"If-Match": "*"}, 200, WHOLE),
    "if-match: another": Case("13.1.1", {"If-Match": '"other"'}, 412),
    "if-match: a weak one is never strong": Case("13.1.1", {"If-Match": "W/{tag}"}, 412),
    "if-match: another, head": Case("13.1.1", {"If-Match": '"other"'}, 412, method="HEAD"),
    "if-match: another, part": Case("13.1.1", {"If-Match": '"other"', **_RANGE}, 412),
    "if-match: this one, part": Case("13.1.1", {"If-Match": "{tag}", **_RANGE}, 206, _PART),
    # 13.1.2
    "if-none-match: this one": Case("13.1.2", {"If-None-Match": "{tag}"}, 304),
    "if-none-match: it, weakly": Case("13.1.2", {"If-None-Match": "W/{tag}"}, 304),
    "if-none-match: one of a list": Case("13.1.2", {"If-None-Match": '"other", W/"more", {tag}'}, 304),
    "if-none-match: any": Case("13.1.2", {"If-None-Match": "*"}, 304),
    "if-none-match: another": Case("13.1.2", {"If-None-Match": '"other"'}, 200, WHOLE),
    "if-none-match: this one, head": Case("13.1.2", {"If-None-Match": "{tag}"}, 304, method="HEAD"),
    "if-none-match: this one, part": Case("13.1.2", {"If-None-Match": "{tag}", **_RANGE}, 304),
    "if-none-match: another, part": Case("13.1.2", {"If-None-Match": '"other"', **_RANGE}, 206, _PART),
    # 13.1.3
    "if-modified-since: then": Case("13.1.3", {"If-Modified-Since": "{same}"}, 304),
    "if-modified-since: later": Case("13.1.3", {"If-Modified-Since": "{after}"}, 304),
    "if-modified-since: before": Case("13.1.3", {"If-Modified-Since": "{before}"}, 200, WHOLE),
    "if-modified-since: then, head": Case("13.1.3", {"If-Modified-Since": "{same}"}, 304, method="HEAD"),
    "if-modified-since: no date": Case("13.1.3", {"If-Modified-Since": "yesterday"}, 200, WHOLE),
    "if-modified-since: old form": Case("13.1.3", {"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 200, WHOLE),
    "if-modified-since: then, part": Case("13.1.3", {"If-Modified-Since": "{same}", **_RANGE}, 304),
    # 13.1.4
    "if-unmodified-since: then": Case("13.1.4", {"If-Unmodified-Since": "{same}"}, 200, WHOLE),
    "if-unmodified-since: later": Case("13.1.4", {"If-Unmodified-Since": "{after}"}, 200, WHOLE),
    "if-unmodified-since: before": Case("13.1.4", {"If-Unmodified-Since": "{before}"}, 412),
    "if-unmodified-since: no date": Case("13.1.4", {"If-Unmodified-Since": "0"}, 200, WHOLE),
    "if-unmodified-since: before, part": Case("13.1.4", {"If-Unmodified-Since": "{before}", **_RANGE}, 412),
    # 13.1.5
    "if-range: this one": Case("13.1.5", {"If-Range": "{tag}", **_RANGE}, 206, _PART),
    "if-range: another": Case("13.1.5", {"If-Range": '"other"', **_RANGE}, 200, WHOLE),
    "if-range: a weak one": Case("13.1.5", {"If-Range": "W/{tag}", **_RANGE}, 200, WHOLE),
    "if-range: an older date": Case("13.1.5", {"If-Range": "{before}", **_RANGE}, 200, WHOLE),
    # Only an exact match counts, though it be later.
    "if-range: a later date": Case("13.1.5", {"If-Range": "{after}", **_RANGE}, 200, WHOLE),
    "if-range: without a range": Case("13.1.5", {"If-Range": "{tag}"}, 200, WHOLE),
    "if-range: another, none satisfiable": Case(
        "13.1.5", {"If-Range": '"other"', "Range": f"bytes={SIZE}-"}, 200, WHOLE
    ),
    "if-range: this one, none satisfiable": Case("13.1.5", {"If-Range": "{tag}", "Range": f"bytes={SIZE}-"}, 416),
    # 13.2.2: the order of precedence
    "if-match before if-unmodified-since": Case(
        "13.2.2", {"If-Match": "{tag}", "If-Unmodified-Since": "{before}"}, 200, WHOLE
    ),
    "if-match before if-none-match": Case("13.2.2", {"If-Match": '"other"', "If-None-Match": "{tag}"}, 412),
    "if-match, then if-none-match": Case("13.2.2", {"If-Match": "{tag}", "If-None-Match": "{tag}"}, 304),
    "if-none-match before if-modified-since": Case(
        "13.2.2", {"If-None-Match": '"other"', "If-Modified-Since": "{same}"}, 200, WHOLE
    ),
    "if-unmodified-since before if-none-match": Case(
        "13.2.2", {"If-Unmodified-Since": "{before}", "If-None-Match": "{tag}"}, 412
    ),
    "conditions before a range": Case("13.2.2", {"If-None-Match": "{tag}", "Range": f"bytes={SIZE}-"}, 304),
    # 14
    "the first 500": _range("bytes=0-499", (0, 500)),
    "the second 500": _range("bytes=500-999", (500, 1000)),
    "the last 500": _range("bytes=-500", (SIZE - 500, SIZE)),
    "from somewhere": _range(f"bytes={SIZE - 500}-", (SIZE - 500, SIZE)),
    "the first byte": _range("bytes=0-0", (0, 1)),
    "the last byte": _range("bytes=-1", (SIZE - 1, SIZE)),
    "all, as a range": _range("bytes=0-", (0, SIZE)),
    "more than there is": _range(f"bytes=10-{SIZE * 2}", (10, SIZE)),
    "a longer end than there is": _range(f"bytes=-{SIZE * 2}", (0, SIZE)),
    "over the border of blocks": _range("bytes=65000-140000", (65000, 140001)),
    "the unit's name has no case": _range("Bytes=0-0", (0, 1)),
    "the first and the last": _range("bytes=0-0,-1", (0, 1), (SIZE - 1, SIZE)),
    "three, with blanks": _range("bytes= 0-999, 4500-5499, -1000", (0, 1000), (4500, 5500), (SIZE - 1000, SIZE)),
    "in the order of the request": _range("bytes=5000-5099,0-99", (5000, 5100), (0, 100)),
    "several, over the border of blocks": _range("bytes=1-70000,100000-180000", (1, 70001), (100000, 180001)),
    "what cannot be satisfied is left out": _range(f"bytes={SIZE}-,0-9", (0, 10)),
    "those that overlap": _range("bytes=0-99,50-199", (0, 200)),
    "with if-none-match, several": Case(
        "13.2.2", {"If-None-Match": '"other"', "Range": "bytes=0-9,1000-1009"}, 206, ((0, 10), (1000, 1010))
    ),
    "behind the end": _range(f"bytes={SIZE}-", status=416),
    "none of several": _range(f"bytes={SIZE}-,{SIZE + 5}-{SIZE + 9}", status=416),
    "the last 0": _range("bytes=-0", status=416),
    # What is to be ignored
    "another unit": _range("pages=1-2", *WHOLE, status=200),
    "no unit": _range("0-9", *WHOLE, status=200),
    "the last before the first": _range("bytes=9-0", *WHOLE, status=200),
    "no numbers": _range("bytes=a-b", *WHOLE, status=200),
    "nothing": _range("bytes=", *WHOLE, status=200),
    "one of several is malformed": _range("bytes=0-9,x", *WHOLE, status=200),
    "an attack": _range("bytes=" + ",".join(f"{i}-" for i in range(0, 1000, 5)), *WHOLE, status=200),
    # Section 14.2: only GET has ranges.
    "a range of a head": Case("14.2", _RANGE, 200, method="HEAD"),
    "no range of a head": Case("14.2", {"Range": f"bytes={SIZE}-"}, 200, method="HEAD"),
}


@dataclass
class Reply:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes = field(repr=False)

    @property
    def problem(self) -> bool:
        """Whether it says what is wrong, for programs."""
        return self.headers["Content-Type"] == "application/problem+json"


def ask(
    port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: str | None = None
) -> Reply:
    """One request on a connection of its own, and all of its answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())


def check_case(port: int, path: str, case: Case, there: Reply) -> None:
    """Ask, and compare; `there` is the answer to a request without conditions."""
    at = parsedate_to_datetime(there.headers["Last-Modified"]).timestamp()
    tag = there.headers["ETag"]
    values = {"tag": tag, **{name: formatdate(at + by, usegmt=True) for name, by in _TIMES.items()}}
    reply = ask(port, path, case.method, {name: value.format(**values) for name, value in case.headers.items()})
    assert reply.status == case.status, (reply, case)
    headers = reply.headers
    for name in headers:
        assert len(headers.get_all(name) or ()) == 1, f"{name} came twice"
    if case.status in {200, 206, 304}:
        assert headers["ETag"] == tag
        assert headers["Cache-Control"] == there.headers["Cache-Control"]
    if case.status == 200:
        assert headers["Content-Length"] == str(SIZE)
        for name in ("Content-Type", "Last-Modified", "Accept-Ranges", "X-Content-Type-Options", "Content-Disposition"):
            assert headers[name] == there.headers[name]
        assert headers["Content-Range"] is None
        assert reply.body == (b"" if case.method == "HEAD" else DATA)
        if case.method == "HEAD":  # section 9.3.2
            assert _lasting(headers) == _lasting(there.headers)
    elif case.status == 206:
        _check_parts(reply, case, there)
    elif case.status == 304:
        assert reply.body == b""
        assert headers["Content-Type"] is None
    else:
        assert reply.problem
        assert bool(reply.body) == (case.method != "HEAD")
        if case.status == 416:
            assert headers["Content-Range"] == f"bytes */{SIZE}"


def _lasting(headers: http.client.HTTPMessage) -> dict[str, str]:
    """Those that are about what is sent, and not about this moment and this connection."""
    return {name.lower(): value for name, value in headers.items() if name.lower() not in {"date", "connection"}}


_TIMES = {"same": 0, "before": -1, "after": 1}


def _check_parts(reply: Reply, case: Case, there: Reply) -> None:
    assert reply.headers["Content-Length"] == str(len(reply.body))
    if len(case.spans) == 1:
        [(start, stop)] = case.spans
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
        assert reply.headers["Content-Type"] == there.headers["Content-Type"]
        assert reply.body == DATA[start:stop]
        return
    # Section 15.3.7.2: the parts say where they are from, and the whole does not.
    assert reply.headers["Content-Range"] is None
    assert re.match("multipart/byteranges *;", reply.headers["Content-Type"])
    head = f"Content-Type: {reply.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + reply.body)
    _, *parts = message.walk()
    for part, (start, stop) in zip(parts, case.spans, strict=True):
        assert part["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
        assert part["Content-Type"] == there.headers["Content-Type"]
        assert part.get_payload(decode=True) == DATA[start:stop]
