"""Clients are told what operators of reactivex make of a job's progress, in an encoding of one's own if need be."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops

from tests.conftest import ensure
from tests.web.conftest import BODY, FORM, TOKEN, Ask
from workqueue import Job, Progress, WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram, output, say
from workqueue.web import ProgressStream
from workqueue.web.encodings import ENCODINGS, Encoding, NdJson, encoding_for

Events = Callable[[Observable[Progress]], Observable[Progress]]
Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def job(queue: WorkQueue, engine: ManualEngine) -> Job:
    """One that has run to its end: 0, 0.25, 0.5, and built."""
    job = ensure(queue, "a")
    engine.start(job)
    for fraction in (0.25, 0.5):
        engine.progress(job, fraction, "reading")
    engine.succeed(job)
    return job


@pytest.fixture(params=["to_generator", "to_async_iter"])
def read(request: pytest.FixtureRequest) -> Read:
    """A whole body, as events."""

    def read(stream: ProgressStream) -> list[dict[str, Any]]:
        is_sync = request.param == "to_generator"
        body = b"".join(stream.to_generator()) if is_sync else asyncio.run(joined(stream))
        found: list[dict[str, Any]] = json.loads(body)
        return found

    return read


async def joined(stream: ProgressStream) -> bytes:
    return b"".join([piece async for piece in stream.to_async_iter()])


def percent(progress: Progress) -> Progress:
    return progress._replace(message=f"{progress.fraction:.0%}")


def test_what_operators_make_of_it_is_told(job: Job, read: Read) -> None:
    stream = ProgressStream(job, events=lambda progress: progress.pipe(ops.map(percent)))
    assert read(stream)[-1]["message"] == "100%"


@pytest.mark.parametrize(
    "events",
    [
        lambda progress: progress.filter(lambda p: p.returncode is None),
        lambda progress: progress.take(1),
        lambda _: reactivex.empty(),
        lambda progress: progress.last(),
    ],
    ids=["filter", "take", "empty", "last"],
)
def test_the_end_is_told_once_whatever_is_left_out(job: Job, read: Read, events: Events) -> None:
    told = read(ProgressStream(job, events=events))
    assert [event["returncode"] for event in told].count(0) == 1
    assert told[-1]["returncode"] == 0


def test_nothing_follows_the_end(job: Job, read: Read) -> None:
    told = read(ProgressStream(job, events=lambda progress: reactivex.concat(progress, progress)))
    assert [event["returncode"] for event in told].count(0) == 1
    assert told[-1]["returncode"] == 0


def test_a_stream_that_was_cut_short_waits_for_the_end(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    pieces = ProgressStream(job, "application/x-ndjson", events=lambda progress: progress.take(1)).to_generator()
    assert json.loads(next(pieces))["returncode"] is None
    engine.progress(job, 0.5)
    engine.succeed(job)
    assert [json.loads(piece)["returncode"] for piece in pieces] == [0]
    assert job.n_watchers == 0


def test_who_leaves_leaves_nothing_behind(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    for events in (lambda progress: progress.map(percent), lambda progress: progress.take(1)):
        pieces = ProgressStream(job, "application/x-ndjson", events=events).to_generator()
        next(pieces)
        assert job.n_watchers == 1
        pieces.close()
        assert job.n_watchers == 0


def without_end(progress: Observable[Progress]) -> Observable[Progress]:
    """The job's end is left out, and the stream goes on: what an operator adds that ticks for ever."""
    return progress.filter(lambda p: p.returncode is None).concat(reactivex.never())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock that streams look at."""
    now = [100.0]
    monkeypatch.setattr("workqueue.web.stream.time.monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


@pytest.mark.parametrize("accept", [encoding.media_type for encoding in ENCODINGS])
def test_a_stream_that_goes_on_after_its_job_is_ended_with_the_jobs_last_event(
    queue: WorkQueue, engine: ManualEngine, clock: Callable[[float], None], accept: str
) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    pieces = ProgressStream(job, accept, events=without_end, heartbeat=0.01, max_duration=5.0).to_generator()
    body = next(pieces)
    engine.fail(job, 1, "why")
    body += next(pieces)  # a heartbeat: what is made of the end may be about to come
    clock(4.9)
    body += next(pieces)
    clock(0.2)
    (piece,) = pieces
    assert b'"returncode": 1' in piece
    assert b"why" in piece
    assert accept != "application/json" or json.loads(body + piece)[-1]["returncode"] == 1
    assert job.n_watchers == 0


def test_so_is_an_async_one(job: Job, clock: Callable[[float], None]) -> None:
    async def scenario() -> None:
        stream = ProgressStream(job, "application/x-ndjson", events=without_end, heartbeat=0.01, max_duration=5.0)
        pieces = stream.to_async_iter()
        await anext(pieces)
        clock(5.0)
        assert [json.loads(piece)["returncode"] async for piece in pieces] == [0]
        assert job.n_watchers == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("accept", [encoding.media_type for encoding in ENCODINGS])
def test_what_operators_make_of_the_end_is_told_however_long_the_stream_was(
    queue: WorkQueue, engine: ManualEngine, clock: Callable[[float], None], accept: str
) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    stream = ProgressStream(job, accept, events=lambda progress: progress.map(percent), max_duration=5.0)
    pieces = stream.to_generator()
    next(pieces)
    clock(1000.0)
    engine.succeed(job)
    (piece,) = pieces
    assert b"100%" in piece


def shout(progress: Progress) -> Progress:
    return progress._replace(message=progress.message.upper())  # type: ignore[union-attr] - the last has no message


def boom(progress: Progress) -> Progress:
    raise ValueError(f"boom at {progress.fraction}")


@pytest.mark.parametrize(
    ("events", "error"),
    [
        (lambda progress: progress.skip(1).map(shout), "'NoneType' object has no attribute 'upper'"),
        (lambda progress: progress.map(boom), "boom at 0.0"),
        (lambda progress: progress.map(lambda p: p.fraction), "an observable of Progress; it told 0.0"),
        (lambda progress: progress.take(1).concat(reactivex.throw(LookupError("late"))), "late"),
    ],
    ids=["at the end", "at the first", "no Progress", "an error of its own"],
)
def test_the_end_is_told_though_an_operator_raises(
    job: Job, read: Read, caplog: pytest.LogCaptureFixture, events: Events, error: str
) -> None:
    """A response that broke off would be asked for again, and a failed job would run again, without end."""
    told = read(ProgressStream(job, events=events))
    assert [event["returncode"] for event in told].count(0) == 1
    assert told[-1]["returncode"] == 0
    (record,) = (record for record in caplog.records if record.levelno >= logging.WARNING)
    assert record.name == "workqueue"
    assert record.getMessage() == f"events raised, so a client is told only how the job {job.key} ends"
    assert record.exc_info is not None
    assert error in str(record.exc_info[1])


def test_what_an_operator_raises_before_the_end_waits_for_it(
    queue: WorkQueue, engine: ManualEngine, caplog: pytest.LogCaptureFixture
) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    pieces = ProgressStream(
        job, "application/x-ndjson", events=lambda progress: progress.do_action(boom), heartbeat=None
    ).to_generator()
    engine.fail(job, 1, "why")
    (piece,) = pieces
    assert json.loads(piece)["error"].endswith("why")
    assert job.n_watchers == 0
    assert caplog.text.count("events raised") == 1
    assert list(ProgressStream(job).to_generator())


def test_a_result_that_is_there_is_told_as_ever() -> None:
    stream = ProgressStream(None, events=lambda progress: progress.take(0))
    assert list(stream.to_generator()) == [b"[]\n"]


def test_what_makes_no_stream_is_refused(job: Job, queue: WorkQueue, make_app: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="return an observable of Progress; got 3"):
        ProgressStream(job, events=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an observable of Progress; it returned None"):
        ProgressStream(job, events=lambda _: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="events must take a job's progress"):
        make_app(queue, events=3)


class Percents(Encoding):
    """A line of text an event."""

    media_type = "text/plain"
    content_type = "text/plain; charset=utf-8"

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding`."""
        return b"%d %%\n" % (progress.fraction * 100)


