"""4 cluster payload: a record's value <-> bytes of JSON; on what condition it is put -> the headers of that; pure."""

import json
from typing import Any


def encode(value: object) -> bytes:
    """What JSON can say, as bytes."""
    return json.dumps(value, separators=(",", ":")).encode()


def decode(data: bytes) -> Any:
    """What they say; None if they are no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def headers_of(expect: int | None, on: str | None, ttl: float, *, is_only: bool) -> dict[str, str]:
    """The headers of one put; see `Log.put`. Here `on` has the stream's prefix."""
    headers: dict[str, str] = {}
    if expect is not None:
        headers["Nats-Expected-Last-Subject-Sequence"] = str(expect)
        if on is not None:
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = on
    if ttl:
        headers["Nats-TTL"] = f"{max(1, round(ttl))}s"
    if is_only:
        headers["Nats-Rollup"] = "sub"
    return headers
