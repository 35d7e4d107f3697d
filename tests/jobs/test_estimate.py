"""What the last runs took, and who is ahead -> when a job begins."""

import math

import pytest

from workqueue.jobs.estimate import CREDIBLE_ERROR, CREDIBLE_SECONDS, MIN_RUNS, estimate, is_news, left_of

MINUTES = [60.0] * 10


def seconds(recent: list[float], running: list[float], max_running: int, n_ahead: int) -> float | None:
    found = estimate(recent, running, max_running)
    return None if found is None else found.seconds(n_ahead)


@pytest.mark.parametrize(
    ("running", "max_running", "n_ahead", "expected"),
    [
        ([0.0], 1, 1, 60),  # it waits for the whole of it
        ([45.0], 1, 1, 15),
        ([45.0], 1, 4, 15 + 3 * 60),
        ([30.0, 30.0], 2, 2, 30),
        ([30.0, 30.0], 2, 3, 45),  # in truth 30; places are taken to be free at even distances
        ([30.0, 30.0], 2, 12, 30 + 10 * 30 - 15),
        ([0.0, 0.0], 2, 2, 60),  # nobody begins before one of them ends
        ([50.0, 10.0], 2, 2, 15),
        ([], 1, 1, 30),  # another process runs it, for nobody knows how long: half, on the average
        ([], 4, 4, 7.5),
        ([59.0], 2, 3, (1 + 30 - 30 + 60) / 2),
    ],
)
def test_even_runs(running: list[float], max_running: int, n_ahead: int, expected: float) -> None:
    assert seconds(MINUTES, running, max_running, n_ahead) == pytest.approx(expected)


def test_it_counts_down_as_those_that_run_grow_older() -> None:
    told = [seconds(MINUTES, [float(age)], 1, 3) for age in range(0, 60, 10)]
    assert told == [180.0, 170.0, 160.0, 150.0, 140.0, 130.0]


def test_what_is_left_is_told_by_those_that_took_longer() -> None:
    ended = [10.0, 20.0, 30.0, 40.0, 50.0]
    assert [left_of(ended, age) for age in (0.0, 5.0, 10.0, 25.0, 45.0)] == [30.0, 25.0, 30.0, 15.0, 5.0]


def test_a_run_that_is_longer_than_all_takes_half_as_long_again() -> None:
    assert left_of([10.0, 20.0], 20.0) == 10.0
    assert left_of([10.0, 20.0], 300.0) == 150.0
    assert seconds(MINUTES, [100.0], 1, 1) == 50.0


@pytest.mark.parametrize("n", range(MIN_RUNS))
def test_of_too_few_runs_nothing_is_told(n: int) -> None:
    assert seconds([60.0] * n, [30.0], 1, 3) is None
    assert seconds([60.0] * MIN_RUNS, [30.0], 1, 3) is not None


@pytest.mark.parametrize(("max_running", "n_ahead"), [(1, 0), (2, 0), (2, 1), (0, 3)])
def test_a_job_that_waits_for_no_place_is_told_nothing(max_running: int, n_ahead: int) -> None:
    assert seconds(MINUTES, [1.0], max_running, n_ahead) is None


def test_runs_that_took_no_time_tell_nothing() -> None:
    assert estimate([0.0] * 10, [0.0], 1) is None


def test_it_is_told_where_it_is_likely_to_be_right() -> None:
    """The more are ahead, the more their differences make up for each other."""
    recent = [10.0, 300.0] * 20
    mean, deviation = 155.0, 145.0
    told = {n: seconds(recent, [200.0], 1, n) for n in range(1, 60)}
    assert told[1] is None
    first = min(n for n, eta in told.items() if eta is not None)
    for n, eta in told.items():
        expected = 100 + mean * (n - 1) + (200 - 200)
        error = deviation * math.sqrt(n + n * n / len(recent))
        assert (eta is not None) == (error <= CREDIBLE_ERROR * expected + CREDIBLE_SECONDS) == (n >= first)
        assert eta is None or eta == pytest.approx(expected)


@pytest.mark.parametrize(
    ("told", "now", "expected"),
    [
        (None, None, False),
        (None, 3.0, True),
        (3.0, None, True),
        (100.0, 75.0, False),
        (100.0, 74.0, True),
        (100.0, 126.0, True),
        (8.0, 3.0, False),
        (8.0, 2.0, True),
    ],
)
def test_what_is_told_again(told: float | None, now: float | None, expected: bool) -> None:
    assert is_news(told, now) is expected


def test_seconds_are_exact_enough_for_anybody() -> None:
    """Runs that take a second, or a tenth of that: all is told."""
    assert seconds([0.1, 1.0, 2.0, 0.2, 3.0], [0.5], 1, 1) is not None
