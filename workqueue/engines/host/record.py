"""4 host record: one line of a journal <-> what it says; pure.

A line begins with a line break too: one that a full disk cut short then spoils no other.
"""

import json
from enum import Enum
from typing import Final

from workqueue.progress import Progress, WaitsAgain


class Mark(Enum):
    """What can be said of a run besides where it stands."""

    START = "start"
    """It begins, perhaps after one that died."""

    CANCEL = "cancel"
    """It is being cancelled: who comes from now on does not want to be told of its end."""


Record = Progress | WaitsAgain | Mark

_WAITS: Final = "waits"

# `json.dumps` makes a new one for each call that has options.
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


def encode(record: Record) -> bytes:
    """The line."""
    content: object = record.value if isinstance(record, Mark) else list(record)
    if isinstance(record, WaitsAgain):
        content = {_WAITS: content}
    return b"\n" + _JSON.encode(content).encode() + b"\n"


def decode(lines: list[bytes]) -> list[Record]:
    """What these lines say; those that were cut short say nothing."""
    return [record for line in lines if line and (record := _decode(line)) is not None]


def _decode(line: bytes) -> Record | None:
    try:
        content = json.loads(line)
        if isinstance(content, dict):
            return WaitsAgain(*content[_WAITS])
        return Mark(content) if isinstance(content, str) else Progress(*content)
    except (ValueError, TypeError, KeyError):
        return None
