"""Web servers of several processes over a cluster: one run, and whole streams for all clients of all processes."""

import importlib.util
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers, is_listening
from tests.cluster.workers import WorkerProcess
from tests.conftest import write_program
from tests.servers.server import Server, eventually
from tests.servers.sites import ASGI, GTHREAD, UVICORN, WSGI, Site
from tests.servers.test_shutdown import PROMISED_SECONDS
from tests.servers.test_uwsgi import N_WORKERS, OPTIONS, UWSGI
from tests.tools import missing
from workqueue.testing import ScriptedProgram

N_CLIENTS = 24

#: The queue is made before gunicorn's workers are forked off. They have as many threads as there are clients, which the
#: kernel does not deal out evenly.
SERVERS = {
    "gunicorn, preloaded": [*GTHREAD[:-1], str(N_CLIENTS), "--workers", "4", "--preload", WSGI],
    "uvicorn": [*UVICORN, "--workers", "2", ASGI],
}


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """What all sites' queues call their program: it runs the one that a request names."""
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\nexec "$1" "$@"\n')
    launcher.chmod(0o755)
    return launcher


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_all_clients_of_all_processes_see_one_run(
    command: list[str],
    nats: NatsServers,
    cluster: str,
    start_worker: Callable[..., WorkerProcess],
    program: ScriptedProgram,
    launcher: Path,
    tmp_path: Path,
) -> None:
    start_worker(launcher, tmp_path / "storage")
    with (
        Server(command, tmp_path, WORKQUEUE_TEST_CLUSTER=f"{nats.url} {cluster}") as server,
        ExitStack() as stack,
    ):
        eventually(lambda: is_listening(server.port))
        site = Site(server.port)
        clients = [stack.enter_context(closing(site.watch(program))) for _ in range(N_CLIENTS)]
        program.wait_reached("gate")
        for client in clients:
            client.until(0.5)
        program.release("gate")
        assert {client.until(1.0)["returncode"] for client in clients} == {0}
    assert len(program.runs) == 1


@pytest.mark.parametrize("name", ["no option", "lazy apps", "threads"])
def test_all_clients_of_all_of_uwsgis_workers_see_one_run(
    name: str,
    nats: NatsServers,
    cluster: str,
    start_worker: Callable[..., WorkerProcess],
    program: ScriptedProgram,
    launcher: Path,
    tmp_path: Path,
) -> None:
    """It forks them in C, from a process that has been in the cluster."""
    if importlib.util.find_spec("pyuwsgi") is None or not Path("/proc/self/status").exists():
        missing("there is no uWSGI; on Linux, pip install pyuwsgi")
    start_worker(launcher, tmp_path / "storage")
    warm_up = write_program(tmp_path / "warm-up", 'echo built > "$output"')
    told = {"WORKQUEUE_TEST_CLUSTER": f"{nats.url} {cluster}", "WARM_UP": str(warm_up)}
    # One more client than a worker has threads: two workers have some of them.
    n_clients = 5 if name == "threads" else 2
    with UWSGI(tmp_path, *OPTIONS[name], **told) as server, ExitStack() as stack:
        site = Site(server.port)
        clients = [stack.enter_context(closing(site.watch(program, "/generate"))) for _ in range(n_clients)]
        program.wait_reached("gate")
        for client in clients:
            client.until(0.5)
        assert len({client.response.getheader("X-Worker") for client in clients}) > 1
        program.release("gate")
        assert [client.until(1.0)["returncode"] for client in clients] == [0] * n_clients
        # One that is told to stop while it imports its application says so in a traceback.
        n_apps = N_WORKERS if name == "lazy apps" else 1
        eventually(lambda: server.output.count(" ready in ") >= n_apps)
        assert server.stop() < PROMISED_SECONDS
        assert "Traceback" not in server.output
        assert "Segmentation" not in server.output
    assert len(program.runs) == 1
