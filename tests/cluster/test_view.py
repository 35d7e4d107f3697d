"""The view of a cluster, held against a plain list; and that its records may come twice and late."""

import random
from collections import Counter

import pytest

from workqueue.engines.cluster.records import Job, Own, State
from workqueue.engines.cluster.view import View
from workqueue.progress import cancelled, succeeded

END = Own(State.END, outcome=succeeded())


def job(view: View, tenant: str = "") -> Job:
    return Job(tenant, view.take_turn(tenant), "program", "", "disk:1", "task")


def key(number: int) -> str:
    return f"{number:040x}"


def add(view: View, number: int, tenant: str = "") -> None:
    view.add(number, key(number), job(view, tenant))


def run(view: View, number: int, sequence: int, worker: str = "w") -> bool:
    return view.own(number, sequence, Own(State.RUN, worker, 1))


def test_places() -> None:
    view = View()
    for number in (1, 2, 3, 4):
        add(view, number)
    assert [view.n_ahead(number) for number in (1, 2, 3, 4)] == [0, 1, 2, 3]
    run(view, 1, 10)
    assert [view.n_ahead(number) for number in (1, 2, 3, 4)] == [0, 1, 2, 3]
    assert (view.n_running, view.n_waiting) == (1, 3)
    view.own(1, 11, END)
    assert [view.n_ahead(number) for number in (1, 2, 3, 4)] == [0, 0, 1, 2]
    assert view.has_ended(1)
    assert view.by_key.get(key(1)) is None


def test_a_run_that_is_given_back_has_its_place_again() -> None:
    view = View()
    for number in (1, 2, 3):
        add(view, number)
    run(view, 1, 10)
    run(view, 2, 11)
    view.own(1, 12, Own(State.WAIT, "", 1, 1))
    assert [run.number for run in view.waiting()] == [1, 3]
    assert view.n_ahead(3) == 2


def test_what_is_old_or_comes_again_is_no_news() -> None:
    view = View()
    add(view, 1)
    assert run(view, 1, 10)
    assert not run(view, 1, 10)
    assert not view.own(1, 9, Own(State.WAIT))
    assert view.own(1, 11, END)
    add(view, 1)
    assert not view.runs
    assert not run(view, 1, 12)
    assert not run(view, 99, 12)


def test_tenants_take_turns() -> None:
    view = View()
    for number in range(1, 6):
        add(view, number, "big")
    add(view, 6, "small")
    assert [run.tenant for run in view.waiting()][:3] == ["big", "small", "big"]


def test_a_tenant_that_is_away_has_no_turns_saved_up() -> None:
    view = View()
    for number in (1, 2, 3):
        add(view, number, "x")
        run(view, number, number + 10)
        view.own(number, number + 20, END)
    add(view, 4, "x")
    add(view, 5, "y")
    assert [run.number for run in view.waiting()] == [4, 5]


def test_who_is_next() -> None:
    view = View()
    for number in (1, 2, 3):
        add(view, number)
    view.cancel(1)
    chosen = view.choose(lambda run: run.number != 2)
    assert chosen is not None
    assert chosen.number == 3
    assert view.choose(lambda _: False) is None


@pytest.mark.parametrize("seed", range(5))
def test_places_are_those_of_a_plain_list(seed: int) -> None:
    chosen = random.Random(seed)
    view = View()
    waiting: list[tuple[int, int]] = []
    tenants: dict[int, str] = {}
    running: set[int] = set()
    for sequence in range(1, 3000):
        what = chosen.random()
        if what < 0.4:
            tenant = chosen.choice("abc")
            made = job(view, tenant)
            view.add(sequence, key(sequence), made)
            waiting.append((made.turn, sequence))
            tenants[sequence] = tenant
        elif what < 0.7 and waiting:
            place = chosen.choice(waiting)
            waiting.remove(place)
            running.add(place[1])
            assert view.own(place[1], sequence, Own(State.RUN, "w", 1))
        elif what < 0.8 and running:
            number = chosen.choice(sorted(running))
            running.remove(number)
            waiting.append((view.runs[number].job.turn, number))
            assert view.own(number, sequence, Own(State.WAIT, "", 1))
        elif running or waiting:
            number = chosen.choice(sorted(running) or [number for _, number in waiting])
            running.discard(number)
            waiting = [place for place in waiting if place[1] != number]
            assert view.own(number, sequence, Own(State.END, outcome=cancelled()))
            del tenants[number]
        waiting.sort()
        assert [run.number for run in view.waiting()] == [number for _, number in waiting]
        if waiting:
            at = chosen.randrange(len(waiting))
            assert view.n_ahead(waiting[at][1]) == len(running) + at
        assert view.running_tenants == Counter(tenants[number] for number in running)


@pytest.mark.parametrize(
    ("max_pending", "capacity", "has_room"),
    [
        (0, 0, False),
        (0, 2, False),
        (0, 3, False),
        (0, 4, True),
        (1, 0, False),
        (2, 0, False),
        (3, 0, True),
        (1, 2, False),
        (2, 2, True),
    ],
)
def test_room_in_the_line_is_what_may_wait_beside_what_is_taken_at_once(
    max_pending: int, capacity: int, has_room: bool
) -> None:
    view = View()
    for number in (1, 2, 3):
        add(view, number)
    run(view, 1, 10)
    assert (view.n_running, view.n_waiting) == (1, 2)
    assert view.has_room(max_pending, capacity) == has_room