def test_the_apps_take_both(
    make_app: Callable[..., Any], make_queue: Callable[..., WorkQueue], tmp_path: Path, ask: Ask
) -> None:
    with ScriptedProgram(tmp_path / "program", say(0.5, "half"), output(b"built")) as program:
        app = make_app(
            make_queue(program.path),
            events=lambda progress: progress.take_last(1),
            encodings=(*ENCODINGS, Percents),
        )
        reply = ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN, Accept="text/plain")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert reply.body == b"100 %\n"


@pytest.mark.parametrize("accept", ["text/plain", "text/*", "text/plain, application/json;q=0.5"])
def test_an_encoding_of_ones_own_is_chosen_by_accept(job: Job, accept: str) -> None:
    stream = ProgressStream(job, accept, encodings=(NdJson, Percents))
    assert stream.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert list(stream.to_generator()) == [b"100 %\n"]


def test_the_first_encoding_is_for_a_client_without_a_preference() -> None:
    assert encoding_for("", (Percents, *ENCODINGS)) is Percents
    assert encoding_for("application/pdf", (NdJson, Percents)) is NdJson
    assert encoding_for("text/plain") is ENCODINGS[0]


class Unfinished(Encoding):
    """It cannot encode."""


@pytest.mark.parametrize("encodings", [(), (Unfinished,), (Percents(),), ("text/plain",), (int,)], ids=range(5))
def test_what_cannot_encode_is_refused(
    job: Job, queue: WorkQueue, make_app: Callable[..., Any], encodings: tuple[Any, ...]
) -> None:
    with pytest.raises(TypeError, match="encodings must"):
        ProgressStream(job, encodings=encodings)
    with pytest.raises(TypeError, match="encodings must"):
        make_app(queue, encodings=encodings)
