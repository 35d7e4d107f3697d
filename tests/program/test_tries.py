"""When a helper that fails is started again: pauses that grow, an end, and no hurry for one that is killed."""

import math

import pytest

from workqueue.program.tries import FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_TRIES, Tries, pause_seconds


def fail_until_given_up(tries: Tries) -> list[tuple[float, bool]]:
    """How long to wait after each failure, and whether to say so."""
    waits, now = [], 0.0
    while not tries.is_given_up:
        is_to_tell = tries.failed(now, "no reason")
        waits.append((round(tries.wait(now), 6), is_to_tell))
        now += tries.wait(now)
    return waits


def test_it_may_be_started_at_first() -> None:
    assert Tries().wait(0.0) == 0.0
    assert Tries().why is None


def test_one_that_never_serves_is_tried_at_once_then_after_growing_pauses_and_told_of_when_it_is_given_up() -> None:
    first = FIRST_PAUSE_SECONDS
    tries = Tries()
    assert fail_until_given_up(tries) == [
        (0.0, False),
        (first, False),
        (2 * first, False),
        (4 * first, False),
        (math.inf, True),
    ]
    assert tries.why == "no reason"


def test_what_it_lacks_for_a_while_is_told_once_and_never_makes_it_given_up() -> None:
    tries = Tries()
    told = [tries.failed(float(i), "no memory", is_passing=True) for i in range(1000)]
    assert [i for i, is_to_tell in enumerate(told, 1) if is_to_tell] == [MAX_TRIES]
    assert tries.wait(999.0) == MAX_PAUSE_SECONDS
    assert tries.wait(999.0 + MAX_PAUSE_SECONDS) == 0.0
    assert not tries.is_given_up


def test_one_that_is_broken_after_that_is_told_of_again() -> None:
    tries = Tries()
    for _ in range(MAX_TRIES):
        tries.failed(0.0, "no memory", is_passing=True)
    assert tries.failed(0.0, "broken")
    assert tries.is_given_up


def test_one_that_serves_begins_a_new_row() -> None:
    tries = Tries()
    for _ in range(MAX_TRIES - 1):
        tries.failed(0.0, "no reason")
    tries.served()
    assert tries.why is None
    assert len(fail_until_given_up(tries)) == MAX_TRIES


def test_one_that_is_killed_is_replaced_at_once_unless_it_is_killed_again_and_again() -> None:
    tries = Tries()
    waits = []
    for _ in range(6):
        tries.killed(0.0, lived_seconds=0.5)
        waits.append(tries.wait(0.0))
    assert waits == [0.0, 0.0, 0.0, FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    tries.killed(0.0, lived_seconds=60.0)
    assert tries.wait(0.0) == 0.0
    assert tries.why is None


@pytest.mark.parametrize(
    ("n", "seconds"), [(-5, 0.0), (0, 0.0), (1, 0.1), (2, 0.2), (7, 6.4), (8, 10.0), (10**6, 10.0)]
)
def test_pauses_double_up_to_a_bound(n: int, seconds: float) -> None:
    assert pause_seconds(n) == pytest.approx(seconds)
