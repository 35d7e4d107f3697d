"""What goes, what stays, and whose turn it is."""

import os
import threading
import time
from pathlib import Path

import pytest

from workqueue.errors import StorageError
from workqueue.storage import eviction
from workqueue.storage.base import StoredResult
from workqueue.storage.eviction import GRACE_SECONDS, Policy, turn


def result(key: str, size: int, age: float, unused: float | None = None) -> StoredResult:
    now = time.time()
    return StoredResult(key, size, now - age, now - (age if unused is None else unused))


def gone(policy: Policy, *results: StoredResult, in_use: str = "") -> list[str]:
    """The keys of what goes, in their order."""
    return [each.key for each in policy.evict(results, lambda each: each.key not in in_use.split())]


def test_what_was_used_least_recently_goes_first_and_no_more_than_must() -> None:
    results = (result("a", 10, 900, 200), result("b", 10, 800), result("c", 10, 700, 100), result("d", 10, 600, 300))
    assert gone(Policy(max_bytes=40), *results) == []
    assert gone(Policy(max_bytes=39), *results) == ["b"]
    assert gone(Policy(max_bytes=20), *results) == ["b", "d"]
    assert gone(Policy(max_bytes=0), *results) == ["b", "d", "a", "c"]


def test_what_is_in_use_stays_and_the_next_goes_in_its_place() -> None:
    results = (result("a", 10, 900), result("b", 10, 800), result("c", 10, 700))
    assert gone(Policy(max_bytes=20), *results, in_use="a") == ["b"]
    assert gone(Policy(max_bytes=0), *results, in_use="a b c") == []


@pytest.mark.parametrize("error", [PermissionError(13, "no"), StorageError("no")])
def test_what_cannot_be_removed_is_passed_over_and_the_next_goes(error: Exception) -> None:
    def remove(each: StoredResult) -> bool:
        if each.key == "a":
            raise error
        return True

    results = (result("a", 10, 900), result("b", 10, 800), result("c", 10, 700))
    assert [each.key for each in Policy(max_bytes=20).evict(results, remove)] == ["b"]


def test_what_is_stale_goes_though_there_is_room() -> None:
    results = (result("a", 10, 1000, 100), result("b", 10, 3000), result("c", 10, 500))
    assert gone(Policy(ttl=900), *results) == ["b", "a"]
    assert gone(Policy(ttl=900, max_bytes=0), *results) == ["b", "c", "a"]


def test_a_time_from_the_future_keeps_nothing_for_ever() -> None:
    """It was published, or used, while the clock was ahead; a clock that is put right by seconds changes nothing."""
    year = 365 * 86400
    assert not Policy(ttl=3600).is_fresh(time.time() + year)
    assert Policy(ttl=3600).is_fresh(time.time() + GRACE_SECONDS / 2)
    assert Policy().is_fresh(time.time() + year)
    results = (result("a", 10, 1000), result("b", 10, -year), result("c", 10, 900, -year), result("d", 10, 800))
    assert gone(Policy(ttl=3600), *results) == ["b"]
    assert gone(Policy(max_bytes=20), *results) == ["b", "a"]
    assert gone(Policy(max_bytes=0), *results, result("e", 10, 900, -GRACE_SECONDS / 2)) == ["b", "a", "c", "d"]


def test_what_was_used_a_moment_ago_stays_whatever_it_is() -> None:
    fresh = result("a", 10, 5000, GRACE_SECONDS - 5)
    assert gone(Policy(ttl=1, max_bytes=0), fresh, result("b", 10, 5000, GRACE_SECONDS + 5)) == ["b"]


def test_without_limits_nothing_goes() -> None:
    assert Policy().keeps_all
    assert not Policy(ttl=1).keeps_all
    assert not Policy(max_bytes=0).keeps_all
    assert gone(Policy(), result("a", 10**12, 10**9)) == []


@pytest.mark.parametrize(
    ("ttl", "age", "is_fresh"), [(None, 10**9, True), (100, 90, True), (100, 110, False), (100, -50, True)]
)
def test_a_result_is_fresh_for_so_long(ttl: float | None, age: float, is_fresh: bool) -> None:
    assert Policy(ttl=ttl).is_fresh(time.time() - age) is is_fresh


def test_turns_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "turn"
    n_takers = 8
    begin, end = threading.Barrier(n_takers), threading.Barrier(n_takers)
    taken = []

    def take() -> None:
        begin.wait()
        with turn(path) as is_mine:
            taken.append(is_mine)
            end.wait()

    threads = [threading.Thread(target=take) for _ in range(n_takers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * (n_takers - 1) + [True]


def test_a_turn_comes_once_in_a_while(tmp_path: Path) -> None:
    path = tmp_path / "turn"

    def is_my_turn(gap: float) -> bool:
        with turn(path, gap) as is_mine:
            return is_mine

    assert is_my_turn(60)
    assert not is_my_turn(60)
    assert is_my_turn(0)
    now = time.time()
    os.utime(path, (now - 30, now - 30))
    assert not is_my_turn(60)
    os.utime(path, (now - 61, now - 61))
    assert is_my_turn(60)
    # Somebody set the clock back.
    os.utime(path, (now + 10**6, now + 10**6))
    assert is_my_turn(60)


def test_a_turn_that_somebody_had_between_the_look_and_the_lock_was_the_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "turn"
    path.write_bytes(b"1")
    os.utime(path, (1000.0, 1000.0))

    def have_it_first(fd: int) -> bool:
        monkeypatch.undo()
        with turn(path, 60) as is_theirs:
            assert is_theirs
        return eviction.try_lock(fd)

    monkeypatch.setattr(eviction, "try_lock", have_it_first)
    with turn(path, 60) as is_mine:
        assert not is_mine
