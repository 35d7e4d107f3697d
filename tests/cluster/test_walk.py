"""A random walk of late workers; for longer with WORKQUEUE_TEST_CLUSTER_WALK=MOVES."""

import os
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.walk import Walk
from tests.servers.server import eventually

N_MOVES = int(os.environ.get("WORKQUEUE_TEST_CLUSTER_WALK", "1500"))


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_is_late_counts(nats: NatsServers, cluster: str, tmp_path: Path, seed: int) -> None:
    with Walk(nats.url, cluster, tmp_path, seed) as walk:
        n_tasks = walk.go(N_MOVES)
        assert walk.checker.violations == []
        assert walk.ends == dict.fromkeys(range(n_tasks), 1)
        eventually(lambda: walk.views() == {(0, 0)})
        assert walk.moves["refused"] > 0
        assert walk.checker.n_heard > N_MOVES / 4
