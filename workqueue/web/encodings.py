"""7 encodings: events -> bytes of a response, in the three forms that clients read; pure.

==============  ====================  =================================================================================
`JsonArray`     application/json      one array, an element a line: Oboe, and whatever was written for 1.0.1
`NdJson`        application/x-ndjson  an object a line: the browser module, ``curl -N ... | jq``
`ServerSent`    text/event-stream     `EventSource`, which connects again by itself
==============  ====================  =================================================================================

A piece is whole: it ends where its event ends, and so does its line, hence a client that reads lines never waits for
the next event to see this one. The last event is always said, with its returncode: to a client, a connection that was
cut looks like a normal end. A heartbeat is the latest event once more, in every form.

Sources: the `NDJSON specification <https://github.com/ndjson/ndjson-spec>`_; the `HTML standard
<https://html.spec.whatwg.org/multipage/server-sent-events.html>`_, "Server-sent events".
"""

import inspect
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar, Final

from workqueue.progress import Progress, succeeded

#: The `id` of the last server-sent event. `EventSource` connects again after every end, and says the last id it saw.
#: Who says this one has seen the end: 204 makes it stop (HTML standard, "reestablish the connection"). Without that, a
#: page that forgets to close its `EventSource` would run a failed job again every second, for ever.
LAST_EVENT_ID: Final = "end"

#: Milliseconds until an `EventSource` whose stream ended or broke connects again; its own default is several seconds.
RETRY_MILLISECONDS: Final = 1000

#: How many pieces are remembered in each form. What is said to thousands of clients is the same, and encoding it for
#: each of them took 29 % of what an event loop did. They are told of it at about the same time, so a few are enough.
MEMO: Final = 64

#: Characters of a message that is still remembered. A program may print 64 KiB, which JSON makes 384.
MAX_REMEMBERED: Final = 4096


class Encoding(ABC):
    """The events of one stream -> its bytes. Made for each stream, and used from one thread at a time.

    For a form of your own, write a subclass with `media_type`, `content_type` and `encode`, and give it to
    `ProgressStream` or an app among its `encodings`.
    """

    __slots__ = ()

    media_type: ClassVar[str]
    """What a client's Accept header calls it."""

    aliases: ClassVar[tuple[str, ...]] = ()
    """What else it is called."""

    content_type: ClassVar[str]
    """The response's Content-Type."""

    is_resumable: ClassVar[bool] = True
    """Whether a stream may end before its job does, since its client can tell, and comes back."""

    @abstractmethod
    def encode(self, progress: Progress) -> bytes:
        """The piece of the body that carries this event; the first also opens the body, and the last closes it."""

    @classmethod
    def already_built(cls) -> bytes:
        """The whole body for who asks for a result that is there."""
        return cls().encode(succeeded())


class JsonArray(Encoding):
    """A JSON array that grows. Its end says that the job has ended, so it may not end before."""

    __slots__ = ("_is_first",)

    media_type = "application/json"
    content_type = "application/json"  # has no charset: it is UTF-8 by definition (RFC 8259, section 11)
    is_resumable = False

    def __init__(self) -> None:
        self._is_first = True

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding.encode`."""
        piece = _element(progress)
        if self._is_first:
            self._is_first = False
            return b"[\n" + piece.removeprefix(b",")
        return piece

    @classmethod
    def already_built(cls) -> bytes:
        """No event, as 1.0.1 answers."""
        return b"[]\n"


class NdJson(Encoding):
    """An object a line."""

    __slots__ = ()

    media_type = "application/x-ndjson"
    aliases = ("application/ndjson", "application/jsonl", "application/x-jsonlines")
    content_type = "application/x-ndjson; charset=utf-8"

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding.encode`."""
        return _line(progress)


class ServerSent(Encoding):
    """Server-sent events; the data of each is an object."""

    __slots__ = ("_is_first",)

    media_type = "text/event-stream"
    content_type = "text/event-stream; charset=utf-8"

    def __init__(self) -> None:
        self._is_first = True

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding.encode`."""
        piece = _server_sent(progress)
        if self._is_first:
            self._is_first = False
            return b"retry: %d\n" % RETRY_MILLISECONDS + piece
        return piece


ENCODINGS: Final[tuple[type[Encoding], ...]] = (JsonArray, NdJson, ServerSent)
"""All of them; the first is for a client that has no preference."""


