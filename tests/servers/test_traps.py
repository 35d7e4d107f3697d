"""Settings, adapters and middleware: which break streams, so that the documentation may say so, and which do not."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.servers.checks import (
    check_events_are_held_back,
    check_events_come_one_by_one,
    check_leaving_is_noticed_at_once,
)
from tests.servers.server import Server, eventually
from tests.servers.sites import (
    ASGI,
    GEVENT,
    GTHREAD,
    GUNICORN,
    HYPERCORN,
    JSON_ARRAY,
    MEDIA_TYPES,
    UVICORN,
    WSGI,
    Site,
    running,
)
from workqueue.testing import ScriptedProgram, output, say, wait


def finish(program: ScriptedProgram) -> None:
    program.release("one")
    program.release("two")


def check_one_stream_too_many(site: Site, programs: list[ScriptedProgram], ping: str = "/ping") -> None:
    """With a stream for each program, nothing else is answered until one of them ends."""
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(site.watch(program))) for program in programs]
        for stream in streams:
            stream.until(0.25)
        ping = stack.enter_context(closing(site.ping(ping)))
        # The streams are served, all the while that nothing else is.
        for program, stream in zip(programs, streams, strict=True):
            program.release("one")
            stream.until(0.5)
        assert ping.is_silent(0.2)
        programs[0].release("two")
        streams[0].rest()
        assert ping.rest() == "pong"
        for program, stream in zip(programs[1:], streams[1:], strict=True):
            program.release("two")
            stream.rest()


@pytest.fixture
def another_program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    steps = say(0.25), wait("one"), say(0.5), wait("two"), output(b"")
    with ScriptedProgram(tmp_path / "another", *steps) as program:
        yield program


def test_one_stream_blocks_a_sync_worker(program: ScriptedProgram, tmp_path: Path) -> None:
    """gunicorn's own choice of a worker serves one request at a time."""
    with running([*GUNICORN, WSGI], tmp_path) as site:
        check_one_stream_too_many(site, [program])


def test_a_stream_takes_a_thread(program: ScriptedProgram, another_program: ScriptedProgram, tmp_path: Path) -> None:
    with running([*GUNICORN, "--worker-class", "gthread", "--threads", "2", WSGI], tmp_path) as site:
        check_one_stream_too_many(site, [program, another_program])


def test_a_sync_worker_is_killed_with_its_stream(program: ScriptedProgram, tmp_path: Path) -> None:
    """--timeout, 30 s by default, is for the whole of a response there; heartbeats do not count."""
    with Server([*GUNICORN, "--timeout", "1", WSGI], tmp_path) as server:
        with closing(Site(server.port).watch(program, heartbeat=0.25)) as client:
            client.until(0.25)
            with pytest.raises(http.client.IncompleteRead):
                client.until(1.0)
        assert "WORKER TIMEOUT" in server.output
        assert server.output.count("wsgi.multithread is False") == 1
        finish(program)  # else the worker that is killed would wait for it


@pytest.mark.parametrize("command", [GTHREAD, GEVENT], ids=["gthread", "gevent"])
def test_a_worker_with_threads_outlives_its_time_out(
    command: list[str], program: ScriptedProgram, tmp_path: Path
) -> None:
    """There, --timeout is for the worker, not for a response."""
    with (
        Server([*command, "--timeout", "1", WSGI], tmp_path) as server,
        closing(Site(server.port).watch(program, heartbeat=0.25)) as client,
    ):
        client.until(0.25)
        for _ in range(8):
            client.event()
        finish(program)
        assert client.until(1.0)["returncode"] == 0
        assert "multithread" not in server.output


def wsgi_by_a2wsgi(directory: Path) -> list[str]:
    (directory / "adapted.py").write_text(
        "from a2wsgi import WSGIMiddleware\nfrom tests.servers.apps.wsgi import app\n\n"
        "app = WSGIMiddleware(app, workers=3)\n"
    )
    return [*UVICORN, "adapted:app"]


def wsgi_by_hypercorn(directory: Path) -> list[str]:
    """It takes WSGI applications too."""
    return [*HYPERCORN, WSGI]


@pytest.mark.parametrize("adapted", [wsgi_by_a2wsgi, wsgi_by_hypercorn])
def test_wsgi_on_an_asgi_server_never_notices(
    adapted: Callable[[Path], list[str]], program: ScriptedProgram, tmp_path: Path
) -> None:
    """Heartbeats go on for a client that has left, until the stream has been long enough."""
    with running(adapted(tmp_path), tmp_path) as site:
        with closing(site.watch(program, heartbeat=0.1, max_duration=1.0, client="left")) as client:
            client.until(0.25)
        eventually(lambda: site.n_pieces(program, "left") >= client.n_events + 5)
        assert site.is_open(program, "left")
        assert site.n_watchers(program) == 1
        eventually(lambda: not site.is_open(program, "left"))
        assert site.n_watchers(program) == 0
        finish(program)


