"""What both applications answer, and to whom."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ensure, write_program
from tests.servers.server import eventually
from tests.web.conftest import Reply, Wire, ask_asgi, ask_wsgi, environ, opened, scope
from workqueue import WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram
from workqueue.web import Problem, asgi, wsgi

MakeQueue = Callable[..., WorkQueue]
MakeApp = Callable[..., Any]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none';"
    " frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)

FILES = ["dashboard.css", "dashboard.js", "dialogs.js", "plots.js", "tables.js", "words.js"]

#: All that there is.
PATHS = ["/", *(f"/{name}" for name in FILES), "/events", "/stderr", "/cancel", "/nothing"]


def anyone(_request: object) -> bool:
    return True


@pytest.fixture(params=["wsgi", "asgi"])
def make_app(request: pytest.FixtureRequest) -> MakeApp:
    return wsgi.DashboardApp if request.param == "wsgi" else asgi.DashboardApp


def ask(app: Any, path: str = "/", method: str = "GET", body: bytes = b"", query: str = "", **headers: str) -> Reply:
    """One request, to the end of its response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    how: Callable[..., Reply] = ask_wsgi if isinstance(app, wsgi.DashboardApp) else ask_asgi
    return how(app, method, path, query, body, named)


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The snapshots in a stream."""
    events = [event.split(b"\n") for event in body.split(b"\n\n")]
    return [json.loads(lines[-1].removeprefix(b"data: ")) for lines in events if lines[0].startswith(b"data: ")]


def first_snapshot(app: Any) -> dict[str, Any]:
    """What a page that opens now is told first."""
    if isinstance(app, wsgi.DashboardApp):
        with opened(app, environ("GET", "/events", "", b"", {})) as (status, _, pieces):
            assert status == 200
            return events_of(b"".join([next(pieces), next(pieces)]))[0]

    async def read() -> dict[str, Any]:
        wire = Wire()
        request = asyncio.ensure_future(app(scope("GET", "/events", "", {}), wire.receive, wire.send))
        assert (await wire.sent.get())["status"] == 200
        body = (await wire.sent.get())["body"] + (await wire.sent.get())["body"]
        wire.leave()
        await request
        return events_of(body)[0]

    return asyncio.run(read())


# Who may see it


def test_there_is_no_default_of_who_may_see_it(make_app: MakeApp, queue: WorkQueue) -> None:
    with pytest.raises(TypeError, match="authorize_operator"):
        make_app(queue)
    for no_function in (None, True, "admin"):
        with pytest.raises(TypeError, match="must be a function of a request"):
            make_app(queue, authorize_operator=no_function)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_who_is_no_operator_is_refused_whatever_it_asks_for(
    make_app: MakeApp, queue: WorkQueue, path: str, method: str
) -> None:
    reply = ask(make_app(queue, authorize_operator=lambda _: False), path, method)
    assert reply.status == 403
    assert reply.headers["content-security-policy"] == POLICY
    if method != "HEAD":
        assert reply.detail() == "this is for the operators of the queue"


@pytest.mark.parametrize("verdict", [None, 1, "yes", object()])
def test_what_is_no_verdict_lets_nobody_in(make_app: MakeApp, queue: WorkQueue, verdict: object) -> None:
    """None above all: what a function returns that lacks a `return`."""
    with pytest.raises(TypeError, match="authorize_operator must return True or False"):
        ask(make_app(queue, authorize_operator=lambda _: verdict))


def test_a_refusal_may_ask_for_a_password(make_app: MakeApp, queue: WorkQueue) -> None:
    def authorize(request: Any) -> bool:
        if request.headers.get("authorization") != "Basic b3BzOnB3":
            raise Problem(401, "log in", {"WWW-Authenticate": 'Basic realm="operators"'})
        return True

    app = make_app(queue, authorize_operator=authorize)
    refused = ask(app)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="operators"')
    assert ask(app, Authorization="Basic b3BzOnB3").status == 200


def test_it_is_asked_with_the_whole_request(make_app: MakeApp, queue: WorkQueue) -> None:
    asked: list[Any] = []
    app = make_app(queue, authorize_operator=lambda request: bool(asked.append(request)) or True)
    ask(app, "/stderr", query="key=a", Cookie="session=x")
    [request] = asked
    assert (request.method, request.path, request.query) == ("GET", "/stderr", "key=a")
    assert request.headers["cookie"] == "session=x"
    assert request.environ.get("PATH_INFO", request.environ.get("path")) == "/stderr"


def test_an_async_function_decides_in_asgi_and_is_refused_in_wsgi(queue: WorkQueue) -> None:
    async def authorize(request: Any) -> bool:
        await asyncio.sleep(0)
        return bool(request.headers.get("x-operator"))

    app = asgi.DashboardApp(queue, authorize_operator=authorize)
    assert (ask(app).status, ask(app, X_Operator="1").status) == (403, 200)
    with pytest.raises(TypeError, match=r"workqueue\.web\.asgi"):
        wsgi.DashboardApp(queue, authorize_operator=authorize)  # type: ignore[arg-type]


# The page


def test_the_page_and_all_that_it_loads_are_there(make_app: MakeApp, queue: WorkQueue) -> None:
    app = make_app(queue, authorize_operator=anyone, title="Sets & <more>")
    reply = ask(app, "/")
    page = reply.body.decode()
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert "<title>Sets &amp; &lt;more&gt;</title>" in page
    assert "{" not in page
    loaded = re.findall(r'(?:href|src)="([^"]+)"', page)
    imported = [name for file in FILES for name in re.findall(rb'from "\./([^"]+)"', ask(app, f"/{file}").body)]
    assert {*loaded, *(name.decode() for name in imported)} == set(FILES)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_policy(make_app: MakeApp, queue: WorkQueue, path: str) -> None:
    reply = ask(make_app(queue, authorize_operator=anyone), path, "HEAD")
    assert reply.headers["content-security-policy"] == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in reply.headers


def test_nothing_in_the_page_is_inline(make_app: MakeApp, queue: WorkQueue) -> None:
    page = ask(make_app(queue, authorize_operator=anyone)).body.decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", page) == []


@pytest.mark.parametrize("name", FILES)
def test_files_are_kept_and_asked_for_again(make_app: MakeApp, queue: WorkQueue, name: str) -> None:
    app = make_app(queue, authorize_operator=anyone)
    reply = ask(app, f"/{name}")
    kind = "text/css" if name.endswith("css") else "text/javascript"
    assert (reply.status, reply.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
    again = ask(app, f"/anywhere/{name}", If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("root", ["/ops/dashboard", "/ops/a b"])
def test_a_mount_without_a_slash_is_redirected_to_the_one_with_it(
    make_app: MakeApp, queue: WorkQueue, root: str
) -> None:
    app = make_app(queue, authorize_operator=anyone)
    if isinstance(app, wsgi.DashboardApp):
        with opened(app, {**environ("GET", "", "", b"", {}), "SCRIPT_NAME": root}) as (status, headers, _):
            location = dict(headers)["Location"]
    else:

        async def answered() -> Reply:
            wire = Wire()
            await app({**scope("GET", root, "", {}), "root_path": root}, wire.receive, wire.send)
            return wire.reply()

        reply = asyncio.run(answered())
        status, location = reply.status, reply.headers["location"]
    last = root.rpartition("/")[2].replace(" ", "%20")
    assert (status, location) == (307, f"./{last}/")


def test_an_application_that_sees_the_whole_path_is_redirected_too(make_app: MakeApp, queue: WorkQueue) -> None:
    app = make_app(queue, authorize_operator=anyone)
    assert ask(app, "/ops/dashboard").headers["location"] == "./dashboard/"
    assert ask(app, "/ops/dashboard/").status == 200
    assert ask(app, "").status == 200


@pytest.mark.parametrize("path", ["/nothing", "/dashboard.html", "/static/", "/../dashboard.py", "/events/x"])
def test_what_is_not_there(make_app: MakeApp, queue: WorkQueue, path: str) -> None:
    app = make_app(queue, authorize_operator=anyone)
    assert ask(app, path).status == (200 if path == "/static/" else 404)
    assert ask(app, path, "DELETE").status == 405


# What it shows


@contextmanager
def running(make_queue: MakeQueue, program: ScriptedProgram, **options: Any) -> Iterator[WorkQueue]:
    """A queue one of whose jobs runs, at its gate, and one waits."""
    queue = make_queue(program.path, max_running=1, **options)
    ensure(queue, "secret-of-a")
    program.wait_reached("gate")
    ensure(queue, "secret-of-b")
    yield queue
    queue.close(0)


def test_it_shows_what_runs_and_what_waits(make_app: MakeApp, make_queue: MakeQueue, program: ScriptedProgram) -> None:
    with running(make_queue, program) as queue:
        app = make_app(queue, authorize_operator=anyone)
        eventually(lambda: first_snapshot(app)["waiting"] == 1)
        seen = first_snapshot(app)
    assert (seen["running"], seen["waiting"], seen["max_running"]) == (1, 1, 1)
    assert [(job["is_running"], job["n_ahead"]) for job in seen["jobs"]] == [(True, 0), (False, 1)]
    assert "secret" not in json.dumps(seen)


def test_it_shows_the_jobs_of_an_engine_that_knows_of_no_other_process(
    make_app: MakeApp, queue: WorkQueue, engine: ManualEngine
) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    seen = first_snapshot(make_app(queue, authorize_operator=anyone))
    assert [row["key"] for row in seen["jobs"]] == [job.key]
    assert seen["ends"] == []


def test_the_stderr_of_a_job_that_failed_can_be_had(make_app: MakeApp, make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo "<b>no such set: $1</b>" >&2; echo why >&2; exit 3')
    queue = make_queue(program)
    ensure(queue, "17").wait()
    app = make_app(queue, authorize_operator=anyone)
    eventually(lambda: first_snapshot(app)["ends"])
    [end] = first_snapshot(app)["ends"]
    assert (end["outcome"], end["returncode"], end["reason"]) == ("failed", 3, "why")
    reply = ask(app, "/stderr", query=f"key={end['key']}&ended_at={end['ended_at']}")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.body.decode() == "<b>no such set: 17</b>\nwhy\n"
    for query in ("", f"key={end['key']}", f"key={end['key']}&ended_at=1.5", f"key=x&ended_at={end['ended_at']}"):
        assert ask(app, "/stderr", query=query).status == 404


def test_a_stream_ends_in_time_and_says_how_things_stand_until_then(make_app: MakeApp, queue: WorkQueue) -> None:
    app = make_app(queue, authorize_operator=anyone, heartbeat=0.01, max_duration=0.05)
    reply = ask(app, "/events")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store, no-transform"
    assert reply.body.startswith(b"retry: 500\nevent: time\ndata: ")
    assert len(events_of(reply.body)) >= 1
    assert reply.body.endswith(b"\n\n")


def test_silence_is_broken_by_how_things_stand(queue: WorkQueue) -> None:
    """A WSGI server notices only by writing that a page was left."""
    app = wsgi.DashboardApp(queue, authorize_operator=anyone, heartbeat=0.01, max_duration=3600.0)
    with opened(app, environ("GET", "/events", "", b"", {})) as (_, _headers, pieces):
        next(pieces)
        assert [next(pieces)[:6] for _ in range(3)] == [b"data: "] * 3


def test_a_queue_that_cannot_be_looked_at_is_no_stream(
    make_app: MakeApp, queue: WorkQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise OSError("the disk is away")

    monkeypatch.setattr(queue, "jobs", fail)
    app = make_app(queue, authorize_operator=anyone)
    app._service._feed._patience = 0.05
    reply = ask(app, "/events")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "the disk is away" not in reply.detail()
    assert "the disk is away" in caplog.text


# What it changes


def page_of(app: Any) -> dict[str, str]:
    """The headers that the page sends: its browser's cookie, and what it repeats."""
    reply = ask(app)
    found = re.search(r'name="token" content="([^"]+)"', reply.body.decode())
    assert found is not None
    cookie, *attributes = reply.headers["set-cookie"].split("; ")
    assert attributes == ["HttpOnly", "SameSite=Strict"]
    return {
        "Cookie": cookie,
        "X-Workqueue-Token": found[1],
        "Content-Type": "application/json",
        "Sec-Fetch-Site": "same-origin",
    }


