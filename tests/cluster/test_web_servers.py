"""Web servers of several processes over a cluster: one run, and whole streams for all clients of all processes."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers, is_listening
from tests.cluster.workers import WorkerProcess
from tests.servers.server import Server, eventually
from tests.servers.sites import ASGI, GTHREAD, UVICORN, WSGI, Site
from workqueue.testing import ScriptedProgram

N_CLIENTS = 24

#: The queue is made before gunicorn's workers are forked off. They have as many threads as there are clients, which the
#: kernel does not deal out evenly.
SERVERS = {
    "gunicorn, preloaded": [*GTHREAD[:-1], str(N_CLIENTS), "--workers", "4", "--preload", WSGI],
    "uvicorn": [*UVICORN, "--workers", "2", ASGI],
}


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_all_clients_of_all_processes_see_one_run(
    command: list[str],
    nats: NatsServers,
    cluster: str,
    start_worker: Callable[..., WorkerProcess],
    program: ScriptedProgram,
    tmp_path: Path,
) -> None:
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\nexec "$1" "$@"\n')
    launcher.chmod(0o755)
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
