"""``workqueue worker`` and ``workqueue top``, as people, systemd and containers run them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import WorkerProcess
from tests.conftest import ensure
from tests.objects.ports import free_ports
from tests.servers.server import TIMEOUT, eventually
from workqueue import WorkQueue
from workqueue.cli import main
from workqueue.engines.cluster import ClusterEngine
from workqueue.jobs.lifecycle import State
from workqueue.storage.disk import DiskStorage
from workqueue.testing import ScriptedProgram


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@contextmanager
def old_server(version: str) -> Iterator[str]:
    """Says that it is a NATS server of this version, and no more; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while not is_over.is_set():
                connection, _ = listening.accept()
                info = {"server_id": "x", "version": version, "max_payload": 1048576, "headers": True, "proto": 1}
                with connection, contextlib.suppress(ConnectionError):  # a client that is refused leaves
                    connection.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
                    while data := connection.recv(4096):
                        if b"PING" in data:
                            connection.sendall(b"PONG\r\n")

        is_over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"nats://127.0.0.1:{listening.getsockname()[1]}"
        is_over.set()
        socket.create_connection(listening.getsockname()).close()
        thread.join()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-running", "0"], "'0' is not a number from 1"),
        (["--lease", "0.1"], "lease must be a number of seconds, 1 or more"),
        (["--cluster", "a.b"], "a cluster's name must be"),
        (["--tls-key", "key"], "--tls-key needs --tls-cert; give the certificate"),
        (["--tls-ca", "missing.pem"], "cannot use the certificate in missing.pem: No such file or directory"),
        (["--endpoint", "http://localhost"], "an endpoint is for a bucket's URL"),
        (["--time-limit", "0"], "argument --time-limit: '0' is not a limit; give a number of seconds above 0"),
        (["--time-limit", "soon"], "argument --time-limit: 'soon' is not a limit; give a number of seconds above 0"),
        (["--memory-limit", "much"], "argument --memory-limit: 'much' is not a size"),
        (["--cpu-limit", "0.5"], "argument --cpu-limit: '0.5' is not a limit; give a whole number of seconds above 0"),
        (["--health", "65536"], "argument --health: '65536' is not a port; give a number from 1 to 65535"),
        (["--health", "http"], "argument --health: 'http' is not a port"),
        (["--storage", ""], "argument --storage: it is empty; give a directory, or the URL of a bucket"),
        (["--niceness", "20"], "argument --niceness: '20' is not a limit; give a whole number from 0 to 19"),
    ],
)
def test_an_option_that_is_wrong(
    program: ScriptedProgram, results: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["worker", str(program.path), "--nats", "nats://x", "--storage", str(results), *options])
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    assert words in capsys.readouterr().err


def test_a_program_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["worker", str(tmp_path / "missing"), "--nats", "nats://x", "--storage", str(tmp_path / "results")]
    assert main(command) == 2
    assert "Cannot start" in capsys.readouterr().err


def test_a_secret_that_is_none(
    program: ScriptedProgram, results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKQUEUE_SECRET", "sesame")
    assert main(["worker", str(program.path), "--nats", "nats://x", "--storage", str(results)]) == 2
    said = capsys.readouterr().err
    assert "a secret is 32 random bytes" in said
    assert "sesame" not in said


def test_a_server_that_is_not_there(program: ScriptedProgram, results: Path) -> None:
    with WorkerProcess(program.path, "nats://127.0.0.1:1", results) as worker:
        assert worker.wait() == 2
        assert "workqueue: cannot use the cluster: " in worker.output
        assert "Traceback" not in worker.output


def test_a_server_that_is_too_old(program: ScriptedProgram, results: Path) -> None:
    with old_server("2.9.10") as url, WorkerProcess(program.path, url, results) as worker:
        assert worker.wait() == 2
        assert "workqueue: cannot use the cluster: the NATS server is 2.9.10, which ignores" in worker.output
        assert "2.12.4 is needed" in worker.output


@pytest.mark.usefixtures("nats")
@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_systemd_is_told(nats: NatsServers, cluster: str, program: ScriptedProgram, results: Path) -> None:
    # A socket's name is short, and that of a test's directory is not; in the abstract namespace it needs no file.
    name = f"workqueue-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(TIMEOUT)
        told = {"NOTIFY_SOCKET": f"@{name}"}
        with WorkerProcess(program.path, nats.url, results, "--cluster", cluster, **told) as worker:
            assert manager.recv(100) == b"READY=1"
            worker.terminate()
            assert manager.recv(100) == b"STOPPING=1"
            assert worker.wait() == 0


@pytest.mark.usefixtures("nats")
def test_a_containers_manager_is_answered(own_nats: NatsServers, program: ScriptedProgram, results: Path) -> None:
    (port,) = free_ports(1)

    def health() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=TIMEOUT) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as err:
            with err:
                return err.code, err.read().decode()
        except OSError:
            return 0, ""

    with WorkerProcess(program.path, own_nats.url, results, "--health", str(port), lease=1.0):
        eventually(lambda: health() == (200, "ok\n"))
        own_nats.kill()
        eventually(lambda: health()[0] == 503)
        own_nats.start()
        eventually(lambda: health()[0] == 200)


