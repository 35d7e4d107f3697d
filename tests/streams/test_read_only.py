"""A stream as its readers have it: nothing that one of them does ends it for the others."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex.subject import ReplaySubject

from tests.streams.conftest import Recorder
from workqueue.streams.subject import ReadOnlySubject, Writer


def enter(subject: ReadOnlySubject[int]) -> None:
    with subject as progress:
        progress.subscribe(print)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("on_next", lambda subject: subject.on_next(1)),
        ("on_completed", lambda subject: subject.on_completed()),
        ("on_error", lambda subject: subject.on_error(ValueError("boom"))),
        ("on_error", lambda subject: subject.as_observer().on_error(ValueError("boom"))),
        ("fail", lambda subject: subject.fail(ValueError("boom"))),
        ("dispose", lambda subject: subject.dispose()),
        ("a with block", enter),
        ("on_next", lambda subject: reactivex.just(1).subscribe(subject)),
        ("on_completed", lambda subject: reactivex.empty().subscribe(subject)),
    ],
    ids=range(9),
)
def test_a_reader_that_writes_is_told_what_to_do_and_ends_nothing(
    name: str, write: Callable[[ReadOnlySubject[int]], Any]
) -> None:
    writer, recorder = Writer[int](), Recorder()
    writer.subject.subscribe(recorder)
    writer.on_next(1)
    with pytest.raises(TypeError, match=re.escape(f"this stream is for reading, and {name} would change or end it")):
        write(writer.subject)
    writer.on_next(2)
    writer.on_completed()
    assert (recorder.values, recorder.endings) == ([1, 2], ["completed"])


def test_it_is_a_replay_subject_that_composes() -> None:
    writer, recorder = Writer[int](history=1), Recorder()
    assert isinstance(writer.subject, ReplaySubject)
    writer.on_next(1)
    writer.on_next(2)
    with writer.subject.map(lambda value: value * 10).subscribe(recorder):
        writer.on_next(3)
    writer.on_next(4)
    assert recorder.values == [20, 30]
    assert writer.subject.n_observers == 0
