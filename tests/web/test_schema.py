"""The schema says what an event is, as its types do; and what clients really are sent keeps it."""

import asyncio
import compileall
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator

import workqueue
from tests.servers.server import eventually
from tests.web.conftest import BODY, FORM, PARAMS, TOKEN, Ask, Reply, Wire, environ, opened, scope
from tests.web.schemas import ARRAY, EVENT, PROBLEM, events_of, spoil
from workqueue import Progress, ProgressDict, WorkQueue
from workqueue.progress import cancelled, failed, failed_exit, succeeded
from workqueue.testing import ManualEngine, ScriptedProgram, exit_with, output, print_error, say, wait
from workqueue.web import Problem, asgi, problem_schema, progress_array_schema, progress_schema, wsgi
from workqueue.web.encodings import ENCODINGS, JsonArray

MakeApp = Callable[..., Any]
MakeQueue = Callable[..., WorkQueue]

#: What a schema's type is in Python: the way back, written apart from the way there.
PYTHON_TYPES: dict[str, Any] = {"integer": int, "number": float, "string": str, "null": None}

#: In every event, and in the tuple; and what is in some events, and beside the tuple.
FIELDS, SOMETIMES = [*Progress._fields], ["eta"]


def python_type(names: str | list[str]) -> Any:
    first, *others = [PYTHON_TYPES[name] for name in ([names] if isinstance(names, str) else names)]
    for other in others:
        first |= other
    return first


# The schema, and the types


@pytest.mark.parametrize("validator", [EVENT, ARRAY, PROBLEM], ids=lambda validator: validator.schema["title"])
def test_each_is_a_schema_of_the_draft_that_it_names(validator: Draft202012Validator) -> None:
    assert validator.schema["$schema"] == validator.META_SCHEMA["$id"]
    validator.check_schema(validator.schema)


def test_the_value_the_dict_and_the_schema_have_the_same_fields_of_the_same_types() -> None:
    hints = get_type_hints(Progress)
    properties = progress_schema()["properties"]
    # What may be missing is None in the value, and never in the dict.
    sent = {name: hint if name in FIELDS else hint | None for name, hint in get_type_hints(ProgressDict).items()}
    assert list(hints.items()) == list(sent.items())
    assert get_type_hints(ProgressDict) == {name: python_type(schema["type"]) for name, schema in properties.items()}
    assert FIELDS + SOMETIMES == list(hints) == list(properties)
    assert progress_schema()["required"] == FIELDS
    assert ProgressDict.__required_keys__ == set(FIELDS)
    assert ProgressDict.__optional_keys__ == set(SOMETIMES)


def test_the_dict_has_what_the_value_has() -> None:
    progress = Progress(3, 0.25, "reading", 4, "no such set")
    assert list(progress.as_dict().items()) == list(zip(FIELDS, progress, strict=True))
    assert Progress(**progress.as_dict()) == progress
    waits = progress.with_eta(2.5)
    assert waits.as_dict() == {**progress.as_dict(), "eta": 2.5}
    assert Progress(**waits.as_dict()).eta == 2.5


def test_each_property_is_described_in_the_words_of_the_field() -> None:
    source = Path(sys.modules[Progress.__module__].__file__ or "").read_text()
    for schema in progress_schema()["properties"].values():
        text: str = schema["description"]
        assert "``" not in text
        assert f'"""{text.replace("`", "``").replace("null", "None")}"""' in source


def test_a_schema_is_its_callers_to_change() -> None:
    for make in (progress_schema, progress_array_schema, problem_schema):
        before = json.dumps(make())
        spoil(make())
        assert json.dumps(make()) == before


def test_without_sources_only_the_descriptions_are_missing(tmp_path: Path) -> None:
    """Some install Python's compiled files alone."""
    copy = shutil.copytree(
        Path(workqueue.__file__).parent,
        tmp_path / "workqueue",
        ignore=shutil.ignore_patterns("__pycache__", "builder", "cli", "demo", "monitoring", "terminal", "testing"),
    )
    assert compileall.compile_dir(copy, legacy=True, quiet=1)
    for path in copy.rglob("*.py"):
        path.unlink()
    script = "import json; from workqueue.web import progress_schema as s; print(json.dumps(s()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    expected = progress_schema()
    for schema in expected["properties"].values():
        del schema["description"]
    assert json.loads(done.stdout) == expected


# What keeps it, and what does not


@pytest.mark.parametrize(
    "progress",
    [
        Progress(),
        Progress(n_ahead_in_queue=2**40, message="The machine was lost."),
        Progress(n_ahead_in_queue=2, eta=0.0),
        Progress(n_ahead_in_queue=2, eta=1e9),
        Progress(fraction=0, message=""),
        Progress(fraction=5e-324, message="\u2028 ünï\U0001f600 \"'\\"),
        Progress(fraction=1.0),
        succeeded(),
        cancelled(),
        failed(""),
        failed_exit(255, "no such\nset"),
        failed_exit(-9, ""),
    ],
)
def test_every_event_that_a_job_can_have_keeps_it(progress: Progress) -> None:
    EVENT.validate(json.loads(json.dumps(progress.as_dict())))


