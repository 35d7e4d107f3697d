"""Random SIGKILL for owners, wardens and programs. `benchmarks/faults.py` goes on for as long as one likes."""

from pathlib import Path

import pytest

from tests.processes.ordeal import N_KEYS, N_PROCESSES, Ordeal
from workqueue.storage.base import Form

N_ROUNDS = 20


@pytest.mark.parametrize("form", ["file", "directory"])
def test_nothing_is_lost_and_nothing_is_left(tmp_path: Path, form: Form) -> None:
    with Ordeal(tmp_path, 1, form) as ordeal:
        for number in range(N_ROUNDS):
            ordeal.round(number)
        ordeal.finish()
    counts = ordeal.counts
    assert counts["results"] == N_ROUNDS * N_KEYS
    assert counts["ends"] == N_ROUNDS * N_KEYS * N_PROCESSES
    assert all(counts[f"{victim} killed"] for victim in ("owners", "wardens", "programs"))
    assert counts["programs"] >= N_ROUNDS * N_KEYS
    wrong = ("broken results", "overlaps", "leftovers", "orphans")
    assert {name: counts[name] for name in wrong} == dict.fromkeys(wrong, 0)
