"""What both applications answer, to each kind of request; servers are in tests/servers."""

import contextlib
import functools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.web.conftest import BODY, FORM, PARAMS, TOKEN, Ask
from workqueue import OverviewViewParams, Params, QueueClosed, WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram, exit_with, output, print_error, say
from workqueue.web import BROWSER_MODULE, BROWSER_TYPES, Fields, Problem, asgi, overview_params, wsgi
from workqueue.web.fields import MAX_BODY_BYTES

MakeApp = Callable[..., Any]
MakeQueue = Callable[..., WorkQueue]


JSON_BODY = b'{"server": "http://h", "documentSetId": 1, "apiToken": "t0ken"}'


def pair(fields: Fields) -> Params:
    return fields["a"], fields["b"]


@pytest.fixture
def built(queue: WorkQueue, engine: ManualEngine) -> WorkQueue:
    """A queue that has the result of PARAMS."""
    job = queue.ensure_run(PARAMS)
    assert job is not None
    engine.start(job)
    engine.succeed(job)
    return queue


# A job, from its beginning to its end


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("application/x-ndjson", "application/x-ndjson; charset=utf-8"),
        ("text/event-stream", "text/event-stream; charset=utf-8"),
    ],
)
def test_a_stream_tells_all_and_is_not_held_back(
    make_app: MakeApp, make_queue: MakeQueue, tmp_path: Path, ask: Ask, accept: str, content_type: str
) -> None:
    with ScriptedProgram(tmp_path / "program", say(0.5, "half"), output(b"built")) as program:
        queue = make_queue(program.path)
        headers = {"Accept": accept} if accept else {}
        reply = ask(make_app(queue), body=BODY, Content_Type=FORM, Authorization=TOKEN, **headers)
        assert reply.status == 200
        assert reply.headers == {
            "content-type": content_type,
            "cache-control": "no-store, no-transform",
            "x-accel-buffering": "no",
            "x-content-type-options": "nosniff",
            "content-encoding": "identity",
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "Retry-After",
        }
        objects = [line[line.index(b"{") :] for line in reply.body.splitlines() if b"{" in line]
        *_, last = [json.loads(text) for text in objects]
        assert (last["returncode"], last["error"]) == (0, None)
        assert queue.destination_path_for_params(PARAMS).read_bytes() == b"built"
        assert [run[:3] for run in program.runs] == [list(PARAMS)]


def test_a_failure_is_told_in_band(make_app: MakeApp, make_queue: MakeQueue, tmp_path: Path, ask: Ask) -> None:
    with ScriptedProgram(tmp_path / "program", print_error("no such set"), exit_with(3)) as program:
        reply = ask(make_app(make_queue(program.path)), body=BODY, Content_Type=FORM, Authorization=TOKEN)
        last = json.loads(reply.body)[-1]
        assert (reply.status, last["returncode"], last["error"]) == (200, 3, "Exited with code 3\nstderr:\nno such set")


def test_what_is_there_is_said_at_once(make_app: MakeApp, built: WorkQueue, ask: Ask) -> None:
    app = make_app(built)
    assert ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN).body == b"[]\n"
    line = ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN, Accept="application/x-ndjson").body
    assert json.loads(line)["returncode"] == 0


# How to ask


@pytest.mark.parametrize(
    ("method", "query", "body", "headers"),
    [
        ("POST", "", BODY, {"Content_Type": FORM, "Authorization": TOKEN}),
        ("POST", "", BODY + b"&apiToken=t0ken", {"Content_Type": FORM}),
        ("POST", "", JSON_BODY, {"Content_Type": "application/json"}),
        ("POST", BODY.decode() + "&apiToken=t0ken", b"", {}),
        ("GET", BODY.decode() + "&apiToken=t0ken", b"", {}),
        ("GET", BODY.decode(), b"", {"Authorization": TOKEN}),
    ],
)
def test_parameters_come_in_each_form(
    make_app: MakeApp, built: WorkQueue, ask: Ask, method: str, query: str, body: bytes, headers: dict[str, str]
) -> None:
    reply = ask(make_app(built), method, query=query, body=body, **headers)
    assert (reply.status, reply.body) == (200, b"[]\n")


@pytest.mark.parametrize("path", ["", "/", "/generate", "/generate/", "/plugin/generate"])
def test_it_answers_where_it_is_mounted_and_at_generate(
    make_app: MakeApp, built: WorkQueue, ask: Ask, path: str
) -> None:
    assert ask(make_app(built), path=path, body=BODY, Content_Type=FORM, Authorization=TOKEN).body == b"[]\n"


