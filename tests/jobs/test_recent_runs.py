"""The durations of the last runs."""

from workqueue.jobs.recent_runs import MAX_RUNS, RecentRuns


def test_the_last_ones_are_kept() -> None:
    recent = RecentRuns()
    assert recent.seconds() == ()
    for i in range(MAX_RUNS + 10):
        recent.add(float(i))
    assert recent.seconds() == tuple(float(i) for i in range(10, MAX_RUNS + 10))


def test_what_others_know_comes_before_what_is_known_here_and_is_asked_for_once() -> None:
    asked: list[tuple[float, ...]] = []

    def known_before() -> tuple[float, ...]:
        asked.append((1.0, 2.0))
        return asked[-1]

    recent = RecentRuns(known_before)
    recent.add(3.0)
    assert recent.seconds() == (3.0,)
    recent.learn()
    recent.learn()
    assert recent.seconds() == (1.0, 2.0, 3.0)
    assert len(asked) == 1
