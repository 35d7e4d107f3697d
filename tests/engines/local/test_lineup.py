"""Who is ahead of whom, and who is next, against a model that counts."""

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.engines.local.lineup import LineUp, Place

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "enter", "enter", "take", "take", "start", "leave"]),
        st.integers(0, 50),
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["", "k", "l"]),
    ),
    max_size=80,
)


class Naive:
    """The same line, by looking at every task each time; turns are given as the rule says them."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.turn = 0
        self.waiting: list[tuple[int, int, str, str, Place]] = []
        self.running: list[tuple[int, int, str, str, Place]] = []
        self.n_entered = 0
        self.last: dict[str, int] = {}

    def enter(self, key: str, tenant: str, place: Place) -> None:
        self.n_entered += 1
        here = [task for task in self.waiting + self.running if task[3] == tenant]
        turn = max(self.turn, self.last[tenant] + 1) if here else self.turn
        self.last[tenant] = turn
        self.waiting.append((turn, self.n_entered, key, tenant, place))
        self.waiting.sort(key=lambda task: task[:2])

    def next(self) -> Place | None:
        for task in self.waiting:
            _, _, key, tenant, place = task
            n_of_tenant = sum(other[3] == tenant for other in self.running)
            if (self.limit is None or n_of_tenant < self.limit) and not (key and key in [o[2] for o in self.running]):
                return place
        return None

    def start(self, place: Place) -> None:
        [task] = [task for task in self.waiting if task[4] is place]
        self.waiting.remove(task)
        self.running.append(task)
        self.turn = max(self.turn, task[0])

    def leave(self, place: Place) -> None:
        self.waiting = [task for task in self.waiting if task[4] is not place]
        self.running = [task for task in self.running if task[4] is not place]


@given(STEPS, st.sampled_from([None, 1, 2]))
def test_every_place_and_every_start_is_what_one_would_count(
    steps: list[tuple[str, int, str, str]], limit: int | None
) -> None:
    """Tasks of several tenants and keys enter, start, end and are cancelled in any order."""
    line, naive = LineUp(limit), Naive(limit)
    for step, which, tenant, key in steps:
        here = [task[4] for task in naive.waiting + naive.running]
        before = {task[4]: line.n_ahead(task[4]) for task in naive.waiting}
        comes: Place | None = None
        if step == "enter":
            naive.enter(key, tenant, comes := line.enter(key, tenant))
        elif step == "take":
            comes = expected = naive.next()
            assert line.take() == expected
            if expected is not None:
                naive.start(expected)
        elif step == "start" and naive.waiting:
            place = naive.waiting[which % len(naive.waiting)][4]
            line.start(place)
            naive.start(place)
        elif step == "leave" and here:
            line.leave(here[which % len(here)])
            naive.leave(here[which % len(here)])
        if comes is not None:
            after = {place: line.n_ahead(place) for place in before.keys() - {comes}}
            assert line.moved_others(comes) == any(after[place] != before[place] for place in after)
        n_running = len(naive.running)
        assert [line.n_ahead(task[4]) for task in naive.waiting] == [n_running + i for i in range(len(naive.waiting))]
        assert {line.n_ahead(task[4]) for task in naive.running} <= {0}
        assert line.n_waiting == len(naive.waiting)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60))
def test_while_two_tenants_wait_neither_starts_two_more_than_the_other(tenants: list[str]) -> None:
    line = LineUp()
    owners = {line.enter(tenant=tenant): tenant for tenant in tenants}
    left, n_started = Counter(tenants), Counter[str]()
    while (place := line.take()) is not None:
        n_started[owners[place]] += 1
        left[owners[place]] -= 1
        waiting = [n_started[tenant] for tenant in left if left[tenant]]
        assert max(waiting, default=0) - min(waiting, default=0) <= 1
    assert n_started == Counter(tenants)


def test_who_asks_for_a_thousand_does_not_starve_the_next() -> None:
    line = LineUp()
    for _ in range(1000):
        line.enter(tenant="many")
    running = line.take()
    assert running is not None
    one = line.enter(tenant="one")
    assert line.n_ahead(one) <= 2
    line.leave(running)
    assert one in {line.take(), line.take()}


def test_one_tenant_is_first_come_first_served() -> None:
    line = LineUp()
    places = [line.enter(tenant="a") for _ in range(5)]
    assert [line.take() for _ in range(5)] == places
    assert line.take() is None


def test_a_successor_of_a_key_that_runs_waits_and_is_overtaken() -> None:
    line = LineUp()
    first = line.enter("key")
    assert line.take() == first
    second, other = line.enter("key"), line.enter("other")
    assert line.take() == other
    assert line.moved_others(other)
    assert line.take() is None
    line.leave(first)
    assert line.take() == second


def test_a_tenant_that_runs_as_many_as_it_may_is_overtaken() -> None:
    line = LineUp(max_running_per_tenant=1)
    first, second, other = line.enter(tenant="a"), line.enter(tenant="a"), line.enter(tenant="b")
    assert line.take() == first
    assert line.take() == other
    assert line.take() is None
    line.leave(first)
    assert line.take() == second


@pytest.mark.parametrize("waits", [True, False])
def test_nothing_is_kept_of_tenants_that_have_gone(waits: bool) -> None:
    line = LineUp(1)
    for i in range(100):
        place = line.enter("key", f"tenant {i}")
        if not waits:
            assert line.take() == place
        line.leave(place)
    held = [value for value in vars(line).values() if isinstance(value, dict | list | set)]
    assert held
    assert not any(held)


def test_threads_that_come_and_go_leave_an_empty_line() -> None:
    line = LineUp()
    barrier = threading.Barrier(4)

    def come_and_go() -> None:
        barrier.wait(10)
        for i in range(300):
            place = line.enter()
            line.n_ahead(place)
            if i % 3:
                line.start(place)
            line.leave(place)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert line.n_ahead(line.enter()) == 0
