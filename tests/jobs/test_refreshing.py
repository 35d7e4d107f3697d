import pytest

from workqueue.jobs import refreshing
from workqueue.jobs.refreshing import AHEAD_SECONDS, RETRY_SECONDS, Refreshing


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_result_is_due_once_it_is_old(clock: Clock) -> None:
    due = Refreshing(3600.0, clock, clock)
    assert not due.is_due("a", clock.now)
    assert not due.is_due("a", clock.now - 3599)
    assert due.is_due("a", clock.now - 3600)


def test_without_an_age_none_is(clock: Clock) -> None:
    assert not Refreshing(None, clock, clock).is_due("a", 0.0)


def test_a_clock_that_is_a_little_ahead_makes_nothing_old_and_a_wrong_one_does(clock: Clock) -> None:
    due = Refreshing(3600.0, clock, clock)
    assert not due.is_due("a", clock.now + AHEAD_SECONDS - 1)
    assert due.is_due("a", clock.now + AHEAD_SECONDS + 1)


def test_of_those_that_ask_for_it_one_builds_it_and_after_a_while_another(clock: Clock) -> None:
    due = Refreshing(3600.0, clock, clock)
    assert [due.is_due("a", 0.0) for _ in range(3)] == [True, False, False]
    assert due.is_due("b", 0.0)
    clock.now += RETRY_SECONDS - 1
    assert not due.is_due("a", 0.0)
    clock.now += 1
    assert [due.is_due("a", 0.0) for _ in range(2)] == [True, False]


def test_the_result_that_took_its_place_is_due_when_it_is_old(clock: Clock) -> None:
    due = Refreshing(1.0, clock, clock)
    assert due.is_due("a", 0.0)
    assert not due.is_due("a", clock.now)
    clock.now += 1
    assert due.is_due("a", clock.now - 1)


def test_what_was_not_begun_may_be_begun_by_the_next(clock: Clock) -> None:
    due = Refreshing(3600.0, clock, clock)
    assert due.is_due("a", 0.0)
    due.forget("a")
    assert due.is_due("a", 0.0)
    due.forget("b")


def test_what_is_kept_of_them_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "MAX_TRIED", 2)
    due = Refreshing(3600.0, clock, clock)
    assert [due.is_due(key, 0.0) for key in "abc"] == [True] * 3
    assert [due.is_due(key, 0.0) for key in "cba"] == [False, False, True]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_what_is_no_age_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="refresh_after must be a number of seconds above 0, or None; got"):
        Refreshing(seconds)
