"""What the applications for results answer, and what they hold; servers are in tests/servers/test_results.py."""

import asyncio
import contextlib
import gc
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request as StarletteRequest

from tests.conftest import ensure, write_program
from tests.web.conftest import Reply, Wire, ask_asgi, ask_wsgi, environ, opened, scope
from workqueue import Params, WorkQueue
from workqueue.storage import DiskStorage
from workqueue.storage.base import OpenResult
from workqueue.testing import ManualEngine
from workqueue.web import Fields, Problem, asgi, wsgi
from workqueue.web import starlette as for_starlette
from workqueue.web.file_body import BLOCK_BYTES
from workqueue.web.message import Request
from workqueue.web.results import respond

MakeQueue = Callable[..., WorkQueue]

CONTENT = bytes(range(256)) * 1024


def named(fields: Fields) -> Params:
    return (fields["name"],)


@pytest.fixture
def built(queue: WorkQueue, engine: ManualEngine) -> WorkQueue:
    """A queue with a result for ("there",)."""
    build(queue, engine, CONTENT)
    return queue


def build(queue: WorkQueue, engine: ManualEngine, content: bytes) -> None:
    job = queue.ensure_run(("there",), refresh=True)
    assert job is not None
    engine.start(job)
    engine.succeed(job, content)


@pytest.fixture(params=["wsgi", "asgi"])
def apps(request: pytest.FixtureRequest) -> Any:
    """The module of the applications: both are to behave alike."""
    return {"wsgi": wsgi, "asgi": asgi}[request.param]


def ask(app: Any, method: str = "GET", path: str = "/result", query: str = "name=there", **headers: str) -> Reply:
    body = headers.pop("body", "").encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    how: Callable[..., Reply] = ask_wsgi if isinstance(app, wsgi.ResultApp | wsgi.GenerateApp) else ask_asgi
    return how(app, method, path, query, body, named)


def holders(queue: WorkQueue) -> int:
    """How many descriptors of this process are open on the results that are there."""
    results = {(status.st_dev, status.st_ino) for status in map(os.stat, queue.storage_dir.glob("[0-9a-f]*"))}
    n_open = 0
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers
        with contextlib.suppress(OSError):  # that of the listing
            status = os.fstat(int(name))
            n_open += (status.st_dev, status.st_ino) in results
    return n_open


# Where it is served


@pytest.mark.parametrize(
    ("path", "root", "generate"),
    [
        ("/result", "", "/generate"),
        ("/generate/result", "", "/generate"),
        ("/result", "/generate", "/generate"),
        ("/result", "/plugin", "/plugin/generate"),
        ("/plugin/result", "", "/plugin/generate"),
        ("/result", "/a ü", "/a%20%C3%BC/generate"),
    ],
)
def test_the_ready_application_serves_results_and_says_where_they_are_built(
    apps: Any, built: WorkQueue, path: str, root: str, generate: str
) -> None:
    app = apps.GenerateApp(built, params=named, result="/result")

    def ask_below(query: str) -> Reply:
        if apps is wsgi:
            request = environ("GET", path, query, b"", {}) | {"SCRIPT_NAME": root.encode().decode("latin-1")}
            with opened(app, request) as (status, headers, pieces):
                return Reply(status, headers, b"".join(pieces))
        wire = Wire()
        asyncio.run(app(scope("GET", root + path, query, {}) | {"root_path": root}, wire.receive, wire.send))
        return wire.reply()

    assert ask_below("name=there").body == CONTENT
    reply = ask_below("name=nothing")
    assert (reply.status, json.loads(reply.body)["generate"]) == (404, generate)


def test_without_result_none_is_served(apps: Any, built: WorkQueue) -> None:
    assert ask(apps.GenerateApp(built, params=named)).status == 404
    assert ask(apps.GenerateApp(built, params=named, result="/database"), path="/database").body == CONTENT


@pytest.mark.parametrize("path", ["", "/", "/result", "/result/"])
def test_the_application_for_results_answers_where_it_is(apps: Any, built: WorkQueue, path: str) -> None:
    assert ask(apps.ResultApp(built, params=named), path=path).body == CONTENT


