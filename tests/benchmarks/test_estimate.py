"""Waits are estimated well: a part of the benchmark's lines, which are the same each time."""

import pytest

from benchmarks.answer import OURS
from benchmarks.estimate import WAYS, by_fractions, lines, ours, score


@pytest.mark.parametrize(("kind", "n_recent", "near", "near_of_told"), [("uneven", 64, 60, 70), ("even", 64, 90, 90)])
def test_a_wait_is_told_within_a_quarter(kind: str, n_recent: int, near: float, near_of_told: float) -> None:
    found = score(ours, lines(kind, 300, n_recent))
    assert found.near >= near
    assert found.near_of_told is not None
    assert found.near_of_told >= near_of_told


def test_what_eight_runs_tell_is_right_as_often_as_not() -> None:
    found = score(ours, lines("uneven", 300, 8))
    assert found.near_of_told is not None
    assert found.near_of_told >= 45


def test_the_lines_are_the_same_each_time_and_of_all_sizes() -> None:
    found = lines("uneven", 300)
    assert found == lines("uneven", 300)
    assert {line.max_running for line in found} == set(range(1, 9))
    assert {1, 40} <= {line.place for line in found} <= set(range(1, 41))
    assert all(line.wait > 0 and len(line.recent) == 64 for line in found)
    assert all(0 <= run.fraction <= 1 and run.age >= 0 for line in found for run in line.running)


def test_every_way_is_scored() -> None:
    some = lines("even", 20)
    scores = {who: score(way, some) for who, way in WAYS.items()}
    assert scores[OURS] == score(ours, some)
    assert all(found.near <= found.told <= 100 for found in scores.values())
    assert by_fractions(some[0]._replace(recent=[])) is None
    assert score(ours, [some[0]._replace(recent=[])]).near_of_told is None
