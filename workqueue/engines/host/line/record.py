"""4 host line record: one thing that is said in the log of the line <-> a line of text; pure.

A record begins with a line break too, and ends with its checksum: what a full disk or a killed process cut short is no
record, and spoils no other. The tenant's name, which may be anything and perhaps an address, is a hash there.
"""

import hashlib
import re
import zlib
from typing import Final, NamedTuple

from workqueue.storage.disk import KEY

NO_LIMIT: Final = 2**31 - 1
"""More than ever run, or wait."""

MAX_LINE: Final = 256
"""No record is longer."""


class Join(NamedTuple):
    """A process is there."""

    member: str
    max_running: int
    """How many may run, of all, when one of its tasks begins."""

    max_running_per_tenant: int
    max_of_its_own: int
    """How many it can run itself."""


class Enter(NamedTuple):
    """A process has one more task, which waits."""

    member: str
    task: int
    key: str
    tenant: str
    max_pending: int


class Begin(NamedTuple):
    """It begins one; that counts if it may."""

    member: str
    task: int


class Leave(NamedTuple):
    """A task has ended, or waits no more."""

    member: str
    task: int


class Dead(NamedTuple):
    """A process has died, or closed."""

    member: str


class Stalled(NamedTuple):
    """A process did not take its turn, and is passed over."""

    member: str


class Back(NamedTuple):
    """It takes turns again."""

    member: str


class Seal(NamedTuple):
    """The log has ended; the next one goes on."""


class Clock(NamedTuple):
    """First in a log that goes on: which turn has come, and how many have entered."""

    turn: int
    n_entered: int


class Waits(NamedTuple):
    """In a log that goes on: this key has that place."""

    key: str
    tenant: str
    turn: int
    number: int


class Runs(NamedTuple):
    """A process runs this task, whether it may or not: it began before the log did."""

    member: str
    task: int
    key: str
    tenant: str
    turn: int


class Time(NamedTuple):
    """The time of day: what follows was said then or a moment later. For people alone; nothing is decided by it.

    A process of a release that does not know it takes it for no record.
    """

    at: int
    """In milliseconds since 1970."""


Record = Join | Enter | Begin | Leave | Dead | Stalled | Back | Seal | Clock | Waits | Runs | Time

_KINDS: Final[dict[str, type[Record]]] = {
    "join": Join,
    "enter": Enter,
    "begin": Begin,
    "leave": Leave,
    "dead": Dead,
    "stalled": Stalled,
    "back": Back,
    "seal": Seal,
    "clock": Clock,
    "waits": Waits,
    "runs": Runs,
    "time": Time,
}
_WORDS: Final = {kind: word for word, kind in _KINDS.items()}

_FIELDS: Final = {"member": re.compile("[0-9a-f]{16}"), "key": KEY, "tenant": re.compile("-|[0-9a-f]{16}")}
_NUMBER: Final = re.compile("[0-9]{1,10}", re.ASCII)
_AT: Final = re.compile("[0-9]{1,14}", re.ASCII)

_HEX_BYTES: Final = 8


def tenant_of(name: str) -> str:
    """What stands for a tenant's name."""
    return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest() if name else "-"


def encode(record: Record) -> bytes:
    """The lines to append."""
    text = " ".join((_WORDS[type(record)], *map(str, record))).encode()
    return b"\n%b %08x\n" % (text, zlib.crc32(text))


def decode(line: bytes) -> Record | None:
    """What a line says, without its break; None when it says nothing that can be relied upon."""
    text, _, checksum = line.rpartition(b" ")
    if len(line) > MAX_LINE or len(checksum) != _HEX_BYTES or b"%08x" % zlib.crc32(text) != checksum:
        return None
    try:
        word, *fields = text.decode("ascii").split(" ")
    except UnicodeDecodeError:
        return None
    kind = _KINDS.get(word)
    if kind is None or len(fields) != len(kind._fields):
        return None
    values = [_value(name, field) for name, field in zip(kind._fields, fields, strict=True)]
    return None if None in values else kind(*values)  # type: ignore[arg-type]


def _value(name: str, field: str) -> str | int | None:
    pattern = _FIELDS.get(name)
    if pattern is not None:
        return field if pattern.fullmatch(field) else None
    if name == "at":
        return int(field) if _AT.fullmatch(field) else None
    if not _NUMBER.fullmatch(field) or int(field) > NO_LIMIT:
        return None
    return int(field)
