"""Results, served by real servers through each way that a framework has, to a client that is not ours."""

import functools
import importlib.util
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import write_program
from tests.servers.result_cases import CASES, DATA, Reply, ask, check_case
from tests.servers.server import TIMEOUT, Server, eventually
from tests.servers.sites import GEVENT, GTHREAD, HYPERCORN, UVICORN, WAITRESS
from tests.servers.test_uwsgi import UWSGI
from tests.tools import missing
from workqueue import WorkQueue
from workqueue.storage import DiskStorage

WSGI = "tests.servers.apps.results_wsgi:app"
ASGI = "tests.servers.apps.results_asgi:app"
DJANGO = "tests.servers.apps.results_django"

#: More than any server and the system keep of a response that nobody reads.
BIG = 16 * 1024 * 1024


class Kind(NamedTuple):
    """A server, and the ways to a result that its application has."""

    command: list[str]
    paths: tuple[str, ...]
    slow_paths: tuple[str, ...]
    """Those of which a big result is fetched slowly; the others share all that is slow with one of them."""


_WSGI = ("/result", "/app/result", "/view", "/compressed/view"), ("/result", "/view")
_ASGI = (
    ("/result", "/app/result", "/view", "/plain_view", "/gzip/view", "/gzip/result", "/base/view"),
    ("/result", "/view", "/gzip/view", "/base/view"),
)

KINDS = {
    "flask": Kind(["flask", "--app", "tests.servers.apps.results_wsgi", "run", "--port", "0"], *_WSGI),
    "gunicorn gthread": Kind([*GTHREAD, WSGI], *_WSGI),
    "gunicorn gevent": Kind([*GEVENT, WSGI], *_WSGI),
    "waitress": Kind([*WAITRESS, WSGI], *_WSGI),
    "uwsgi": Kind(["uwsgi"], *_WSGI),
    "django, gunicorn": Kind([*GTHREAD, f"{DJANGO}:wsgi"], ("/view",), ("/view",)),
    "uvicorn": Kind([*UVICORN, ASGI], *_ASGI),
    "hypercorn": Kind([*HYPERCORN, ASGI], *_ASGI),
    "django, uvicorn": Kind([*UVICORN, f"{DJANGO}:asgi"], ("/view", "/async_view"), ("/async_view",)),
}


