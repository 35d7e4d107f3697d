"""4 host record: what a journal says of a run <-> bytes; pure.

A frame is a head of fixed length, with the length and the checksum of what follows, and a JSON text: the run's number
and one record. A frame that was cut short, is being written, or was never one of ours has another checksum. What has
the right one is still looked at, field by field: it is read by whoever asks for the key.
"""

import json
import re
import zlib
from enum import Enum
from typing import Final, NamedTuple

from workqueue.progress import Progress, WaitsAgain


class Mark(Enum):
    """What can be said of a run besides where it stands."""

    START = "start"
    """It begins, perhaps after one that died."""

    CANCEL = "cancel"
    """It is being cancelled: clients that come from now on do not want to be told of its end."""


Record = Progress | WaitsAgain | Mark


class Times(NamedTuple):
    """When a run was asked for and began, in seconds since 1970; for people, nothing is decided by it."""

    queued_at: float
    began_at: float


RUN: Final = re.compile("[0-9a-f]{16}")
"""What a run's number looks like."""

HEAD_BYTES: Final = 18

_HEAD: Final = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8})\n")

#: No returncode is beyond, whatever a journal says.
_MAX_STATUS: Final = 2**31

#: Nor a time.
_MAX_TIME: Final = 1e11

#: Nor that many jobs ahead.
_MAX_COUNT: Final = 2**31

# `json.dumps` makes a new one for each call that has options.
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


class Framed(NamedTuple):
    """What a frame holds."""

    run: str
    record: Record


def encode(run: str, record: Record) -> bytes:
    """The frame."""
    content: object = record.value if isinstance(record, Mark) else list(record)
    text = _JSON.encode([run, content]).encode()
    return b"%08x %08x\n" % (len(text), zlib.crc32(text)) + text


def encode_times(run: str, times: Times) -> bytes:
    """The frame of a run's times."""
    text = _JSON.encode([run, ["at", *(round(time, 3) for time in times)]]).encode()
    return b"%08x %08x\n" % (len(text), zlib.crc32(text)) + text


def length_of(head: bytes) -> int:
    """How long the text is that this head announces; 0 when it is no head."""
    match = _HEAD.match(head)
    return int(match[1], 16) if match else 0


def decode(frame: bytes) -> Framed | None:
    """What a frame says, whatever follows it; None when it says nothing that can be relied upon."""
    run, said = _content_of(frame)
    record = None if run is None else _record(said)
    return None if run is None or record is None else Framed(run, record)


def decode_times(frame: bytes, run: str) -> Times | None:
    """The times of this run, if the frame holds them."""
    whose, said = _content_of(frame)
    match said:
        case ["at", float() as queued_at, float() as began_at] if whose == run and _is_times(queued_at, began_at):
            return Times(queued_at, began_at)
    return None


def _content_of(frame: bytes) -> tuple[str, object] | tuple[None, None]:
    """Whose run it is about, and what it says of that."""
    nothing = None, None
    match = _HEAD.match(frame)
    if match is None:
        return nothing
    text = frame[HEAD_BYTES : HEAD_BYTES + int(match[1], 16)]
    if len(text) != int(match[1], 16) or zlib.crc32(text) != int(match[2], 16):
        return nothing
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return nothing
    if not (isinstance(content, list) and len(content) == 2):
        return nothing
    run, said = content
    return (run, said) if isinstance(run, str) and RUN.fullmatch(run) else nothing


def _record(said: object) -> Record | None:
    if isinstance(said, str):
        return next((mark for mark in Mark if mark.value == said), None)
    match said:
        case [int() as n_ahead, str() | None as message] if _is_count(n_ahead):
            return WaitsAgain(n_ahead, message)
        case [
            int() as n_ahead,
            int() | float() as fraction,
            str() | None as message,
            int() | None as returncode,
            str() | None as error,
        ] if _is_count(n_ahead) and _is_fraction(fraction) and _is_status(returncode, error):
            return Progress(n_ahead, fraction, message, returncode, error)
    return None


def _is_count(value: int) -> bool:
    return not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _is_times(*times: float) -> bool:
    return all(0 <= time <= _MAX_TIME for time in times)  # neither of which a NaN is


def _is_fraction(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= 1  # neither of which a NaN is


def _is_status(returncode: int | None, error: str | None) -> bool:
    """Whether they go together: what has not failed has no error."""
    if returncode is None or returncode == 0:
        return error is None and not isinstance(returncode, bool)
    return not isinstance(returncode, bool) and abs(returncode) <= _MAX_STATUS
