"""A bell that any thread rings for one that waits."""

import threading
from types import SimpleNamespace

import pytest

from tests.streams.conftest import PATIENCE, in_thread, join, run_together
from workqueue.streams import bell as bells
from workqueue.streams.bell import RINGS_AT_ONCE, Bell, give_way


def test_rung_before_the_wait_it_lets_one_wait_pass() -> None:
    bell = Bell()
    assert bell.ring()
    assert bell.wait(None)
    assert not bell.wait(0.001)


def test_rung_twice_it_has_been_rung_once() -> None:
    bell = Bell()
    assert [bell.ring(), bell.ring()] == [True, False]
    assert bell.wait(None)
    assert not bell.wait(0.001)


def test_a_ring_wakes_who_waits() -> None:
    bell, woken = Bell(), threading.Event()

    def wait() -> None:
        assert bell.wait(PATIENCE)
        woken.set()

    thread = in_thread(wait)
    bell.ring()
    assert woken.wait(PATIENCE)
    join(thread)


def test_of_many_who_ring_at_once_one_rings() -> None:
    for _ in range(50):
        bell = Bell()
        assert sorted(run_together(*[bell.ring] * 4)) == [False, False, False, True]
        assert bell.wait(None)


def test_who_rings_many_gives_way_once_in_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(bells, "time", SimpleNamespace(sleep=pauses.append))
    for _ in range(3 * RINGS_AT_ONCE):
        give_way()
    assert len(pauses) == 3
    assert all(seconds > 0 for seconds in pauses)
