"""Who asks while others wait."""

import time

import pytest

from benchmarks import bystander


def test_a_bystander_asks_a_few_times_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bystander, "_SECONDS", 0.0)
    p50, p99, n = bystander._times(lambda: time.sleep(0.001))
    assert n == 5
    assert 1 <= p50 <= p99