def test_other_parameters_are_made_by_a_function_of_all_fields(
    make_app: MakeApp, queue: WorkQueue, engine: ManualEngine, ask: Ask
) -> None:
    job = queue.ensure_run(("1", "2"))
    assert job is not None
    engine.start(job)
    engine.succeed(job)
    app = make_app(queue, params=pair)
    assert ask(app, query="a=1", body=b"b=2", Content_Type=FORM).body == b"[]\n"
    assert ask(app, query="a=1").detail().startswith("b is missing")


# Who is refused


@pytest.mark.parametrize(
    ("request_", "status", "detail"),
    [
        ({"body": BODY, "Content_Type": FORM}, 401, "the API token is missing"),
        ({"body": b"server=http%3A%2F%2Fh", "Content_Type": FORM}, 400, "documentSetId is missing"),
        ({"query": "server=ftp://h&documentSetId=1&apiToken=t"}, 400, "server must be an http:// or https:// URL"),
        ({"body": b"{", "Content_Type": "application/json"}, 400, "not JSON"),
        ({"body": b"x", "Content_Type": "text/plain"}, 415, "the body must be"),
        ({"body": b"x" * (MAX_BODY_BYTES + 1), "Content_Type": FORM}, 413, "at most"),
        ({"method": "DELETE"}, 405, "use POST"),
        ({"path": "/elsewhere"}, 404, "nothing here"),
        ({"path": "/generate/workqueue.js"}, 405, "use GET"),
    ],
)
def test_a_bad_request_is_refused_and_runs_nothing(
    make_app: MakeApp,
    queue: WorkQueue,
    engine: ManualEngine,
    ask: Ask,
    request_: dict[str, Any],
    status: int,
    detail: str,
) -> None:
    reply = ask(make_app(queue), **request_)
    assert reply.status == status
    assert detail in reply.detail()
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cache-control"] == "no-store"
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert engine.tasks == []


def test_a_server_that_is_not_allowed_is_refused(make_app: MakeApp, make_queue: MakeQueue, ask: Ask) -> None:
    queue = make_queue("/bin/sh", allowed_servers=["http://other"])
    reply = ask(make_app(queue), body=BODY, Content_Type=FORM, Authorization=TOKEN)
    assert (reply.status, reply.detail()) == (400, "server 'http://h' is not one of those this plugin serves")


def test_a_full_queue_says_when_to_come_again(make_app: MakeApp, make_queue: MakeQueue, ask: Ask) -> None:
    queue = make_queue("program", engine=ManualEngine(), max_pending=0)
    reply = ask(make_app(queue), body=BODY, Content_Type=FORM, Authorization=TOKEN)
    assert (reply.status, reply.detail()) == (503, "the queue is full; try again later")
    assert reply.headers["retry-after"] == "5"


def test_a_closed_queue_says_so_too(make_app: MakeApp, built: WorkQueue, ask: Ask) -> None:
    built.close()
    app = make_app(built)
    assert ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN).body == b"[]\n"
    reply = ask(app, body=BODY + b"2", Content_Type=FORM, Authorization=TOKEN)
    with pytest.raises(QueueClosed) as error:
        built.ensure_run(("new",))
    assert (reply.status, reply.detail(), reply.headers["retry-after"]) == (503, str(error.value), "5")


# authorize


def refuse_all(params: Params) -> None:
    raise Problem(402, f"{params[1]} costs money")


async def refuse_all_later(params: Params) -> None:
    refuse_all(params)


class RefuseAll:
    async def __call__(self, params: Params) -> None:
        refuse_all(params)


@pytest.mark.parametrize("authorize", [refuse_all, refuse_all_later, RefuseAll(), functools.partial(refuse_all_later)])
def test_who_is_not_authorized_has_nothing_queued(
    queue: WorkQueue, engine: ManualEngine, ask: Ask, authorize: Any
) -> None:
    reply = ask(asgi.GenerateApp(queue, authorize=authorize), body=BODY, Content_Type=FORM, Authorization=TOKEN)
    assert (reply.status, reply.detail()) == (402, "1 costs money")
    assert engine.tasks == []


def test_a_plain_authorize_serves_wsgi_and_an_async_one_is_refused_at_once(queue: WorkQueue, ask: Ask) -> None:
    app = wsgi.GenerateApp(queue, authorize=refuse_all)
    assert ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN).status == 402
    for authorize in (refuse_all_later, RefuseAll()):
        with pytest.raises(TypeError, match=r"an async authorize needs workqueue\.web\.asgi"):
            wsgi.GenerateApp(queue, authorize=authorize)


def test_a_coroutine_is_no_verdict(queue: WorkQueue, ask: Ask) -> None:
    """Nobody would await it, so it would let everybody through."""
    with contextlib.closing(refuse_all_later(PARAMS)) as coroutine:
        app = wsgi.GenerateApp(queue, authorize=lambda params: coroutine)
        with pytest.raises(TypeError, match=r"an async authorize needs workqueue\.web\.asgi"):
            ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN)


