"""What each encoding writes, and which one a client gets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue import Progress
from workqueue.progress import ProgressDict, failed, succeeded
from workqueue.web.encodings import (
    ENCODINGS,
    LAST_EVENT_ID,
    MAX_REMEMBERED,
    Encoding,
    JsonArray,
    NdJson,
    ServerSent,
    encoding_for,
    wait_of,
)

EVENTS = (
    Progress(n_ahead_in_queue=2),
    Progress(fraction=0.25, message='a "quoted" line\u2028 with ünïcode \U0001f600 and \\ <b>'),
    Progress(fraction=0.25, message=None),
    failed("Exited with code 1\nstderr:\nno such set", 1),
)


def encoded(encoding: type[Encoding], events: tuple[Progress, ...] = EVENTS) -> list[bytes]:
    encoder = encoding()
    return [encoder.encode(event) for event in events]


def wire(events: tuple[Progress, ...] = EVENTS) -> list[dict[str, object]]:
    return [event._asdict() for event in events]


# The forms


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_said_to_many_is_encoded_once(encoding: type[Encoding]) -> None:
    first, second = encoding(), encoding()
    for encoder in (first, second):
        encoder.encode(EVENTS[0])
    for event in EVENTS[:3]:
        assert first.encode(event) is second.encode(event._replace())


class Staged(Progress):
    """Says more than its fields, by which it equals another."""

    stage = "none"

    def as_dict(self) -> ProgressDict:
        """See `Progress`."""
        return {**super().as_dict(), "message": self.stage}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_event_has_bytes_of_its_own(encoding: type[Encoding]) -> None:
    encoder, staged = encoding(), Staged()
    encoder.encode(Progress())
    for staged.stage in ("parsing", "writing"):
        assert f'"message": "{staged.stage}"'.encode() in encoder.encode(staged)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_equal_events_with_other_estimates_have_other_bytes(encoding: type[Encoding]) -> None:
    encoder = encoding()
    encoder.encode(Progress(2))
    for eta in (90.5, 90.0, None, 90.5):
        piece = encoder.encode(Progress(2, eta=eta))
        assert (f'"error": null, "eta": {eta}}}'.encode() in piece) == (eta is not None)
        assert (b"eta" in piece) == (eta is not None)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_event_of_any_json_can_be_told(encoding: type[Encoding]) -> None:
    """As operators may make it."""
    for message in (["read", 1], {"read": 1}, 5):
        event = Progress(message=message)  # type: ignore[arg-type]
        assert b'"message": ' + json.dumps(message).encode() in encoding().encode(event)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "event", [failed("Exited with code 1", 1), Progress(message="\0" * (MAX_REMEMBERED + 1))], ids=["error", "long"]
)
def test_what_is_long_or_a_tenants_own_is_not_kept(encoding: type[Encoding], event: Progress) -> None:
    encoder = encoding()
    encoder.encode(EVENTS[0])
    assert encoder.encode(event) == encoder.encode(event)
    assert encoder.encode(event) is not encoder.encode(event)


def test_an_array_is_json_as_a_whole() -> None:
    assert json.loads(b"".join(encoded(JsonArray))) == wire()


def test_each_line_of_an_array_is_one_element_and_ends_with_its_event() -> None:
    for piece, event in zip(encoded(JsonArray)[:-1], wire(), strict=False):
        assert piece.endswith(b"}\n")
        assert json.loads(piece.lstrip(b"[\n,")) == event


def test_an_array_of_one_event() -> None:
    assert b"".join(encoded(JsonArray, (succeeded(),))) == (
        b'[\n{"n_ahead_in_queue": 0, "fraction": 1.0, "message": null, "returncode": 0, "error": null}\n]\n'
    )


def test_an_array_is_closed_by_the_last_event_and_by_nothing_else() -> None:
    *others, last = encoded(JsonArray)
    assert last.endswith(b"}\n]\n")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(b"".join(others))


def test_ndjson_is_an_object_a_line() -> None:
    pieces = encoded(NdJson)
    assert [json.loads(piece) for piece in pieces] == wire()
    assert all(piece.count(b"\n") == 1 and piece.endswith(b"\n") for piece in pieces)


def test_server_sent_events_are_one_block_each() -> None:
    first, *_, last = pieces = encoded(ServerSent)
    assert first.startswith(b"retry: 1000\n")
    assert all(piece.endswith(b"}\n\n") and piece.count(b"\n\n") == 1 for piece in pieces)
    assert last.startswith(f"id: {LAST_EVENT_ID}\ndata: ".encode())
    data = [line for piece in pieces for line in piece.splitlines() if line.startswith(b"data: ")]
    assert [json.loads(line[6:]) for line in data] == wire()


def test_only_the_last_server_sent_event_has_an_id() -> None:
    assert [b"id:" in piece for piece in encoded(ServerSent)] == [False, False, False, True]


def test_a_heartbeat_is_the_same_event_once_more() -> None:
    event = Progress(fraction=0.5)
    assert json.loads(b"".join(encoded(JsonArray, (event, event, succeeded())))) == wire((event, event, succeeded()))
    first, second = encoded(NdJson, (event, event))
    assert first == second


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (JsonArray, b"[]\n"),
        (NdJson, b'{"n_ahead_in_queue": 0, "fraction": 1.0, "message": null, "returncode": 0, "error": null}\n'),
        (
            ServerSent,
            (
                b"retry: 1000\nid: end\n"
                b'data: {"n_ahead_in_queue": 0, "fraction": 1.0, "message": null, "returncode": 0, "error": null}\n\n'
            ),
        ),
    ],
)
def test_what_is_there_already_is_said_in_one_piece(encoding: type[Encoding], body: bytes) -> None:
    assert encoding.already_built() == body


@given(st.text(), st.text())
def test_no_text_breaks_a_line(message: str, error: str) -> None:
    """Line ends of every kind, NULs, lone surrogates: all arrive as they were."""
    events = (Progress(message=message), failed(error))
    assert json.loads(b"".join(encoded(JsonArray, events))) == wire(events)
    assert [json.loads(line) for line in b"".join(encoded(NdJson, events)).split(b"\n")[:-1]] == wire(events)
    blocks = b"".join(encoded(ServerSent, events)).decode("ascii").split("\n\n")[:-1]
    assert [json.loads(block.splitlines()[-1].removeprefix("data: ")) for block in blocks] == wire(events)


def test_only_an_array_must_go_on_to_the_end_of_the_job() -> None:
    assert [encoding.is_resumable for encoding in ENCODINGS] == [False, True, True]


# The choice


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("", JsonArray),
        ("*/*", JsonArray),
        ("application/json", JsonArray),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JsonArray),
        ("application/json, text/plain, */*", JsonArray),
        ("image/png", JsonArray),
        ("application/*", JsonArray),
        ("application/x-ndjson", NdJson),
        ("APPLICATION/X-NDJSON; charset=utf-8", NdJson),
        ("application/jsonl", NdJson),
        ("application/x-ndjson, application/json;q=0.5", NdJson),
        ("application/json;q=0.5, application/x-ndjson;q=0.9", NdJson),
        ("*/*;q=0.1, application/x-ndjson", NdJson),
        ("application/json, application/x-ndjson", JsonArray),
        ("text/event-stream", ServerSent),
        ("text/*", ServerSent),
        ("application/json;q=0, */*", NdJson),
        ("application/json;q=nonsense, text/event-stream;q=0.1", ServerSent),
        (";,;q=,q", JsonArray),
    ],
)
def test_the_accept_header_chooses(accept: str, encoding: type[Encoding]) -> None:
    assert encoding_for(accept) is encoding


@given(st.text())
def test_no_accept_header_is_too_strange(accept: str) -> None:
    assert encoding_for(accept) in ENCODINGS


def test_no_number_that_is_none_is_preferred() -> None:
    assert encoding_for("application/json, text/event-stream;q=nan") is JsonArray
    assert encoding_for("application/json, text/event-stream;q=inf") is JsonArray


# How long


@pytest.mark.parametrize(
    ("accept", "encoding", "seconds"),
    [
        ("text/event-stream;wait=5", ServerSent, 5),
        ("Text/Event-Stream; Wait = 007 ;q=0.5", ServerSent, 7),
        ("application/jsonl;wait=5", NdJson, 5),
        ("application/json;wait=1, application/x-ndjson;wait=2", NdJson, 2),
        ("application/json;wait=1, application/x-ndjson;wait=2", ServerSent, None),
        ("text/event-stream", ServerSent, None),
        ("text/*;wait=5", ServerSent, None),
        ("text/event-stream;wait=0", ServerSent, None),
        ("text/event-stream;wait=-1", ServerSent, None),
        ("text/event-stream;wait=0.5", ServerSent, None),
        ("text/event-stream;wait=\u0665", ServerSent, None),
        ("text/event-stream;wait=1234567", ServerSent, None),
        ("text/event-stream;wait=;wait", ServerSent, None),
        ("", JsonArray, None),
    ],
)
def test_a_client_may_ask_for_a_short_stream(accept: str, encoding: type[Encoding], seconds: int | None) -> None:
    assert wait_of(accept, encoding) == seconds


@given(st.text())
def test_no_header_is_too_strange_to_look_for_a_wait(accept: str) -> None:
    assert wait_of(accept, ServerSent) is None or "wait" in accept.lower()
