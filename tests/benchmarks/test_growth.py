"""How a cost grows is measured with every size, the largest ones where and as often as that is worth its time."""

from pathlib import Path

import pytest

from benchmarks import floods, overhead
from benchmarks.answer import OURS


def test_lines_are_read_in_each_size_and_the_predecessor_is_spared_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floods, "N_ROUNDS_GROWING", 1)
    monkeypatch.setattr(floods, "MOST_OF_ANCESTOR", 5)
    lines_of = {n: floods.write_lines(tmp_path / str(n), n) for n in (10, 20)}
    assert lines_of[20].read_text().splitlines()[5] == "0.250000\tread line 5 of all"
    curves = floods.growth(tmp_path, lines_of)
    assert {who: [n for n, _ in points] for who, points in curves.items()} == {
        OURS: [10, 20],
        floods.BARE: [10, 20],
    }
    assert all(seconds > 0 for points in curves.values() for _, seconds in points)


def test_bursts_of_all_sizes_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "N_GROWING", (1, 3))
    monkeypatch.setattr(overhead, "N_BURSTS", 2)
    sizes = []
    measure_burst = overhead.burst

    def burst(python: str, program: overhead.Program, directory: Path, n: int) -> tuple[float, float]:
        sizes.append(n)
        return measure_burst(python, program, directory, n)

    monkeypatch.setattr(overhead, "burst", burst)
    shell, _ = overhead.programs(tmp_path)
    curves = overhead.growth(shell, tmp_path)
    assert sizes == [1, 3, 1, 3]
    assert {who: [n for n, _ in points] for who, points in curves.items()} == {
        OURS: [1, 3],
        overhead.POOL: [1, 3],
    }
