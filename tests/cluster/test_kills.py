"""Random kills of workers and a server, while many runs go on. `benchmarks/faults.py` has many more of them."""

from pathlib import Path

import pytest

from tests.cluster.storm import Storm

N_JOBS = 40


@pytest.mark.usefixtures("_loop")
def test_each_watcher_has_one_end_and_nothing_is_left(tmp_path: Path) -> None:
    with Storm(tmp_path, 1, N_JOBS) as storm:
        storm.ask()
        storm.harm_worker(1.0)
        storm.harm_worker(1.0)
        storm.kill_servers(0)
        storm.harm_worker(1.0)
        storm.finish()
    assert not +storm.wrong
    assert storm.counts["ends"] == N_JOBS * Storm.N_PROCESSES
