"""What is left of runs whose time is over: nothing. `benchmarks/faults.py` has many more of them."""

from pathlib import Path

import pytest

from tests.cluster.growth import N_WORKERS, Growth
from tests.servers.server import eventually

N_RUNS = 300


@pytest.mark.usefixtures("_loop")
def test_of_many_runs_nothing_is_left(tmp_path: Path) -> None:
    with Growth(tmp_path, patience=90.0) as growth:
        assert growth.make(N_RUNS // 3) == {"0": N_RUNS // 3}
        before, _ = growth.held()
        assert growth.make(N_RUNS) == {"0": N_RUNS}
        # What the last of them still has goes soon.
        eventually(lambda: not more(growth.held()[0], before))
        stored = growth.stored()
        assert len(stored) == N_WORKERS
        assert set(stored.values()) == {1}


def more(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Of which classes there are more than so many more objects as all that lives is made of."""
    return {kind: number for kind, number in now.items() if number > before.get(kind, 0) + N_RUNS // 10}
