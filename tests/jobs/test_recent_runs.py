"""The durations of the last runs."""

from workqueue.jobs.recent_runs import MAX_RUNS, RecentRuns


def test_the_last_ones_are_kept() -> None:
    recent = RecentRuns()
    assert recent.seconds() == ()
    for i in range(MAX_RUNS + 10):
        recent.add(float(i))
    assert recent.seconds() == tuple(float(i) for i in range(10, MAX_RUNS + 10))
