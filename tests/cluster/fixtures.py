"""Fixtures for tests of any directory: real NATS servers."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import LEASE, WorkerProcess
from workqueue.engines.cluster import ClusterEngine
from workqueue.engines.cluster.loop import loop

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def _loop() -> None:
    """The thread that all engines of this process share: it is there before what a test has is counted."""
    loop.start()


@pytest.fixture(scope="session")
def nats(_loop: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServers]:
    """One server, for all tests that do not end it."""
    loop.start()  # for all of this process, and for good: no test leaves it behind
    with NatsServers(tmp_path_factory.mktemp("nats") / "servers") as servers:
        yield servers


@pytest.fixture
def own_nats(_loop: None, tmp_path: Path) -> Iterator[NatsServers]:
    """One server, for one test, which may end it."""
    with NatsServers(tmp_path / "nats") as servers:
        yield servers


@pytest.fixture
def cluster() -> str:
    """The name of a cluster that no other test has."""
    return f"test-{next(_numbers)}"


@pytest.fixture
def make_engine(nats: NatsServers, cluster: str) -> Iterator[Callable[..., ClusterEngine]]:
    """Makes engines of one cluster, as processes have one each; they are closed after the test."""
    engines: list[ClusterEngine] = []

    def make(**options: object) -> ClusterEngine:
        told = {"name": cluster, "lease": LEASE, **options}
        engines.append(ClusterEngine(nats.url, **told))  # type: ignore[arg-type]
        return engines[-1]

    yield make
    for engine in engines:
        engine.close(0.0)


@pytest.fixture
def start_worker(nats: NatsServers, cluster: str) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers of that cluster; they are killed after the test."""
    with ExitStack() as stack:

        def start(program: Path, storage: str | Path, *options: str, **more: object) -> WorkerProcess:
            worker = WorkerProcess(program, nats.url, storage, "--cluster", cluster, *options, **more)  # type: ignore[arg-type]
            return stack.enter_context(worker)

        yield start