class Site:
    """A served application, and the queue that builds what it serves."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.storage_dir = directory / "storage"
        self._directory = directory

    def queue(self) -> WorkQueue:
        """The same queue as the server's, as far as its results go."""
        return WorkQueue(self._directory / "build", storage_dir=self.storage_dir, suffix=".bin")

    def build(self, name: str, content: bytes | str) -> Path:
        """Have a result of this content; return where it lies."""
        source = self._directory / f"source-{name}"
        if isinstance(content, bytes):
            source.write_bytes(content)
        else:
            with source.open("wb") as file:
                for _ in range(BIG // 65536):
                    file.write(content.encode() * 65536)
        with self.queue() as queue:
            job = queue.ensure_run((name,), refresh=True)
            assert job is not None
            assert job.wait(TIMEOUT).returncode == 0
            return queue.destination_path_for_params((name,))

    def delete(self, name: str) -> None:
        """Remove a result."""
        with self.queue() as queue:
            assert queue.delete((name,))

    def gate(self, name: str) -> Path:
        """Have a build of this name wait until something is written to the path that is returned."""
        gate = self._directory / f"source-{name}"
        os.mkfifo(gate)
        return gate

    def ask(self, path: str, name: str, method: str = "GET", **headers: str) -> Reply:
        return ask(
            self.server.port, f"{path}?name={name}", method, {k.replace("_", "-"): v for k, v in headers.items()}
        )

    def n_open(self) -> int:
        """How many descriptors the server has open on results."""
        n_open = json.loads(ask(self.server.port, "/held").body)["n_open"]
        assert isinstance(n_open, int)
        return n_open

    def wait_until_nothing_is_held(self) -> None:
        """Some servers close a response once its last byte is there."""
        if Path("/proc/self/fd").exists():
            eventually(lambda: self.n_open() == 0)

    def is_evicted(self, path: Path) -> bool:
        """Whether a result that was used long ago is removed, since nobody has it open."""
        return path.name in self.evict() and not path.exists()

    def evict(self) -> list[str]:
        """Remove all that was not used for a minute, and is not in use; return the keys of what went."""
        storage = DiskStorage(self.storage_dir, max_bytes=0)
        return [result.key for result in storage.evict()]


@contextmanager
def served(kind: Kind, directory: Path) -> Iterator[Site]:
    write_program(directory / "build", f'cat "{directory}/source-$1" > "$output"')
    if kind.command == ["uwsgi"]:
        if importlib.util.find_spec("pyuwsgi") is None or not Path("/proc/self/status").exists():
            missing("there is no uWSGI; on Linux, pip install pyuwsgi")
        server: Server = UWSGI(directory, "--module", WSGI, "--processes", "1", "--threads", "4")
    else:
        server = Server(kind.command, directory)
    with server:
        yield Site(server, directory)
        server.stop()
        assert "Traceback" not in server.output


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="module")
def site(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(kind, tmp_path_factory.mktemp("site")) as site:
        yield site


def test_each_case_of_the_rfc(kind: Kind, site: Site) -> None:
    """By each way; and nothing is held once all was answered."""
    site.build("cases", DATA)
    failed = []
    for path in kind.paths:
        there = site.ask(path, "cases")
        assert (there.status, there.body) == (200, DATA)
        for name, case in CASES.items():
            try:
                check_case(site.server.port, f"{path}?name=cases", case, there)
            except AssertionError as error:
                failed.append(f"{path}: {name}: {error}")
    assert not failed, "\n".join(failed)
    site.wait_until_nothing_is_held()


def test_what_is_sent_with_it(kind: Kind, site: Site) -> None:
    path = site.build("described", b"content")
    for way in kind.paths:
        reply = site.ask(way, "described", Accept_Encoding="gzip")
        headers = reply.headers
        assert (reply.status, reply.body) == (200, b"content")
        assert headers["Content-Type"] == "application/x-test"
        assert headers["Content-Disposition"] == 'attachment; filename="a result.bin"'
        assert headers["Cache-Control"] == "private, no-cache"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Encoding"] == "identity"
        assert headers["ETag"].startswith('"')
        assert path.name not in str(headers)  # the key, which would tell who has the same


def test_a_new_version_has_a_new_tag(kind: Kind, site: Site) -> None:
    """Two of one second, too."""
    tags = set()
    for _ in range(3):
        site.build("renewed", b"the same")
        tags |= {site.ask(way, "renewed").headers["ETag"] for way in kind.paths}
    assert len(tags) == 3


def test_what_is_not_there_says_how_to_have_it_and_what_is_being_built_that_it_is(kind: Kind, site: Site) -> None:
    for way in kind.paths:
        for headers in ({}, {"If_Match": '"a"'}, {"If_None_Match": "*"}, {"Range": "bytes=0-1"}):
            reply = site.ask(way, "nothing", **headers)
            assert reply.status == 404  # RFC 9110, section 13.2.1: whatever the conditions
            problem = json.loads(reply.body)
            assert problem["status"] == 404
            assert problem["generate"] == "/app/generate"
            assert "POST of the same parameters to /app/generate" in problem["detail"]
        head = site.ask(way, "nothing", "HEAD")
        assert (head.status, head.body) == (404, b"")
    site.wait_until_nothing_is_held()


def test_what_another_process_builds_is_a_conflict_too(kind: Kind, site: Site) -> None:
    """Until it is there."""
    gate = site.gate("gated")
    with site.queue() as queue:
        job = queue.ensure_run(("gated",))
        assert job is not None
        with gate.open("wb") as file:  # once the program reads it
            for way in kind.paths:
                reply = site.ask(way, "gated", If_Match='"a"')
                assert (reply.status, reply.headers["Retry-After"]) == (409, "5")
                problem = json.loads(reply.body)
                assert "being built; ask again in 5 seconds, or watch it" in problem["detail"]
                assert problem["generate"] == "/app/generate"
            file.write(DATA)
        assert job.wait(TIMEOUT).returncode == 0
    assert site.ask(kind.paths[0], "gated").body == DATA


def test_an_error_tells_no_path(kind: Kind, site: Site) -> None:
    """A file of ours that cannot be opened: a directory has its name."""
    path = site.build("broken", b"content")
    path.unlink()
    path.mkdir()
    try:
        for way in kind.paths:
            reply = site.ask(way, "broken")
            assert reply.status in {404, 503}
            assert str(site.storage_dir) not in str(reply.headers) + reply.body.decode()
            assert path.name not in str(reply.headers) + reply.body.decode()
    finally:
        path.rmdir()


class SlowClient:
    """Reads the head of a response, and the rest when it is told to."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        self._data = b""
        while b"\r\n\r\n" not in self._data:
            self._data += self._some()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        assert head.split(b"\r\n")[0].split()[1] == b"200", head

    def _some(self) -> bytes:
        data = self._socket.recv(1 << 20)
        assert data, "the response was cut"
        return data

    def has_all_of(self, letter: bytes) -> bool:
        """Read all of the body; return whether it is this letter again and again, and nothing else."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        n_there = 0
        while True:
            n_there += self._data.count(letter)
            if n_there == BIG or self._data.count(letter) < len(self._data):
                return n_there == BIG
            self._data = self._some()

    def close(self) -> None:
        self._socket.close()


def age(path: Path) -> None:
    """Make it a result that was used long ago; its time of publication stays."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns))


def test_a_slow_download_is_whole_though_the_result_is_replaced_and_evicted(kind: Kind, site: Site) -> None:
    for way in kind.slow_paths:
        path = site.build("big", "1")
        with closing(SlowClient(site.server.port, f"{way}?name=big")) as client:
            age(path)
            assert path.name not in site.evict()  # it is in use
            site.build("big", "2")
            site.delete("big")
            assert site.ask(way, "big").status == 404
            assert client.has_all_of(b"1")
        site.wait_until_nothing_is_held()


def test_a_client_that_leaves_in_the_middle_lets_go(kind: Kind, site: Site) -> None:
    for way in kind.slow_paths:
        if kind is KINDS["hypercorn"] and way == "/base/view":
            continue  # it lets go; but Starlette's middleware then ends the response, of which Hypercorn complains
        path = site.build("left", "1")
        with closing(SlowClient(site.server.port, f"{way}?name=left")):
            age(path)
            assert path.name not in site.evict()
        site.wait_until_nothing_is_held()
        age(path)
        eventually(functools.partial(site.is_evicted, path))


@pytest.mark.parametrize("kind", [KINDS["gunicorn gthread"]], indirect=True, scope="module")
def test_a_response_that_is_never_iterated_holds_nothing(kind: Kind, site: Site) -> None:
    site.build("cases", DATA)
    assert ask(site.server.port, "/never?name=cases").status == 200
    site.wait_until_nothing_is_held()