@pytest.mark.usefixtures("nats")
def test_the_command_serves_until_it_is_told_to_stop(
    nats: NatsServers,
    cluster: str,
    make_engine: Callable[..., ClusterEngine],
    program: ScriptedProgram,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process: its main thread is the command's."""
    (port,) = free_ports(1)
    answers: list[int] = []
    with (
        tempfile.TemporaryDirectory() as short,  # a socket's name must be
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(f"{short}/notify")
        manager.settimeout(TIMEOUT)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{short}/notify")
        with WorkQueue(program.path, storage=DiskStorage(results), engine=make_engine()) as queue:
            job = ensure(queue, "a")

            def use() -> None:
                manager.recv(100)
                program.wait_reached("gate", TIMEOUT)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=TIMEOUT) as response:
                    answers.append(response.status)
                program.release("gate")
                answers.append(job.wait(TIMEOUT).returncode or 0)
                os.kill(os.getpid(), signal.SIGTERM)

            using = threading.Thread(target=use)
            using.start()
            told = ["--nats", nats.url, "--cluster", cluster, "--storage", str(results), "--health", str(port)]
            status = main(["worker", str(program.path), *told])
            using.join(TIMEOUT)
        assert (status, answers) == (0, [200, 0])
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.usefixtures("nats")
def test_top(
    nats: NatsServers,
    cluster: str,
    make_engine: Callable[..., ClusterEngine],
    start_worker: Callable[..., WorkerProcess],
    program: ScriptedProgram,
    results: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def top(*options: str) -> str:
        assert main(["top", "--nats", nats.url, "--cluster", cluster, "--once", *options]) == 0
        return capsys.readouterr().out

    with WorkQueue(program.path, storage=DiskStorage(results), engine=make_engine()) as queue:
        running, waiting = ensure(queue, "secret-a"), ensure(queue, "secret-b")
        eventually(lambda: waiting.current_progress.n_ahead_in_queue == 1)
        worker = start_worker(program.path, results, "--max-running", "1")
        program.wait_reached("gate")
        eventually(lambda: running.current_progress.fraction == 0.5)
        data = json.loads(top("--json"))
        assert [(each["capacity"], each["name"]) for each in data["workers"]] == [(1, "program")]
        assert [(each["key"], each["fraction"]) for each in data["running"]] == [(running.key, 0.5)]
        assert [(each["key"], each["n_ahead"]) for each in data["waiting"]] == [(waiting.key, 1)]
        text = top()
        assert text.startswith("1 worker, 1 of 1 running, 1 waiting\n")
        assert f"{running.key[:8]}   50%" in text
        assert f"{waiting.key[:8]}  1 ahead" in text
        assert "secret" not in text + json.dumps(data)
        program.release("gate", 2)
        assert waiting.wait(TIMEOUT).returncode == 0
        assert running.state is State.SUCCEEDED
        worker.terminate()
        assert worker.wait() == 0


def test_top_without_a_server() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workqueue", "top", "--nats", "nats://127.0.0.1:1", "--once"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        check=False,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("workqueue: cannot use the cluster: ")