# Who may have it


def test_it_is_authorized_for_each_request(apps: Any, built: WorkQueue) -> None:
    asked: list[Params] = []

    def authorize(params: Params) -> bool:
        asked.append(params)
        return len(asked) < 3

    for app in (
        apps.ResultApp(built, params=named, authorize=authorize),
        apps.GenerateApp(built, params=named, authorize=authorize, result="/result"),
    ):
        asked.clear()
        etag = ask(app).headers["etag"]
        assert ask(app, If_None_Match=etag).status == 304
        assert ask(app, If_None_Match=etag).status == 403
        assert ask(app, "HEAD").status == 403
        assert asked == [("there",)] * 4


def test_a_key_without_authorize_is_refused(apps: Any, make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue("program", engine=engine, key=lambda params: params[:1])
    for make in (apps.GenerateApp, apps.ResultApp):
        with pytest.raises(TypeError, match=r"would get what others' tokens built; give authorize, or authorize="):
            make(queue)
        make(queue, authorize=lambda params: True)


def test_an_async_authorize_is_for_asgi(built: WorkQueue) -> None:
    async def authorize(params: Params) -> bool:
        return False

    with pytest.raises(TypeError, match=r"an async authorize needs workqueue\.web\.asgi"):
        wsgi.ResultApp(built, authorize=authorize)
    assert ask(asgi.ResultApp(built, params=named, authorize=authorize)).status == 403


def test_cors_lets_pages_read_what_they_need(apps: Any, built: WorkQueue) -> None:
    app = apps.ResultApp(built, params=named)
    reply = ask(app, "OPTIONS", Origin="http://page", Access_Control_Request_Method="GET")
    assert reply.status == 204
    assert "if-range" in reply.headers["access-control-allow-headers"]
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    for name in ("there", "nothing"):
        headers = ask(app, query=f"name={name}").headers
        assert headers["access-control-allow-origin"] == "*"
        assert "Content-Range" in headers["access-control-expose-headers"]
    assert ask(app, If_None_Match="*").headers["access-control-allow-origin"] == "*"
    assert not any("access" in name for name in ask(apps.ResultApp(built, params=named, allow_origin=None)).headers)


# How it is asked


def test_post_is_get_without_ranges(apps: Any, built: WorkQueue) -> None:
    """For a token that is to stand in no address; a Range is GET's alone (RFC 9110, section 14.2)."""
    app = apps.ResultApp(built, params=named)
    form = {"body": "name=there", "Content_Type": "application/x-www-form-urlencoded", "query": ""}
    reply = ask(app, "POST", Range="bytes=0-1", **form)
    assert (reply.status, reply.body) == (200, CONTENT)
    assert ask(app, "POST", If_None_Match=reply.headers["etag"], **form).status == 412
    assert ask(app, "POST", If_Modified_Since=reply.headers["last-modified"], **form).status == 200


@pytest.mark.parametrize(("request_", "status"), [({"method": "DELETE"}, 405), ({"query": ""}, 400)])
def test_what_is_no_request_is_refused(apps: Any, built: WorkQueue, request_: dict[str, str], status: int) -> None:
    assert ask(apps.ResultApp(built, params=named), **request_).status == status


def test_what_is_being_built_is_a_conflict_that_says_where_it_stands(
    apps: Any, queue: WorkQueue, engine: ManualEngine
) -> None:
    job = ensure(queue, "there")
    engine.start(job)
    engine.progress(job, 0.25, "one")
    app = apps.GenerateApp(queue, params=named, result="/result")
    reply = ask(app, If_None_Match="*")
    assert (reply.status, reply.headers["retry-after"]) == (409, "5")
    problem = json.loads(reply.body)
    assert problem["detail"].startswith("the result is being built; ask again in 5 seconds, or watch it with a POST")
    assert (problem["progress"]["fraction"], problem["generate"]) == (0.25, "/generate")
    assert ask(app, "HEAD").status == 409
    assert json.loads(ask(apps.ResultApp(queue, params=named)).body)["detail"].endswith("ask again in 5 seconds")
    engine.succeed(job, CONTENT)
    assert ask(app).body == CONTENT


def test_a_result_that_is_built_again_is_served_meanwhile(apps: Any, built: WorkQueue, engine: ManualEngine) -> None:
    job = built.ensure_run(("there",), refresh=True)
    assert job is not None
    engine.start(job)
    app = apps.ResultApp(built, params=named)
    before = ask(app)
    engine.succeed(job, b"new")
    after = ask(app, If_None_Match=before.headers["etag"])
    assert (before.body, after.body) == (CONTENT, b"new")


# Options


def test_the_media_type_is_the_suffixs_unless_it_is_given(apps: Any, make_queue: MakeQueue) -> None:
    engine = ManualEngine()
    queue = make_queue("program", engine=engine, suffix=".mp4")
    build(queue, engine, CONTENT)
    assert ask(apps.ResultApp(queue, params=named)).headers["content-type"] == "video/mp4"
    app = apps.ResultApp(queue, params=named, media_type="text/plain", inline=True, cache_control="private, max-age=60")
    headers = ask(app).headers
    assert (headers["content-type"], headers["cache-control"]) == ("text/plain", "private, max-age=60")
    assert "content-disposition" not in headers
    part = ask(app, Range="bytes=0-0,5000-5001")
    assert part.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert b"\r\nContent-Type: text/plain\r\n" in part.body


def test_a_name_may_come_from_the_parameters(apps: Any, built: WorkQueue) -> None:
    app = apps.ResultApp(built, params=named, download_name=lambda params: f"../{params[0]}\r\nX: y.txt", inline=True)
    assert ask(app).headers["content-disposition"] == 'inline; filename="_there X_ y.txt"'


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"media_type": "text/plain\r\nX: y"}, ValueError, "a header of a problem must be printable"),
        ({"cache_control": "private\n"}, ValueError, "must be printable"),
        ({"mediatype": "text/plain"}, TypeError, "there is no option mediatype of results"),
        ({"redirect": True}, TypeError, "redirect=True needs results in a bucket"),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_once(
    apps: Any, built: WorkQueue, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        apps.ResultApp(built, **options)
    with pytest.raises(error, match=text):
        apps.GenerateApp(built, result="/result", result_options=options)
    with pytest.raises(error, match=text):
        respond(built, ("there",), Request("GET", "", "", {}), options, None)  # type: ignore[arg-type]


def test_a_place_must_be_a_path(apps: Any, built: WorkQueue) -> None:
    for result in ("", "/", "result", "/a//b", "/a?b"):
        with pytest.raises(ValueError, match="result must be a path"):
            apps.GenerateApp(built, result=result)
    with pytest.raises(TypeError, match="say where these are served"):
        apps.GenerateApp(built, result_options={"inline": True})


# What is held


def test_only_what_is_sent_is_held(apps: Any, built: WorkQueue) -> None:
    app = apps.ResultApp(built, params=named)
    etag = ask(app).headers["etag"]
    refused = {"If_None_Match": etag}, {"If_Match": '"a"'}, {"Range": "bytes=999999-"}, {"Range": "bytes=0-1,900-"}
    for headers in refused:
        ask(app, **headers)
        assert holders(built) == 0
    ask(app, "HEAD")
    assert holders(built) == 0


@pytest.mark.parametrize("n_read", [0, 1])
def test_a_response_is_held_until_it_is_closed(built: WorkQueue, n_read: int) -> None:
    """Also one that is never read; and it can be read to its end though the result was removed."""
    app = wsgi.ResultApp(built, params=named)
    with opened(app, environ("GET", "/", "name=there", b"", {})) as (status, _, pieces):
        assert (status, holders(built)) == (200, 2)
        for _ in range(n_read):
            assert next(pieces) == CONTENT[:BLOCK_BYTES]
    assert holders(built) == 0
    with opened(app, environ("GET", "/", "name=there", b"", {})) as (_, _, pieces):
        built.delete(("there",))
        assert b"".join(pieces) == CONTENT
        assert holders(built) == 0
    assert ask(app).status == 404


def test_a_response_that_was_dropped_is_not_held(built: WorkQueue) -> None:
    """No server closes it: a middleware raised, say."""
    request = StarletteRequest(scope("GET", "/", "", {}))
    response = for_starlette.result_response(built, ("there",), request)
    assert holders(built) == 2
    del response
    gc.collect()
    assert holders(built) == 0


def test_the_server_may_send_a_whole_file_by_itself_and_no_part(built: WorkQueue) -> None:
    app = wsgi.ResultApp(built, params=named)
    wrapped: list[io.FileIO] = []

    def wrap(file: io.FileIO, size: int) -> io.FileIO:
        wrapped.append(file)
        return file

    for headers, is_wrapped in (({}, True), ({"Range": "bytes=0-"}, True), ({"Range": "bytes=1-"}, False)):
        wrapped.clear()
        request = environ("GET", "/", "name=there", b"", headers) | {"wsgi.file_wrapper": wrap}
        with opened(app, request) as (_, _, body):
            assert bool(wrapped) is is_wrapped
            if wrapped:
                assert os.pread(wrapped[0].fileno(), 10, 0) == CONTENT[:10]
                assert (wrapped[0].read(), body.read()) == (CONTENT, b"")
            assert holders(built) == 2
        assert holders(built) == 0


class SlowRead:
    """What `os.pread` does once it is put in its place: it tells that it was called, and waits until it may read."""

    def __init__(self) -> None:
        self.is_reading, self.may_read = threading.Event(), threading.Event()
        self._pread = os.pread

    def __call__(self, fd: int, n_bytes: int, at: int) -> bytes:
        self.is_reading.set()
        assert self.may_read.wait(20)
        return self._pread(fd, n_bytes, at)


def test_a_read_that_is_under_way_ends_before_the_file_is_closed(
    built: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its number may be another file's by then."""
    pieces: list[bytes] = []
    app = wsgi.ResultApp(built, params=named)
    with opened(app, environ("GET", "/", "name=there", b"", {})) as (_, _, body):
        monkeypatch.setattr(os, "pread", slow := SlowRead())
        thread = threading.Thread(target=lambda: pieces.append(next(body)))
        thread.start()
        assert slow.is_reading.wait(20)
        body.close()
        assert holders(built) == 2
        slow.may_read.set()
        thread.join()
    assert (pieces, holders(built)) == ([CONTENT[:BLOCK_BYTES]], 0)
    with pytest.raises(ValueError, match="the body is closed"):
        next(body)


def test_an_asgi_client_that_leaves_while_its_file_is_read_lets_go(
    built: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        wire = Wire()
        app = asgi.ResultApp(built, params=named)
        monkeypatch.setattr(os, "pread", slow := SlowRead())
        request = asyncio.ensure_future(app(scope("GET", "/", "name=there", {}), wire.receive, wire.send))
        assert await asyncio.to_thread(slow.is_reading.wait, 20)
        wire.leave()
        await request
        slow.may_read.set()

    asyncio.run(scenario())  # which waits for the threads
    assert holders(built) == 0


def test_a_file_that_became_shorter_is_no_whole_response(built: WorkQueue) -> None:
    """Whoever did that: a body that ends as if it were whole would be kept."""
    path = built.destination_path_for_params(("there",))
    with opened(wsgi.ResultApp(built, params=named), environ("GET", "/", "name=there", b"", {})) as (_, _, pieces):
        path.chmod(0o600)
        os.truncate(path, 10)
        assert next(pieces) == CONTENT[:10]
        with pytest.raises(OSError, match="shorter than it was"):
            next(pieces)


class Racing(DiskStorage):
    """Has something happen between what holds a result and what opens it."""

    meanwhile: Callable[[], None]

    @contextlib.contextmanager
    def open_with_info(self, key: str) -> Iterator[OpenResult]:
        with super().open_with_info(key) as opened:
            self.meanwhile()
            yield opened


def test_a_result_that_is_replaced_while_it_is_opened_is_not_taken_for_the_earlier_one(
    apps: Any, make_queue: MakeQueue, engine: ManualEngine, tmp_path: Path
) -> None:
    """Its name would lead to the next one, with the ETag and the length of the one before."""
    storage = Racing(tmp_path / "storage")
    storage.meanwhile = lambda: None
    queue = make_queue("program", engine=engine, storage_dir=None, storage=storage)
    build(queue, engine, b"first")
    contents = [b"second, and longer", b"third"]

    def replace() -> None:
        if contents:
            build(queue, engine, contents.pop(0))

    storage.meanwhile = replace
    app = apps.ResultApp(queue, params=named)
    reply = ask(app)
    info = queue.result_info(("there",))
    assert info is not None
    assert (reply.body, reply.headers["etag"]) == (b"third", f'"{info.etag}"')
    storage.meanwhile = lambda: build(queue, engine, b"again")
    reply = ask(app)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    storage.meanwhile = lambda: queue.delete(("there",)) and None
    assert ask(app).status == 404
    assert holders(queue) == 0


def test_an_error_of_the_storage_is_for_the_operator(
    apps: Any, built: WorkQueue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Any, *args: Any, **more: Any) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    app = apps.ResultApp(built, params=named)
    monkeypatch.setattr("workqueue.web.results.open_regular", broken)
    reply = ask(app)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert str(built.storage_dir) not in reply.body.decode()
    assert str(built.storage_dir) in caplog.text


def test_a_refusal_of_the_users_own_is_told(built: WorkQueue) -> None:
    def name_of(params: Params) -> str:
        raise Problem(451, "not in your country")

    assert ask(wsgi.ResultApp(built, params=named, download_name=name_of)).status == 451


# A result that is a directory


TREE = """
mkdir "$output/sub"
printf index > "$output/index.html"
printf {} > "$output/sub/\u00fc.json"
ln -s index.html "$output/link"
"""


@pytest.fixture
def tree(make_queue: MakeQueue, tmp_path: Path) -> WorkQueue:
    """A queue that has a directory for ("there",)."""
    queue = make_queue(write_program(tmp_path / "program", TREE), result="directory")
    assert ensure(queue, "there").wait(20).returncode == 0
    return queue


def test_a_file_within_a_directory_has_a_path_of_its_own(apps: Any, tree: WorkQueue) -> None:
    app = apps.GenerateApp(tree, params=named, result="/result")
    reply = ask(app, path="/result/index.html", Range="bytes=1-2")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (206, b"nd", "text/html; charset=utf-8")
    inner = "/result/sub/\u00fc.json"
    reply = ask(app, path=inner.encode().decode("latin-1") if apps is wsgi else inner)
    assert (reply.body, reply.headers["content-type"]) == (b"{}", "application/json")
    assert ask(app, path="/result/index.html", If_None_Match=reply.headers["etag"]).status == 304
    assert ask(apps.ResultApp(tree, params=named), path="/index.html").body == b"index"
    for path in ("", "/", "/sub", "/nothing", "/../index.html", "/sub/../index.html", "/link", "/\xff"):
        reply = ask(app, path=f"/result{path}")
        expected = 404, "there is no such file; the result is a directory; ask for a file within it"
        assert (reply.status, reply.detail()) == expected
    assert holders(tree) == 0


def test_a_file_of_a_directory_is_whole_though_that_is_replaced_and_removed(tree: WorkQueue) -> None:
    app = wsgi.ResultApp(tree, params=named)
    with opened(app, environ("GET", "/index.html", "name=there", b"", {})) as (status, _, pieces):
        etag = ask(app, path="/index.html").headers["etag"]
        job = tree.ensure_run(("there",), refresh=True)
        assert job is not None
        assert job.wait(20).returncode == 0
        assert ask(app, path="/index.html").headers["etag"] != etag
        assert tree.delete(("there",))
        assert ask(app, path="/index.html").status == 404
        assert (status, b"".join(pieces)) == (200, b"index")


def test_below_a_file_there_is_nothing(apps: Any, built: WorkQueue) -> None:
    reply = ask(apps.ResultApp(built, params=named), path="/result/index.html")
    assert (reply.status, reply.detail()) == (404, "there is no such file; the result is a single file")