@pytest.mark.parametrize("verdict", [0, "", [], {}, 1, "yes"])
def test_what_is_no_verdict_is_an_error_and_no_yes(
    make_app: MakeApp, built: WorkQueue, ask: Ask, verdict: object
) -> None:
    """`lambda params: tokens.get(params.api_token)` would let everybody in."""
    app = make_app(built, authorize=lambda params: verdict)
    with pytest.raises(TypeError, match="authorize must return None, True or False, or raise Problem; got "):
        ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN)


@pytest.mark.parametrize(("verdict", "status"), [(None, 200), (True, 200), (False, 403)])
def test_false_is_a_refusal(make_app: MakeApp, built: WorkQueue, ask: Ask, verdict: object, status: int) -> None:
    app = make_app(built, authorize=lambda params: verdict)
    assert ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN).status == status


def test_authorize_sees_only_parameters_that_can_run(make_app: MakeApp, make_queue: MakeQueue, ask: Ask) -> None:
    """It may connect to the server that they name."""
    seen: list[Params] = []
    queue = make_queue("/bin/sh", allowed_servers=["http://other"])
    ask(make_app(queue, authorize=seen.append), body=BODY, Content_Type=FORM, Authorization=TOKEN)
    assert seen == []


def test_a_plain_authorize_does_not_run_on_the_loop(built: WorkQueue, ask: Ask) -> None:
    threads: list[threading.Thread] = []
    app = asgi.GenerateApp(built, authorize=lambda params: threads.append(threading.current_thread()))
    assert ask(app, body=BODY, Content_Type=FORM, Authorization=TOKEN).status == 200
    assert [thread.name.startswith("workqueue-authorize") for thread in threads] == [True]


# HEAD, OPTIONS, CORS, EventSource, the module


def test_head_says_what_get_would_and_runs_nothing(
    make_app: MakeApp, queue: WorkQueue, engine: ManualEngine, ask: Ask
) -> None:
    app = make_app(queue)
    reply = ask(app, "HEAD", query=BODY.decode(), Authorization=TOKEN, Accept="text/event-stream")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    refusal = ask(app, "HEAD", query=BODY.decode())
    assert (refusal.status, refusal.body) == (401, b"")
    assert engine.tasks == []


def test_options_answers_a_preflight(make_app: MakeApp, queue: WorkQueue, ask: Ask) -> None:
    reply = ask(make_app(queue), "OPTIONS", Origin="http://page", Access_Control_Request_Method="POST")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers == {
        "allow": "GET, HEAD, OPTIONS, POST",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Retry-After",
        "access-control-allow-methods": "GET, HEAD, OPTIONS, POST",
        "access-control-allow-headers": "accept, authorization, content-type, last-event-id",
        "access-control-max-age": "86400",
    }


def test_options_that_is_no_preflight_has_none_of_its_headers(make_app: MakeApp, queue: WorkQueue, ask: Ask) -> None:
    reply = ask(make_app(queue), "OPTIONS", Origin="http://page")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers == {
        "allow": "GET, HEAD, OPTIONS, POST",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Retry-After",
    }


def test_one_origin_may_be_allowed_or_none(make_app: MakeApp, built: WorkQueue, ask: Ask) -> None:
    one, none = make_app(built, allow_origin="https://page"), make_app(built, allow_origin=None)
    reply = ask(one, body=BODY, Content_Type=FORM, Authorization=TOKEN)
    assert reply.headers["access-control-allow-origin"] == "https://page"
    assert ask(none, "OPTIONS").headers == {"allow": "GET, HEAD, OPTIONS, POST"}
    assert not any("access-control" in name for name in ask(none, body=BODY, Authorization=TOKEN).headers)


def test_an_event_source_that_has_seen_the_end_is_told_to_stop(
    make_app: MakeApp, queue: WorkQueue, engine: ManualEngine, ask: Ask
) -> None:
    """It connects again after every end; a failed job would be run again each time."""
    app = make_app(queue)
    reply = ask(app, "GET", query=BODY.decode() + "&apiToken=t", Accept="text/event-stream", Last_Event_ID="end")
    assert (reply.status, reply.body, engine.tasks) == (204, b"", [])


def test_the_browser_module_is_served_and_revalidated(make_app: MakeApp, queue: WorkQueue, ask: Ask) -> None:
    app = make_app(queue)
    reply = ask(app, "GET", "/generate/workqueue.js")
    assert (reply.status, reply.body) == (200, BROWSER_MODULE.read_bytes())
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    again = ask(app, "GET", "/workqueue.js", If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = ask(app, "HEAD", "/workqueue.js")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(reply.body)))


