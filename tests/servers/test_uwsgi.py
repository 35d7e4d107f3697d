"""uWSGI, which forks its workers in C: by default without Python's hooks, by option with some of them."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.servers.server import Server, eventually, get
from tests.servers.sites import Site
from tests.servers.test_shutdown import PROMISED_SECONDS, Endless, endless
from tests.servers.test_workers import children
from tests.tools import missing
from workqueue.testing import ScriptedProgram, output, say, wait

__all__ = ("endless",)

if importlib.util.find_spec("pyuwsgi") is None or not Path("/proc/self/status").exists():

    @pytest.fixture(autouse=True)
    def uwsgi() -> None:
        missing("there is no uWSGI; on Linux, pip install pyuwsgi")


N_WORKERS = 3

OPTIONS = {
    "no option": [],
    "lazy apps": ["--lazy-apps"],
    "its own hooks": ["--py-call-uwsgi-fork-hooks"],
    "Python's hooks": ["--py-call-osafterfork"],
    "threads": ["--threads", "4"],
}


class UWSGI(Server):
    """Three workers, with what the documentation recommends."""

    def __init__(self, directory: Path, *more: str, **environment: str) -> None:
        command = [
            "tests.servers.apps.uwsgi",
            "--http-socket",
            "127.0.0.1:0",
            "--module",
            "tests.servers.apps.uwsgi:app",
        ]
        command += ["--master", "--processes", str(N_WORKERS), "--enable-threads", "--die-on-term", "--need-app"]
        command += ["--worker-reload-mercy", "1"]
        # When it reloads it runs the interpreter that the environment was made of, which finds nothing by itself.
        path = [str(Path(__file__).parent.parent.parent), *filter(None, (sysconfig.get_path("purelib"),))]
        environment = {"PYTHONPATH": os.pathsep.join(path), **environment}
        super().__init__([*command, *more], directory, **environment)

    def _said_port(self) -> re.Match[str] | None:
        return re.search(r"bound to TCP address 127\.0\.0\.1:(\d+)", self.output)

    def reload(self) -> None:
        """Have it start anew, and return when it listens; now on another port, which the system chooses."""
        n_before = self.output.count("bound to TCP")
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.output.count("bound to TCP") > n_before)
        *_, port = re.findall(r"bound to TCP address 127\.0\.0\.1:(\d+)", self.output)
        self.port = int(port)

    def stop(self) -> float:
        """See `Server`. One that has just started loses a signal: its workers serve before its master listens."""
        before = time.monotonic()
        eventually(self._is_told_to_stop)
        super().stop()
        return time.monotonic() - before

    def _is_told_to_stop(self) -> bool:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1)
        return "SIGINT/SIGTERM received" in self.output

    def descendants(self) -> set[int]:
        found: set[int] = set()
        new = {self.process.pid}
        while new:
            new = {child for pid in new for child in _children(pid)} - found
            found |= new
        return found


def _children(pid: int) -> list[int]:
    try:
        return children(pid)
    except FileNotFoundError:  # it has ended meanwhile
        return []


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    with ScriptedProgram(tmp_path / "program", say(0.25), wait("one"), output(b"the database")) as program:
        yield program


@pytest.fixture
def warm_up(tmp_path: Path) -> dict[str, str]:
    """A queue that is used before the workers are forked."""
    return {"WARM_UP": str(write_program(tmp_path / "warm-up", 'echo built > "$output"'))}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                name == "Python's hooks" and sys.version_info >= (3, 13),
                reason="on Python 3.13 the workers of any application die of uWSGI's --py-call-osafterfork",
            ),
        )
        for name in OPTIONS
    ],
)
def test_the_workers_act_as_one(name: str, program: ScriptedProgram, warm_up: dict[str, str], tmp_path: Path) -> None:
    """One program for equal requests, whose clients all have its end; a cancel in one worker is a cancel in each."""
    # One more client than a worker has threads: two workers have some of them.
    n_clients = 5 if name == "threads" else 2
    with UWSGI(tmp_path, *OPTIONS[name], **warm_up) as server:
        site = Site(server.port)
        for job, end in (("a", 0), ("b", -998), ("c", 0)):
            with ExitStack() as stack:
                clients = [
                    stack.enter_context(closing(site.watch(program, "/generate", job=job))) for _ in range(n_clients)
                ]
                for client in clients:
                    client.until(0.25)
                assert len({client.response.getheader("X-Worker") for client in clients}) > 1
                if end:
                    assert get(server.port, f"/cancel?{site._query(program, job=job)}") == "True"
                else:
                    program.release("one")
                assert [client.until(1.0)["returncode"] for client in clients] == [end] * n_clients
        assert [run[-2] for run in program.runs] == ["a", "b", "c"]
        assert server.stop() < PROMISED_SECONDS
        assert "Traceback" not in server.output
        assert "Segmentation" not in server.output


@pytest.mark.parametrize("name", ["no option", "threads"])
def test_a_program_starts_clean(name: str, tmp_path: Path) -> None:
    """uWSGI blocks and ignores signals, and those of its threads have all blocked."""
    program = write_program(
        tmp_path / "looks",
        "echo \"0.5\t$(grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -s '\\n\\t' '  ')\"\necho > \"$output\"",
    )
    with UWSGI(tmp_path, *OPTIONS[name]) as server, closing(Site(server.port).watch(program, "/generate")) as client:
        message = client.until(0.5)["message"]
        blocked, ignored = (int(mask, 16) for mask in re.findall(r"[0-9a-f]{16}", message))
        assert blocked == 0
        assert [signum for signum in signal.valid_signals() if ignored & 1 << (signum - 1)] == []
        assert client.until(1.0)["returncode"] == 0


def test_a_program_in_python_finds_the_packages_of_the_environment(tmp_path: Path) -> None:
    """Whatever sys.executable is in uWSGI."""
    with UWSGI(tmp_path) as server:
        assert Path(get(server.port, "/python")).parent == Path(sys.executable).parent


@pytest.mark.parametrize("name", ["no option", "threads"])
def test_a_reload_leaves_nothing_behind(name: str, endless: Endless, warm_up: dict[str, str], tmp_path: Path) -> None:
    """Beside a program that would go on for ten minutes."""
    with UWSGI(tmp_path, *OPTIONS[name], **warm_up) as server:
        site = Site(server.port)
        assert get(server.port, f"/ask?{site._query(endless.path)}") == "True"
        eventually(lambda: endless.pids)
        before = server.descendants()
        server.reload()
        eventually(lambda: not before & server.descendants() and not endless.is_running)
        assert get(server.port, "/ping") == "pong"
        assert get(server.port, f"/ask?{site._query(endless.path)}") == "True"
        eventually(lambda: len(endless.pids) == 2)
        server.stop()
        eventually(lambda: not endless.is_running)
        assert "Segmentation" not in server.output
