"""All the events of a job, once it has ended."""

import re
from collections.abc import Callable

import pytest

from workqueue import Progress, WorkQueue
from workqueue.testing import ManualEngine, collect

MakeQueue = Callable[..., WorkQueue]


def test_the_events_of_a_job_that_has_ended_are_its_history(make_queue: MakeQueue) -> None:
    engine = ManualEngine()
    job = make_queue("unused", engine=engine).ensure_run(("a",))
    assert job is not None
    engine.fail(job, 1, "reason")
    assert collect(job, timeout=0.0)[-1] == job.wait(0)
    assert job.n_watchers == 0


def test_a_job_that_does_not_end_is_an_error_that_shows_how_far_it_came(make_queue: MakeQueue) -> None:
    engine = ManualEngine()
    job = make_queue("unused", engine=engine).ensure_run(("a",))
    assert job is not None
    engine.start(job)
    events = [Progress()]
    text = f"{job} has not ended after 0.01 seconds; its events so far: {events}"
    with pytest.raises(TimeoutError, match=re.escape(text)):
        collect(job, timeout=0.01)
    assert job.n_watchers == 0
