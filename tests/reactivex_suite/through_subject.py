"""A plugin of pytest's, for reactivex's own tests: what their operators observe comes through a replaying subject.

WORKQUEUE_TEST_SUBJECT says through which: "stock" or "ours". WORKQUEUE_TEST_OUTCOMES is a file that gets, as JSON, how
each test ended.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable
from reactivex.subject import ReplaySubject
from reactivex.testing import testscheduler
from reactivex.testing.hotobservable import HotObservable

from workqueue.streams.subject import DEFAULT_HISTORY, ProgressSubject

SUBJECTS = {"stock": ReplaySubject, "ours": ProgressSubject}

_outcomes: dict[str, str] = {}


class HotThroughSubject(HotObservable[Any]):
    """As the class it replaces, but that its one observer is a subject, there as soon as anybody subscribes.

    Not before: then a test that wants what comes after it subscribes would be told what was before.
    """

    _subject: Observable[Any] | None = None

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any] | None = None, scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if self._subject is None:
            self._subject = SUBJECTS[os.environ["WORKQUEUE_TEST_SUBJECT"]](DEFAULT_HISTORY)
            self.observers.append(self._subject)  # type: ignore[arg-type]
        noted = super()._subscribe_core(None, scheduler)
        return CompositeDisposable(
            noted, Disposable() if observer is None else self._subject.subscribe(observer, scheduler=scheduler)
        )


def pytest_configure() -> None:
    """Have all hot observables of these tests be such."""
    testscheduler.HotObservable = HotThroughSubject  # type: ignore[misc]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test ended."""
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Tell."""
    Path(os.environ["WORKQUEUE_TEST_OUTCOMES"]).write_text(json.dumps(_outcomes))