GOOD = Progress(fraction=0.5, message="half").as_dict()


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        None,
        *({name: value for name, value in GOOD.items() if name != missing} for missing in FIELDS),
        {**GOOD, "percent": 50},
        *({**GOOD, name: value} for name in FIELDS for value in (True, [], {})),
        {**GOOD, "n_ahead_in_queue": -1},
        {**GOOD, "n_ahead_in_queue": 0.5},
        {**GOOD, "n_ahead_in_queue": None},
        {**GOOD, "fraction": -0.001},
        {**GOOD, "fraction": 1.001},
        {**GOOD, "fraction": "0.5"},
        {**GOOD, "fraction": None},
        {**GOOD, "message": 5},
        {**GOOD, "error": "it failed"},
        {**GOOD, "returncode": 0},
        {**GOOD, "fraction": 1, "returncode": 0, "error": "it failed"},
        {**GOOD, "fraction": 1, "returncode": 1},
        {**GOOD, "fraction": 1, "returncode": "0"},
        {**GOOD, "returncode": 1, "error": "it failed"},
        *({**GOOD, "eta": value} for value in (None, -1, "1", True, [])),
        {**GOOD, "fraction": 1, "returncode": 0, "eta": 1},
    ],
    ids=json.dumps,
)
def test_what_no_job_can_say_does_not(event: object) -> None:
    assert not EVENT.is_valid(event)
    assert not ARRAY.is_valid([event, succeeded().as_dict()])


def test_an_array_has_one_end_or_nothing() -> None:
    end, other = succeeded().as_dict(), failed("no").as_dict()
    assert [ARRAY.is_valid(array) for array in ([], [end], [GOOD, GOOD, end], [GOOD, other])] == [True] * 4
    assert [ARRAY.is_valid(array) for array in ([GOOD], [end, end], [other, GOOD, end], end, None)] == [False] * 5


def test_a_refusal_may_say_more_but_not_less() -> None:
    problem = json.loads(Problem(404, "there is nothing here").body())
    PROBLEM.validate({**problem, "instance": "/generate"})
    assert list(problem) == problem_schema()["required"] == list(problem_schema()["properties"])
    for name in problem:
        assert not PROBLEM.is_valid({key: value for key, value in problem.items() if key != name})
        assert not PROBLEM.is_valid({**problem, name: None})
    assert not PROBLEM.is_valid({**problem, "status": 200})


# What clients really are sent


@pytest.fixture(params=ENCODINGS, ids=lambda encoding: encoding.media_type)
def accept(request: pytest.FixtureRequest) -> str:
    """Each form that a client can ask for."""
    media_type: str = request.param.media_type
    return media_type


def checked(reply: Reply) -> list[ProgressDict]:
    """The same, after they were held against the schema; the last one has a returncode."""
    assert reply.status == 200
    events: list[ProgressDict] = events_of(reply)
    for event in events:
        EVENT.validate(event)
    assert [event["returncode"] is None for event in events] == [True] * (len(events) - 1) + [False] * bool(events)
    return events


def ask_and_act(app: Any, accept: str, act: Callable[[], object]) -> Reply:
    """One request, to the end of its response; this is done once its first event has come."""
    headers = {"Content-Type": FORM, "Authorization": TOKEN, "Accept": accept}
    if isinstance(app, wsgi.GenerateApp):
        with opened(app, environ("POST", "/generate", "", BODY, headers)) as (status, reply_headers, pieces):
            body: Iterator[bytes] = iter(pieces)
            first = next(body)
            act()
            return Reply(status, reply_headers, first + b"".join(body))
    return asyncio.run(_ask_asgi_and_act(app, headers, act))


async def _ask_asgi_and_act(app: asgi.GenerateApp, headers: dict[str, str], act: Callable[[], object]) -> Reply:
    wire = Wire(BODY)
    answering = asyncio.ensure_future(app(scope("POST", "/generate", "", headers), wire.receive, wire.send))
    start, *pieces = [await wire.sent.get(), await wire.sent.get()]
    await asyncio.to_thread(act)
    await answering
    while not wire.sent.empty():
        pieces.append(wire.sent.get_nowait())
    reply_headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
    return Reply(start["status"], reply_headers, b"".join(piece["body"] for piece in pieces))


