"""1 and 5 details: how a result came to be <-> text that is kept with it; pure.

The text is JSON in ASCII, and short, so that the metadata of an object has room for it (2 KB on S3). Where it is kept
others may write, so what is read back is checked, and what is none of ours says nothing.
"""

import json
import re
from typing import Any, Final, NamedTuple

from workqueue.storage.base import Form, Origin, ResultInfo

#: What an object's metadata has room for, in base64, and a little more.
MAX_BYTES: Final = 1400

#: Neither a run in seconds nor a result in bytes is larger; a number in JSON may be.
_MAX_NUMBER: Final = 2**62

_PUBLICATION: Final = re.compile("[0-9a-f]{16}")

#: In the order in which they are cut, or left out, where there is no room for all.
_TEXTS: Final = ("message", "version", "name")


class Details(NamedTuple):
    """What is kept with a result."""

    origin: Origin = Origin()

    form: Form = "file"

    size: int | None = None
    """In bytes, of all its files, where that is not the size of what it is kept in."""

    publication: str | None = None
    """16 random hexadecimal digits, where nothing else tells one publication from the next."""


def packed(details: Details) -> bytes:
    """The text; a message that is too long is cut, a name or version left out."""
    values = {**details._asdict(), **details.origin._asdict(), "origin": None}
    values = {name: value for name, value in values.items() if value is not None}
    text = _encoded(values)
    for name in _TEXTS:
        over = len(text) - MAX_BYTES
        if over > 0 and name in values:
            cut = _cut(values[name], over) if name == "message" else ""
            values = {**values, name: cut} if cut else {other: values[other] for other in values if other != name}
            text = _encoded(values)
    return text


def unpacked(data: bytes) -> Details:
    """What the text says; nothing of what is not of the right kind."""
    try:
        values = json.loads(data) if len(data) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return Details()
    name, version, message, publication = (
        _text(values.get(field)) for field in ("name", "version", "message", "publication")
    )
    size = _number(values.get("size"))
    return Details(
        Origin(name, version, _number(values.get("seconds")), message),
        "directory" if values.get("form") == "directory" else "file",
        None if size is None else int(size),
        publication if publication is not None and _PUBLICATION.fullmatch(publication) else None,
    )


def known_of(key: str, details: Details, size: int, etag: str, published_at: float) -> ResultInfo:
    """What is known of a result with these details; its size, if they do not say another."""
    name, version, seconds, message = details.origin
    size = size if details.size is None else details.size
    return ResultInfo(key, details.form, size, etag, published_at, seconds, name, version, message)


def _encoded(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _cut(text: str, n_bytes: int) -> str:
    """The text without so many bytes of its encoded form, at its end, or some more, and with three dots there."""
    sizes = [len(json.dumps(char)) - 2 for char in text]
    room = sum(sizes) - n_bytes - len("...")
    end = 0
    for size in sizes:
        if size > room:
            break
        room -= size
        end += 1
    return f"{text[:end]}..." if end else ""


def _text(value: object) -> str | None:
    # A lone surrogate, which JSON can hold, could not be written anywhere.
    return value if isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value) else None


def _number(value: object) -> float | None:
    """A number of seconds or bytes: neither NaN nor infinite, and no truth value, which Python takes for a number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_NUMBER:
        return value
    return None
