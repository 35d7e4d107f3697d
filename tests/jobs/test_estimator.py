"""Those that run, and those that ran -> what one that waits is told, computed once for all."""

from dataclasses import dataclass

import pytest

from workqueue.jobs.estimator import KEPT_SECONDS, Estimator


@dataclass
class Run:
    """One that has begun."""

    latest_run_seconds: float | None


@dataclass
class Clock:
    """Stands still until it is told to go on."""

    now: float = 100.0

    def monotonic(self) -> float:
        """As the module's own."""
        return self.now


class Recent:
    """Every run takes a minute; counts how often somebody wants to know."""

    n_calls = 0

    def __call__(self) -> list[float]:
        self.n_calls += 1
        return [60.0] * 10


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("workqueue.jobs.estimator.time", clock)
    return clock


def test_one_estimate_serves_all_places_for_a_moment(clock: Clock) -> None:
    recent = Recent()
    estimator = Estimator(lambda: 1, recent)
    run = Run(20.0)
    estimator.began(run)
    assert [estimator.eta(n) for n in (1, 2, 3)] == [40.0, 100.0, 160.0]
    assert recent.n_calls == 1
    run.latest_run_seconds = 21.0
    assert estimator.eta(1) == 40.0
    clock.now += KEPT_SECONDS
    assert estimator.eta(1) == 39.0
    assert recent.n_calls == 2


@pytest.mark.usefixtures("clock")
def test_a_move_makes_another() -> None:
    estimator = Estimator(lambda: 2, Recent())
    runs = [Run(20.0), Run(40.0)]
    assert estimator.eta(2) == 15.0  # nobody knows of those that run
    for run in runs:
        estimator.began(run)
    assert estimator.eta(2) == 20.0  # when the older ends
    estimator.ended(runs[1])
    assert estimator.eta(2) == (40 + 30 - 30) / 2
    estimator.ended(runs[1])
    estimator.ended(Run(1.0))
    assert estimator.eta(2) == (40 + 30 - 30) / 2


@pytest.mark.usefixtures("clock")
def test_one_that_rests_does_not_count_as_running() -> None:
    estimator = Estimator(lambda: 1, Recent())
    estimator.began(Run(None))
    assert estimator.eta(1) == 30.0


@pytest.mark.usefixtures("clock")
def test_nothing_is_told_where_nobody_knows_how_many_run_or_nobody_is_ahead() -> None:
    recent = Recent()
    assert Estimator(lambda: None, recent).eta(3) is None
    assert Estimator(lambda: 1, recent).eta(0) is None
    assert recent.n_calls == 0


@pytest.mark.usefixtures("clock")
def test_tenths_are_told() -> None:
    estimator = Estimator(lambda: 1, Recent())
    estimator.began(Run(20.0123))
    assert estimator.eta(1) == 40.0