def test_of_a_success_and_of_what_is_there(
    make_app: MakeApp, make_queue: MakeQueue, tmp_path: Path, ask: Ask, accept: str
) -> None:
    steps = say(0.0), say(5e-05, "\x1b[31mred\u2028 ünï\U0001f600 \"'\\"), wait("seen"), say(1.0), output(b"built")
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        app = make_app(make_queue(program.path), heartbeat=0.01)
        last = checked(ask_and_act(app, accept, lambda: program.release("seen")))[-1]
        assert (last["returncode"], last["error"]) == (0, None)
        again = ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN, Accept=accept)
        assert checked(again) == ([] if accept == JsonArray.media_type else [succeeded().as_dict()])


@pytest.mark.parametrize(
    ("steps", "returncode"),
    [
        ([say(0.5), print_error("no such\nset"), exit_with(3)], 3),
        ([say(0.5)], -999),  # without an output
        ([exit_with(75)], 75),  # asks to be run later, twice
    ],
    ids=["fails", "builds nothing", "later"],
)
def test_of_a_failure(
    make_app: MakeApp, make_queue: MakeQueue, tmp_path: Path, ask: Ask, accept: str, steps: list[Any], returncode: int
) -> None:
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        app = make_app(make_queue(program.path, retries=1, retry_delay=0.01))
        reply = ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN, Accept=accept)
        assert checked(reply)[-1]["returncode"] == returncode


def test_of_a_program_that_cannot_be_started(
    make_app: MakeApp, make_queue: MakeQueue, program: ScriptedProgram, ask: Ask, accept: str
) -> None:
    app = make_app(make_queue(program.path))
    program.path.unlink()
    reply = ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN, Accept=accept)
    assert checked(reply)[-1]["returncode"] == -999


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_of_a_job_that_is_stopped(
    make_app: MakeApp, make_queue: MakeQueue, program: ScriptedProgram, accept: str, how: str
) -> None:
    queue = make_queue(program.path)

    def stop() -> None:
        program.wait_reached("gate")
        job = queue.ensure_run(PARAMS)
        assert job is not None
        if how == "cancelled":
            job.cancel()
        else:
            queue.close(drain=0.0)

    last = checked(ask_and_act(make_app(queue), accept, stop))[-1]
    assert last["returncode"] == -998 or how == "closed"
    assert last["error"]


def test_of_a_job_that_waits_in_line(
    make_app: MakeApp, make_queue: MakeQueue, program: ScriptedProgram, accept: str
) -> None:
    queue = make_queue(program.path, max_running=1)
    before = queue.ensure_run(PARAMS._replace(document_set_id="0"))
    assert before is not None
    program.wait_reached("gate")
    events = checked(ask_and_act(make_app(queue), accept, lambda: program.release("gate", times=2)))
    assert (events[0]["n_ahead_in_queue"], events[-1]["returncode"]) == (1, 0)


def test_of_a_stream_that_ends_before_its_job(
    make_app: MakeApp, queue: WorkQueue, engine: ManualEngine, ask: Ask, accept: str
) -> None:
    """All but the array do so; its client asks again."""
    job = queue.ensure_run(PARAMS)
    assert job is not None
    engine.start(job)
    app = make_app(queue, heartbeat=0.01, max_duration=0.02)
    if accept == JsonArray.media_type:
        checked(ask_and_act(app, accept, lambda: engine.succeed(job)))
        return
    reply = ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN, Accept=accept)
    events = events_of(reply)
    assert [event["returncode"] for event in events] == [None] * len(events) != []
    for event in events:
        EVENT.validate(event)
    engine.succeed(job)
    eventually(lambda: job.state.is_final)


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, {"body": b"server=http%3A%2F%2Fh", "Content_Type": FORM}),
        (400, {"body": b"{", "Content_Type": "application/json"}),
        (401, {"body": BODY, "Content_Type": FORM}),
        (403, {"body": BODY, "Content_Type": FORM, "Authorization": TOKEN}),
        (404, {"path": "/elsewhere"}),
        (405, {"method": "DELETE"}),
        (413, {"body": b"a" * (256 * 1024 + 1), "Content_Type": FORM}),
        (415, {"body": b"a", "Content_Type": "text/plain"}),
    ],
)
def test_of_a_refusal(
    make_app: MakeApp, queue: WorkQueue, ask: Ask, accept: str, status: int, request_: dict[str, Any]
) -> None:
    app = make_app(queue, authorize=lambda params: False)
    check_refusal(ask(app, **request_, Accept=accept), status)


def check_refusal(reply: Reply, status: int) -> None:
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    problem = json.loads(reply.body)
    PROBLEM.validate(problem)
    assert list(problem) == problem_schema()["required"]
    assert problem["status"] == status


@pytest.mark.parametrize("how", ["full", "closed"])
def test_of_a_queue_that_takes_no_more(make_app: MakeApp, make_queue: MakeQueue, ask: Ask, how: str) -> None:
    queue = make_queue("program", engine=ManualEngine(), max_pending=0 if how == "full" else None)
    if how == "closed":
        queue.close()
    check_refusal(ask(make_app(queue), body=BODY, Content_Type=FORM, Authorization=TOKEN), 503)
