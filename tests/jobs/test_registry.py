import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workqueue.errors import QueueFull
from workqueue.jobs.registry import Registry


class Thing:
    """Stands for a job: an object with an identity."""


class Equal(Thing):
    """Equal to every other; only identity tells them apart."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    def __hash__(self) -> int:
        return 0


def never() -> Thing:
    raise AssertionError("there is one already")


def test_the_first_to_reserve_a_key_makes_its_job_and_the_next_gets_the_same() -> None:
    registry = Registry[Thing]()
    thing, is_new = registry.reserve("key", Thing)
    assert is_new
    assert registry.reserve("key", never) == (thing, False)
    assert registry.get("key") is thing
    assert len(registry) == 1


def test_keys_do_not_share_jobs() -> None:
    registry = Registry[Thing]()
    one, two = registry.reserve("one", Thing), registry.reserve("two", Thing)
    assert one[0] is not two[0]
    assert (one[1], two[1], len(registry)) == (True, True, 2)


def test_a_full_registry_takes_no_new_job_and_still_gives_those_it_has() -> None:
    registry = Registry[Thing](max_live=lambda: 2)
    one, _ = registry.reserve("one", Thing)
    registry.reserve("two", Thing)
    with pytest.raises(QueueFull, match="the queue is full; try again later"):
        registry.reserve("three", never)
    assert registry.reserve("one", never) == (one, False)
    registry.forget("one", one)
    assert registry.reserve("three", Thing)[1]


def test_of_many_who_reserve_at_once_only_as_many_as_may_get_a_place() -> None:
    registry = Registry[Thing](max_live=lambda: 5)
    barrier = threading.Barrier(16)

    def reserve(i: int) -> bool:
        barrier.wait()
        try:
            return registry.reserve(str(i), Thing)[1]
        except QueueFull:
            return False

    with ThreadPoolExecutor(16) as executor:
        assert sum(executor.map(reserve, range(16))) == 5


def test_an_unknown_key_has_no_job() -> None:
    assert Registry[Thing]().get("key") is None


def test_a_forgotten_key_is_made_afresh() -> None:
    registry = Registry[Thing]()
    first, _ = registry.reserve("key", Thing)
    registry.forget("key", first)
    assert (registry.get("key"), len(registry)) == (None, 0)
    second, is_new = registry.reserve("key", Thing)
    assert is_new
    assert second is not first


def test_forgetting_takes_out_only_this_very_job_and_not_its_successor() -> None:
    registry = Registry[Thing]()
    first, _ = registry.reserve("key", Equal)
    registry.forget("key", first)
    second, _ = registry.reserve("key", Equal)
    registry.forget("key", first)
    assert registry.get("key") is second


def test_forgetting_is_idempotent_and_ignores_unknown_keys() -> None:
    registry = Registry[Thing]()
    thing, _ = registry.reserve("key", Thing)
    registry.forget("key", thing)
    registry.forget("key", thing)
    registry.forget("other", thing)
    assert len(registry) == 0


def test_a_retired_job_is_given_to_nobody_and_counts_until_it_is_forgotten() -> None:
    registry = Registry[Thing](max_live=lambda: 1)
    retired, _ = registry.reserve("key", Thing)
    registry.retire("key", retired)
    assert registry.get("key") is None
    assert (len(registry), registry.live()) == (1, [retired])
    with pytest.raises(QueueFull):
        registry.reserve("key", never)
    registry.forget("key", retired)
    assert (len(registry), registry.live()) == (0, [])
    assert registry.reserve("key", Thing)[1]


def test_live_jobs_are_told_in_the_order_in_which_they_came_the_retired_first() -> None:
    registry = Registry[Thing]()
    one, two, three = (registry.reserve(key, Thing)[0] for key in ("one", "two", "three"))
    registry.retire("two", two)
    assert registry.live() == [two, one, three]


def test_retiring_and_forgetting_take_this_very_job_and_not_one_that_is_equal() -> None:
    registry = Registry[Thing]()
    first, _ = registry.reserve("key", Equal)
    registry.retire("key", first)
    second, _ = registry.reserve("key", Equal)
    registry.retire("key", first)  # late: another has its key by now
    assert registry.get("key") is second
    registry.retire("key", second)
    registry.forget("key", first)
    [left] = registry.live()
    assert left is second


def test_a_make_that_raises_reserves_nothing_and_leaves_the_registry_usable() -> None:
    registry = Registry[Thing]()
    with pytest.raises(AssertionError):
        registry.reserve("key", never)
    assert len(registry) == 0
    assert registry.reserve("key", Thing)[1]


def test_of_many_threads_that_reserve_a_key_at_once_one_makes_the_job_and_all_get_it() -> None:
    n_threads, n_rounds = 8, 300
    registry, barrier = Registry[Thing](), threading.Barrier(n_threads)

    def reserve_each() -> list[tuple[Thing, bool]]:
        results = []
        for number in range(n_rounds):
            barrier.wait(30)
            results.append(registry.reserve(str(number), Thing))
        return results

    with ThreadPoolExecutor(n_threads) as pool:
        per_thread = [future.result(30) for future in [pool.submit(reserve_each) for _ in range(n_threads)]]
    for answers in zip(*per_thread, strict=True):
        assert len({thing for thing, _ in answers}) == 1
        assert sum(is_new for _, is_new in answers) == 1
    assert len(registry) == n_rounds