@pytest.mark.parametrize("path", ["/generate", "/view", "/base/generate", "/base/view"])
def test_asgi_on_a_wsgi_server_streams(program: ScriptedProgram, tmp_path: Path, path: str) -> None:
    """By a2wsgi's other middleware."""
    (tmp_path / "adapted.py").write_text(
        "from a2wsgi import ASGIMiddleware\nfrom tests.servers.apps.asgi import app\n\napp = ASGIMiddleware(app)\n"
    )
    with running([*GTHREAD, "adapted:app"], tmp_path) as site:
        check_events_come_one_by_one(site.watch(program, path), program)


def test_abandoned_streams_keep_the_threads_of_an_adapter(program: ScriptedProgram, tmp_path: Path) -> None:
    """It has three here, 10 by default; `max_duration` gives them back."""
    with running(wsgi_by_a2wsgi(tmp_path), tmp_path) as site:
        for i in range(3):
            with closing(site.watch(program, heartbeat=0.1, max_duration=1.0, client=str(i))) as client:
                client.until(0.25)
        with closing(site.ping()) as ping:
            assert ping.is_silent(0.3)
            assert ping.rest() == "pong"
        finish(program)


@pytest.fixture(scope="module", params=[UVICORN, HYPERCORN], ids=["uvicorn", "hypercorn"])
def asgi_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running([*request.param, ASGI], tmp_path_factory.mktemp("site")) as site:
        yield site


def test_an_asgi_application_that_only_sends_never_notices(asgi_site: Site, program: ScriptedProgram) -> None:
    """Servers throw away what is sent to a client that has left, without a word."""
    query = {"heartbeat": 0.05, "max_duration": "none", "client": "left"}
    with closing(asgi_site.watch(program, "/only_sends", **query)) as client:
        client.until(0.25)
    eventually(lambda: asgi_site.n_pieces(program, "left") >= client.n_events + 5)
    assert asgi_site.is_open(program, "left")
    finish(program)
    eventually(lambda: not asgi_site.is_open(program, "left"))


@pytest.mark.parametrize("path", ["/base/generate", "/base/view"])
def test_middleware_for_starlette_hides_no_leaving(asgi_site: Site, program: ScriptedProgram, path: str) -> None:
    """`BaseHTTPMiddleware` reads the request itself, and hands on what it reads."""
    check_leaving_is_noticed_at_once(asgi_site, program, path)
    finish(program)


@pytest.mark.parametrize("path", ["/gzip/generate", "/gzip/view"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_compression_in_starlette_holds_nothing_back(
    asgi_site: Site, program: ScriptedProgram, path: str, media_type: str
) -> None:
    client = asgi_site.watch(program, path, media_type)
    assert client.response.getheader("Content-Encoding") == "identity"
    check_events_come_one_by_one(client, program)


def test_a_plain_generator_on_asgi_takes_one_of_forty_threads(asgi_site: Site, program: ScriptedProgram) -> None:
    """Which plain functions are called in, too: with 40 such streams no other is answered."""
    with ExitStack() as stack:
        streams = [
            stack.enter_context(closing(asgi_site.watch(program, "/plain_generator", heartbeat="none")))
            for _ in range(40)
        ]
        for stream in streams:
            stream.until(0.25)
        ping = stack.enter_context(closing(asgi_site.ping("/ping_in_thread")))
        with closing(asgi_site.ping()) as async_ping:
            assert async_ping.rest() == "pong"
        assert ping.is_silent(0.2)
        finish(program)
        assert ping.rest() == "pong"
        for stream in streams:
            assert stream.until(1.0)["returncode"] == 0


@pytest.fixture(scope="module")
def flask_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running([*GTHREAD, WSGI], tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_flask_compress_holds_nothing_back(flask_site: Site, program: ScriptedProgram, media_type: str) -> None:
    check_events_come_one_by_one(flask_site.watch(program, "/compressed/view", media_type), program)


def test_flask_compress_would_hold_back_everything(flask_site: Site, program: ScriptedProgram) -> None:
    """If we did not say Content-Encoding: identity."""
    client = flask_site.watch(program, "/compressed/view", JSON_ARRAY, without="Content-Encoding")
    check_events_are_held_back(client, flask_site.watch(program), program)
    assert client.response.getheader("Content-Encoding") == "br"