def cancel(app: Any, key: str, headers: dict[str, str]) -> Reply:
    return ask(app, "/cancel", "POST", json.dumps({"key": key}).encode(), **headers)


def test_the_page_cancels_a_job(make_app: MakeApp, queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    app = make_app(queue, authorize_operator=anyone)
    headers = page_of(app)
    assert json.loads(cancel(app, job.key, headers).body) == {"was_there": True}
    assert job.wait().returncode == -998
    assert json.loads(cancel(app, job.key, headers).body) == {"was_there": False}


@pytest.mark.parametrize("without", ["Cookie", "X-Workqueue-Token"])
def test_a_forged_cancel_changes_nothing(
    make_app: MakeApp, queue: WorkQueue, engine: ManualEngine, without: str
) -> None:
    job = ensure(queue, "a")
    app = make_app(queue, authorize_operator=anyone)
    headers = page_of(app)
    assert cancel(app, job.key, {**headers, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert cancel(app, job.key, {**headers, "Content-Type": "text/plain"}).status == 415
    del headers[without]
    assert cancel(app, job.key, headers).status == 403
    assert not job.state.is_final
    assert ask(app, "/cancel", query=f"key={job.key}").status == 405


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"key": 1}', b'{"key": ""}', b"\xff", b"[" * 10_000])
def test_a_cancel_of_nothing_is_refused(make_app: MakeApp, queue: WorkQueue, body: bytes) -> None:
    app = make_app(queue, authorize_operator=anyone)
    assert ask(app, "/cancel", "POST", body, **page_of(app)).status == 400


def test_two_tabs_have_one_token(make_app: MakeApp, queue: WorkQueue) -> None:
    app = make_app(queue, authorize_operator=anyone)
    first = page_of(app)
    second = ask(app, Cookie=first["Cookie"])
    assert first["X-Workqueue-Token"].encode() in second.body


def test_the_cookie_of_a_secure_page_is_secure(make_app: MakeApp, queue: WorkQueue) -> None:
    app = make_app(queue, authorize_operator=anyone)
    if isinstance(app, wsgi.DashboardApp):
        with opened(app, {**environ("GET", "/", "", b"", {}), "wsgi.url_scheme": "https"}) as (_, headers, _body):
            assert dict(headers)["Set-Cookie"].endswith("; Secure")
        return

    async def answered() -> Reply:
        wire = Wire()
        await app({**scope("GET", "/", "", {}), "scheme": "https"}, wire.receive, wire.send)
        return wire.reply()

    assert asyncio.run(answered()).headers["set-cookie"].endswith("; Secure")
