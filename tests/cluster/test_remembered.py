"""Failures that the log tells of: for how long each is remembered, and which are told to others at all."""

import pytest

from workqueue.engines.cluster.records import Failure
from workqueue.engines.cluster.remembered import ClusterFailures, Remembered
from workqueue.progress import CANCELLED, Progress, failed, succeeded

KEY = "a" * 40


class Log:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Failure | None]] = []

    def remember(self, key: str, failure: Failure | None) -> None:
        self.told.append((key, failure))

    def remembered(self, key: str) -> Progress | None:
        known = [failure for name, failure in self.told if name == key]
        return known[-1].outcome if known and known[-1] is not None else None


def _ended(returncode: int) -> Progress:
    return failed("It failed", returncode=returncode)


@pytest.mark.parametrize(("age", "is_known"), [(-0.1, False), (0.0, True), (59.9, True), (60.0, False)])
def test_a_failure_is_remembered_for_so_long(age: float, is_known: bool) -> None:
    """A time that is yet to come is no time."""
    remembered = Remembered(lambda: 1000.0 + age)
    remembered._failures[KEY] = Failure(1000.0, 60.0, _ended(1))
    assert remembered.get(KEY) == (_ended(1) if is_known else None)
    assert (KEY in remembered._failures) is is_known


def test_what_is_heard_takes_the_old_ones_out() -> None:
    now = 1000.0
    remembered = Remembered(lambda: now)
    remembered.heard("old", Failure(now, 60.0, _ended(1)))
    remembered.heard("forgotten", Failure(now, 600.0, _ended(1)))
    remembered.heard("forgotten", None)
    now += 60.0
    remembered.heard(KEY, Failure(now, 60.0, _ended(2)))
    assert list(remembered._failures) == [KEY]


@pytest.mark.parametrize(("returncode", "is_told"), [(0, False), (1, True), (2, True), (-9, False), (CANCELLED, False)])
def test_what_a_program_said_by_its_exit_status_is_told_to_others(returncode: int, is_told: bool) -> None:
    log = Log()
    failures = ClusterFailures(log, 60.0)
    failures.remember(KEY, succeeded() if returncode == 0 else _ended(returncode))
    assert failures.get(KEY) == (_ended(returncode) if is_told else None)
    if is_told:
        failures.forget(KEY)
        assert failures.get(KEY) is None


def test_without_a_time_nothing_is_told_or_asked() -> None:
    log = Log()
    failures = ClusterFailures(log, 0.0)
    failures.remember(KEY, _ended(1))
    failures.forget(KEY)
    assert log.told == []
    log.remember(KEY, Failure(0.0, 60.0, _ended(1)))
    assert failures.get(KEY) is None
