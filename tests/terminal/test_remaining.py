"""What a person is told of how long a run still takes, on a clock that the test sets."""

from collections.abc import Iterable

import pytest

from workqueue.progress import Progress, failed, succeeded
from workqueue.terminal.remaining import Remaining


def told(moments: Iterable[tuple[float, float]]) -> list[float | None]:
    """What is told after each (seconds, fraction)."""
    remaining = Remaining()
    return [remaining.add(Progress(fraction=fraction), seconds) for seconds, fraction in moments]


def steady(seconds: float, step: float = 1.0) -> list[tuple[float, float]]:
    """The moments of a run that takes so long, at one rate."""
    return [(i * step, i * step / seconds) for i in range(round(seconds / step) + 1)]


def test_a_steady_run_is_told_right_once_it_is_known_for_some_seconds() -> None:
    said = told(steady(100))
    assert said[:6] == [None] * 6
    first = next(i for i, left in enumerate(said) if left is not None)
    assert first in {6, 7}
    for i, left in enumerate(said[first:], start=first):
        assert left == pytest.approx(100 - i, abs=1)


def test_nothing_is_said_before_a_twentieth() -> None:
    said = told(steady(1000))
    assert all(left is None for left in said[:50])
    assert said[50] == pytest.approx(950, rel=0.01)


def test_nothing_is_said_of_two_steps() -> None:
    assert told([(0, 0), (1, 0.3), (2, 0.6), *((i, 0.6) for i in range(3, 60))]) == [None] * 60


def test_a_guess_that_leaps_about_is_not_told() -> None:
    """A quick start, and then nothing: the end that is estimated moves by 20 s each second."""
    start = [(0, 0), (0.25, 0.02), (0.5, 0.03), (0.75, 0.04), (1, 0.05)]
    assert told([*start, *((float(i), 0.05) for i in range(2, 12))]) == [None] * 15


def test_a_heartbeat_is_no_step() -> None:
    assert told((float(i), 0.5) for i in range(100)) == [None] * 100


def test_many_events_at_one_moment_are_no_matter() -> None:
    said = told([(0, 0), (0, 0.001), (0, 0.002), *steady(100)[1:]])
    assert said[:3] == [None] * 3
    assert said[-1] == 0
    assert said[52] == pytest.approx(50, abs=1)


def test_a_run_that_begins_anew_is_estimated_anew() -> None:
    remaining = Remaining()
    for seconds, fraction in steady(100)[:60]:
        remaining.add(Progress(fraction=fraction), seconds)
    assert remaining.add(Progress(fraction=0.6), 60) is not None
    assert remaining.add(Progress(fraction=0.1), 61) is None
    assert remaining.add(Progress(fraction=0.11), 62) is None


@pytest.mark.parametrize("event", [Progress(n_ahead_in_queue=1), succeeded(), failed("why")])
def test_what_does_not_run_takes_no_time_that_is_known(event: Progress) -> None:
    remaining = Remaining()
    for seconds, fraction in steady(100)[:60]:
        remaining.add(Progress(fraction=fraction), seconds)
    assert remaining.add(event, 60) is None
    assert remaining.add(Progress(fraction=0.6), 61) is None
