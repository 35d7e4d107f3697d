"""A random walk of late workers. `benchmarks/faults.py` has longer ones."""

from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.walk import Walk

N_MOVES = 1500


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_is_late_counts(nats: NatsServers, cluster: str, tmp_path: Path, seed: int) -> None:
    with Walk(nats.url, cluster, tmp_path, seed) as walk:
        walk.go(N_MOVES)
        assert walk.wrong() == []


@pytest.mark.usefixtures("_loop")
def test_nothing_that_is_late_counts_on_three_servers(tmp_path: Path) -> None:
    with (
        NatsServers(tmp_path / "nats", 3) as servers,
        Walk(servers.url, "walk", tmp_path / "storage", 0, replicas=3) as walk,
    ):
        walk.go(N_MOVES)
        assert walk.wrong() == []