def test_the_modules_types_are_served_beside_it(make_app: MakeApp, queue: WorkQueue, ask: Ask) -> None:
    app = make_app(queue)
    reply = ask(app, "GET", "/generate/workqueue.d.ts")
    assert (reply.status, reply.body) == (200, BROWSER_TYPES.read_bytes())
    assert reply.headers["content-type"] == "application/typescript; charset=utf-8"
    module = ask(app, "GET", "/generate/workqueue.js")
    assert module.headers["x-typescript-types"] == "./workqueue.d.ts"
    assert module.headers["etag"] != reply.headers["etag"]
    assert ask(app, "GET", "/workqueue.d.ts", If_None_Match=reply.headers["etag"]).status == 304


class Named(NamedTuple):
    corpus_name: str
    year: str


@pytest.mark.parametrize(
    ("params", "form", "detail"),
    [
        (overview_params, b"server=http://h&documentSetId=%00&apiToken=t", "documentSetId must not contain a NUL"),
        (overview_params, b"server=http://h&documentSetId=&apiToken=t", "documentSetId must not be empty"),
        (overview_params, b"server=http://h&documentSetId=1&apiToken=%00", "apiToken must not contain a NUL"),
        (overview_params, b"server=ftp://h&documentSetId=1&apiToken=t", "server must be an http:// or https:// URL"),
        (lambda fields: Named(fields["corpusName"], fields["y"]), b"corpusName=%00&y=1", "corpusName must not contain"),
        (lambda fields: (fields["a"], fields["b"]), b"a=1&b=%00", "b must not contain a NUL"),
        (lambda fields: (fields["a"], fields["b"]), b"a=%00&b=%00", "field 0 must not contain a NUL"),
        (lambda fields: Named(fields["a"] + "\0", "2"), b"a=1", "corpus_name must not contain a NUL"),
        (lambda f: OverviewViewParams(f.get("about", ""), "1", "t"), b"note=", "server must not be empty"),
        (lambda f: Named("\0", f["y"]), b"corpus_name=a&note=%00&y=1", "corpus_name must not contain a NUL"),
        (
            lambda f: OverviewViewParams("http://h", f["document_set_id"], "t"),
            b"document_set_id=%00",
            "document_set_id must not contain a NUL",
        ),
        (lambda _: Named(1, "2"), b"a=1", "corpus_name must be a string; got int"),  # type: ignore[arg-type]
        (lambda _: "ab", b"a=1", "parameters must be a tuple of strings; got str"),
    ],
)
def test_a_refusal_names_a_field_as_the_client_sent_it(
    make_app: MakeApp, queue: WorkQueue, ask: Ask, params: Callable[[Fields], Params], form: bytes, detail: str
) -> None:
    reply = ask(make_app(queue, params=params), body=form, Content_Type=FORM)
    assert reply.status == 400
    assert reply.detail().startswith(detail)


def test_another_last_event_id_is_a_request_like_any_other(make_app: MakeApp, built: WorkQueue, ask: Ask) -> None:
    assert ask(make_app(built), "GET", query=BODY.decode() + "&apiToken=t0ken", Last_Event_ID="7").body == b"[]\n"


@pytest.mark.parametrize("kind", [ZeroDivisionError, ConnectionRefusedError])
def test_an_error_of_the_users_own_function_is_the_servers_to_tell(
    make_app: MakeApp, queue: WorkQueue, ask: Ask, kind: type[Exception]
) -> None:
    """Also one that might be taken for a client that has left."""

    def broken(_: object) -> None:
        raise kind

    for option in ("params", "authorize"):
        with pytest.raises(kind):
            ask(make_app(queue, **{option: broken}), body=BODY, Content_Type=FORM, Authorization=TOKEN)


# Options


def test_params_cannot_be_async_and_an_origin_is_one(make_app: MakeApp, queue: WorkQueue) -> None:
    async def later(fields: Fields) -> Params:
        return pair(fields)

    with pytest.raises(TypeError, match="params must be a plain function"):
        make_app(queue, params=later)
    with pytest.raises(TypeError, match=r"allow_origin must be one origin, .* got list"):
        make_app(queue, allow_origin=["https://a"])
    for origins in ("https://a, https://b", "https://a/", "a", ""):
        with pytest.raises(ValueError, match="allow_origin must be one origin"):
            make_app(queue, allow_origin=origins)


@pytest.mark.parametrize("option", ["heartbeat", "max_duration"])
def test_an_option_that_cannot_work_is_refused_at_once(make_app: MakeApp, queue: WorkQueue, option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be a number of seconds above 0"):
        make_app(queue, **{option: 0})
