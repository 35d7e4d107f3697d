"""Three NATS servers on loopback, as nodes: each keeps all that the cluster knows."""

import http.client
import json
import secrets
import shutil
import socket
import sysconfig
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.demo.cluster.node import Node
from workqueue.program.warden import Warden

N_SERVERS: Final = 3

#: Below the ports that the kernel gives to connections: none takes one while its server is dead.
_PORTS: Final = range(12_000, 30_000)

_ANSWER_SECONDS: Final = 2.0


class Ports(NamedTuple):
    """Where one server listens, on loopback."""

    clients: int
    health: int
    servers: int


class Servers:
    """Three servers, of which any one may die.

    Args:
        program: the path of ``nats-server``.
        directory: where they keep what they store, and their configuration; nobody else may read it.
        warden: kills them when this process is killed.
    """

    def __init__(self, program: str, directory: Path, warden: Warden) -> None:
        # Whoever has an account on this machine can connect, and must not.
        self._password = secrets.token_hex(16)
        self._ports = [Ports(*three) for three in free_ports(N_SERVERS)]
        self.nodes: list[Node] = []
        for i, ports in enumerate(self._ports, 1):
            config = directory / f"nats-{i}.conf"
            config.write_text(self._config(f"nats-{i}", ports, directory / f"nats-{i}"))
            self.nodes.append(Node(f"nats-{i}", (program, "-c", str(config)), warden, directory, {}))

    @property
    def urls(self) -> list[str]:
        """Where clients connect, with the password."""
        return [f"nats://demo:{self._password}@127.0.0.1:{ports.clients}" for ports in self._ports]

    def are_ready(self) -> bool:
        """Whether all three say that they can keep a stream."""
        return all(_is_healthy(ports.health) for ports in self._ports)

    def _config(self, name: str, ports: Ports, store: Path) -> str:
        # JSON is what NATS reads, too; so a path may hold anything.
        user = {"user": "demo", "password": self._password}
        others = [f"nats://demo:{self._password}@127.0.0.1:{other.servers}" for other in self._ports]
        return json.dumps(
            {
                "server_name": name,
                "listen": f"127.0.0.1:{ports.clients}",
                "http": f"127.0.0.1:{ports.health}",
                "jetstream": {"store_dir": str(store), "sync_interval": "always"},
                "cluster": {
                    "name": "demo",
                    "listen": f"127.0.0.1:{ports.servers}",
                    "authorization": user,
                    "routes": others,
                },
                "authorization": user,
            },
            indent=2,
        )


def find_program() -> str | None:
    """Where ``nats-server`` is: beside this interpreter, as PyPI's wheel puts it, or on PATH."""
    return shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")


def free_ports(n_servers: int) -> list[Sequence[int]]:
    """For each server three ports of loopback that are free now."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < 3 * n_servers:
            attempt = socket.socket()
            held.callback(attempt.close)
            try:
                attempt.bind(("127.0.0.1", secrets.choice(_PORTS)))
            except OSError:
                continue
            found.append(attempt.getsockname()[1])
    return [found[i : i + 3] for i in range(0, len(found), 3)]


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
