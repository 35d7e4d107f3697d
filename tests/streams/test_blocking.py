import threading

import pytest
import reactivex

from tests.streams.conftest import PATIENCE, in_thread, join
from workqueue.streams.bell import Bell
from workqueue.streams.blocking import BlockingReader
from workqueue.streams.mailbox import Ring, Signal
from workqueue.streams.subject import ProgressSubject


class NoticedBell(Bell):
    """Says that a thread waits, or is about to: what rings it from then on is what it goes on by."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for = threading.Event()

    def wait(self, seconds: float | None) -> bool:
        self.is_waited_for.set()
        return super().wait(seconds)


def waiting_reader(source: ProgressSubject[int]) -> tuple[BlockingReader[int], threading.Thread, list[object]]:
    """A reader with a thread that is blocked in `read`, and the list where what it returns will be."""
    reader, results = BlockingReader(source, None, 1), []
    reader._bell = bell = NoticedBell()
    thread = in_thread(lambda: results.append(reader.read()))
    assert bell.is_waited_for.wait(PATIENCE)
    return reader, thread, results


def test_it_subscribes_at_the_first_read() -> None:
    subject = ProgressSubject[int]()
    reader = BlockingReader(subject, None, 1)
    assert subject.n_observers == 0
    subject.on_next(1)
    assert reader.read() == 1
    assert subject.n_observers == 1
    reader.close()
    assert subject.n_observers == 0


def test_a_value_wakes_a_read_that_waits() -> None:
    subject = ProgressSubject[int]()
    reader, thread, results = waiting_reader(subject)
    subject.on_next(1)
    join(thread)
    assert results == [1]
    reader.close()


def test_the_end_wakes_a_read_that_waits() -> None:
    subject = ProgressSubject[int]()
    _, thread, results = waiting_reader(subject)
    subject.on_completed()
    join(thread)
    assert results == [Signal.END]


def test_close_from_another_thread_ends_a_read_that_waits() -> None:
    subject = ProgressSubject[int]()
    reader, thread, results = waiting_reader(subject)
    reader.close()
    reader.close()
    join(thread)
    assert results == [Signal.END]
    assert subject.n_observers == 0


def test_after_close_nothing_is_read_not_even_what_was_there() -> None:
    subject = ProgressSubject[int]()
    reader = BlockingReader(subject, None, 2)
    for value in (1, 2):
        subject.on_next(value)
    assert reader.read() == 1
    reader.close()
    assert reader.read() is Signal.END


def test_a_reader_closed_before_its_first_read_keeps_no_subscription() -> None:
    subject = ProgressSubject[int]()
    reader = BlockingReader(subject, None, 1)
    reader.close()
    assert reader.read() is Signal.END
    assert subject.n_observers == 0


def test_the_source_s_error_is_raised_at_each_read_until_the_reader_is_closed() -> None:
    reader = BlockingReader(reactivex.throw(ValueError("boom")), None, 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            reader.read()
    reader.close()
    assert reader.read() is Signal.END


def test_a_silent_source_gives_the_newest_value_again_and_nothing_before_the_first() -> None:
    subject = ProgressSubject[int]()
    reader, n_waits = BlockingReader(subject, 0.001, 1), 0

    class EmitsAtTheSeventhWait(Bell):
        def wait(self, seconds: float | None) -> bool:
            nonlocal n_waits
            n_waits += 1
            if n_waits == 7:
                subject.on_next(1)
            return super().wait(seconds)

    reader._bell = EmitsAtTheSeventhWait()
    assert [reader.read() for _ in range(3)] == [1, 1, 1]
    assert n_waits >= 7
    reader.close()


def test_news_that_come_with_a_time_out_are_told_once_and_in_order() -> None:
    subject = ProgressSubject[int]()
    reader = BlockingReader(subject, 10.0, 1)

    class TimesOutAsNewsCome(Bell):
        def wait(self, seconds: float | None) -> bool:
            subject.on_next(2)
            return False

    subject.on_next(1)
    assert reader.read() == 1
    reader._bell = TimesOutAsNewsCome()
    assert reader.read() == 2
    reader._bell = NoticedBell()
    subject.on_completed()
    assert reader.read() is Signal.END


def test_a_collection_amid_a_put_may_close_the_reader_itself() -> None:
    """Its generator is garbage while the source's thread is in the reader."""
    subject = ProgressSubject[int]()
    reader = BlockingReader(subject, None, 1)
    subject.on_next(1)
    assert reader.read() == 1

    class CollectsInTheMidst(Ring[int]):
        def put(self, value: int) -> None:
            reader.close()

    reader._ring = CollectsInTheMidst()
    finished = in_thread(lambda: subject.on_next(2))
    join(finished)
    assert reader.read() is Signal.END
    assert subject.n_observers == 0