def check_encodings(encodings: Sequence[object]) -> None:
    """Refuse what nothing can be encoded with.

    Raises:
        TypeError: there is none, or one of them is no class that encodes.
    """
    for encoding in encodings:
        if not isinstance(encoding, type) or not issubclass(encoding, Encoding) or inspect.isabstract(encoding):
            raise TypeError(f"encodings must be subclasses of Encoding that have an encode method; got {encoding!r}")
    if not encodings:
        raise TypeError("encodings must have one Encoding at least; ENCODINGS are those that come with the library")


def encoding_for(accept: str, encodings: Sequence[type[Encoding]] = ENCODINGS) -> type[Encoding]:
    """Choose for a client.

    Args:
        accept: its Accept header (RFC 9110, section 12.5.1); empty: it sent none.
        encodings: what there is.

    Returns:
        What it ranks highest, and of equals the first of `encodings`; that too when it wants none of them: an answer
        that it did not ask for tells it more than status 406.
    """
    wishes = [_wish(item) for item in accept.split(",")]
    ranks = [_rank(encoding, wishes) for encoding in encodings]
    return encodings[ranks.index(max(ranks))]


def wait_of(accept: str, encoding: type[Encoding]) -> int | None:
    """For how many seconds at most a client wants a response to last; None: it does not say.

    A client behind a proxy that holds responses back until they are whole asks for short ones, in a parameter of the
    media type: ``Accept: text/event-stream;wait=5``. Not in a header of its own (`Prefer: wait=5`, RFC 7240), which
    another origin's page might have to ask for first, and which proxies and views would have to pass on.

    Args:
        accept: its Accept header.
        encoding: what was chosen by that.
    """
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_range in {encoding.media_type, *encoding.aliases}:
            for parameter in parameters:
                found = re.fullmatch(r"wait\s*=\s*0*([1-9][0-9]{0,5})", parameter, re.ASCII)
                if found is not None:
                    return int(found[1])
    return None


def _wish(item: str) -> tuple[str, float]:
    """One item of an Accept header: a media range, and how much it is wanted."""
    media_range, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return media_range, _quality(value)
    return media_range, 1.0


def _quality(text: str) -> float:
    # At most three digits behind the point, by the grammar: so not float(), to which inf and nan are numbers too.
    return float(text) if re.fullmatch(r"0(\.\d*)?|1(\.0*)?", text.strip()) else 0.0


def _rank(encoding: type[Encoding], wishes: list[tuple[str, float]]) -> float:
    """How much an encoding is wanted: as much as the most exact range that it is in says."""
    names = (encoding.media_type, *encoding.aliases)
    for ranges in (names, tuple(f"{name.partition('/')[0]}/*" for name in names), ("*/*",)):
        found = [quality for media_range, quality in wishes if media_range in ranges]
        if found:
            return max(found)
    return 0.0


def _remembered(encode: Callable[[Progress], bytes]) -> Callable[[Progress], bytes]:
    remembered = lru_cache(MEMO)(lambda progress, _eta: encode(progress))  # events with other estimates are equal

    def encode_once(progress: Progress) -> bytes:
        # A subclass may say more than the fields by which it equals another. An error is up to 64 KiB of a program's
        # stderr, told once to each, and not to be kept when its job is forgotten.
        if type(progress) is Progress and progress.error is None:
            try:
                if len(progress.message or "") <= MAX_REMEMBERED:
                    return remembered(progress, progress.eta)
            except TypeError:  # an operator made a field that has no length or hash
                pass
        return encode(progress)

    return encode_once


@_remembered
def _element(progress: Progress) -> bytes:
    # The comma leads: behind the element it would have to wait for the next one, and the line's end with it.
    end = "" if progress.returncode is None else "]\n"
    return f",{_json(progress)}\n{end}".encode()


@_remembered
def _line(progress: Progress) -> bytes:
    return f"{_json(progress)}\n".encode()


@_remembered
def _server_sent(progress: Progress) -> bytes:
    event_id = "" if progress.returncode is None else f"id: {LAST_EVENT_ID}\n"
    return f"{event_id}data: {_json(progress)}\n\n".encode()


def _json(progress: Progress) -> str:
    # In ASCII, with escapes: it survives whoever takes it for another charset, and holds no line's end of any kind.
    return json.dumps(progress.as_dict())
