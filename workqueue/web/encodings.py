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

import json
import re
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from workqueue.progress import Progress, succeeded

#: The `id` of the last server-sent event. `EventSource` connects again after every end, and says the last id it saw.
#: Who says this one has seen the end: 204 makes it stop (HTML standard, "reestablish the connection"). Without that, a
#: page that forgets to close its `EventSource` would run a failed job again every second, for ever.
LAST_EVENT_ID: Final = "end"

#: Milliseconds until an `EventSource` whose stream ended or broke connects again; its own default is several seconds.
RETRY_MILLISECONDS: Final = 1000


class Encoding(ABC):
    """The events of one stream -> its bytes. Make one for each stream, and use it from one thread at a time."""

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

    media_type = "application/json"
    content_type = "application/json"  # has no charset: it is UTF-8 by definition (RFC 8259, section 11)
    is_resumable = False

    def __init__(self) -> None:
        self._before = "[\n"

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding.encode`."""
        # The comma leads: behind the element it would have to wait for the next one, and the line's end with it.
        piece = f"{self._before}{_json(progress)}\n"
        self._before = ","
        return (piece if progress.returncode is None else f"{piece}]\n").encode()

    @classmethod
    def already_built(cls) -> bytes:
        """No event, as 1.0.1 answers."""
        return b"[]\n"


class NdJson(Encoding):
    """An object a line."""

    media_type = "application/x-ndjson"
    aliases = ("application/ndjson", "application/jsonl", "application/x-jsonlines")
    content_type = "application/x-ndjson; charset=utf-8"

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding.encode`."""
        return f"{_json(progress)}\n".encode()


class ServerSent(Encoding):
    """Server-sent events; the data of each is an object."""

    media_type = "text/event-stream"
    content_type = "text/event-stream; charset=utf-8"

    def __init__(self) -> None:
        self._before = f"retry: {RETRY_MILLISECONDS}\n"

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding.encode`."""
        event_id = "" if progress.returncode is None else f"id: {LAST_EVENT_ID}\n"
        piece = f"{self._before}{event_id}data: {_json(progress)}\n\n"
        self._before = ""
        return piece.encode()


ENCODINGS: Final[tuple[type[Encoding], ...]] = (JsonArray, NdJson, ServerSent)
"""All of them; the first is for a client that has no preference."""


def encoding_for(accept: str) -> type[Encoding]:
    """Choose for a client.

    Args:
        accept: its Accept header (RFC 9110, section 12.5.1); empty: it sent none.

    Returns:
        What it ranks highest, and of equals the first of `ENCODINGS`; that too when it wants none of them: an answer
        that it did not ask for tells it more than status 406.
    """
    wishes = [_wish(item) for item in accept.split(",")]
    ranks = [_rank(encoding, wishes) for encoding in ENCODINGS]
    return ENCODINGS[ranks.index(max(ranks))]


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


def _json(progress: Progress) -> str:
    # In ASCII, with escapes: it survives whoever takes it for another charset, and holds no line's end of any kind.
    return json.dumps(progress.as_dict())
