import gc
import itertools
import threading

import pytest
import reactivex
from reactivex import operators as ops

from tests.streams.conftest import PATIENCE, finished, in_thread, join, run_together, subject_of
from workqueue.streams import to_generator
from workqueue.streams.bell import Bell


def test_it_subscribes_at_the_first_next_and_not_before() -> None:
    subject = subject_of(1)
    generator = to_generator(subject)
    assert subject.n_observers == 0
    assert next(generator) == 1
    assert subject.n_observers == 1
    generator.close()


def test_it_yields_values_as_they_come_and_ends_with_the_source() -> None:
    subject = subject_of()
    received, told = [], threading.Semaphore(0)

    def read() -> None:
        for value in to_generator(subject):
            received.append(value)
            told.release()

    reader = in_thread(read)
    for value in range(5):
        subject.on_next(value)
        assert told.acquire(timeout=PATIENCE)
    subject.on_completed()
    join(reader)
    assert received == [0, 1, 2, 3, 4]
    assert subject.n_observers == 0


def test_a_finished_source_gives_its_last_value_and_ends() -> None:
    assert list(to_generator(finished(1, 2, 3))) == [3]


def test_a_finished_source_without_a_value_just_ends() -> None:
    assert list(to_generator(finished())) == []


@pytest.mark.parametrize("buffer", [1, 2, 3, 5, 100])
def test_a_buffer_of_n_gives_the_newest_n_of_what_is_unread(buffer: int) -> None:
    assert list(to_generator(finished(*range(5)), buffer=buffer)) == list(range(5))[-buffer:]


def test_a_reader_slower_than_the_source_gets_the_latest_and_the_end() -> None:
    subject = subject_of(0)
    generator = to_generator(subject)
    assert next(generator) == 0
    for value in range(1, 100):
        subject.on_next(value)
    assert next(generator) == 99
    subject.on_next(100)
    subject.on_completed()
    assert list(generator) == [100]


def test_it_reads_any_observable() -> None:
    assert list(to_generator(reactivex.of(1, 2, 3), buffer=3)) == [1, 2, 3]
    assert list(to_generator(finished(1, 2).pipe(ops.map(lambda value: value * 10)), buffer=2)) == [10, 20]


def test_two_generators_of_one_source_are_independent() -> None:
    subject = subject_of(1)
    first, second = to_generator(subject), to_generator(subject)
    assert next(first) == 1
    subject.on_next(2)
    assert [next(first), next(second)] == [2, 2]
    first.close()
    subject.on_next(3)
    assert next(second) == 3
    second.close()


def test_a_heartbeat_repeats_the_latest_value() -> None:
    generator = to_generator(subject_of(1, 2), heartbeat=0.01)
    assert list(itertools.islice(generator, 4)) == [2, 2, 2, 2]
    generator.close()


def test_there_is_no_heartbeat_before_the_first_value() -> None:
    n_waits = 0

    class EndsAtTheFifthWait(Bell):
        def wait(self, seconds: float | None) -> bool:
            nonlocal n_waits
            n_waits += 1
            if n_waits == 5:
                subject.on_completed()
            return super().wait(seconds)

    subject = subject_of()
    generator = to_generator(subject, heartbeat=0.001)
    generator.gi_frame.f_locals["reader"]._bell = EndsAtTheFifthWait()
    assert list(generator) == []
    assert n_waits == 5


def test_a_heartbeat_follows_the_value_that_came_meanwhile() -> None:
    subject = subject_of(1)
    generator = to_generator(subject, heartbeat=0.01)
    assert list(itertools.islice(generator, 2)) == [1, 1]
    subject.on_next(2)
    assert list(itertools.islice(generator, 2)) == [2, 2]
    generator.close()


def test_the_last_value_is_not_repeated_once_the_source_has_ended() -> None:
    assert list(to_generator(finished(1), heartbeat=1e-9)) == [1]


def test_close_unsubscribes_and_ends_it() -> None:
    subject = subject_of(1)
    generator = to_generator(subject)
    next(generator)
    generator.close()
    assert subject.n_observers == 0
    assert list(generator) == []


def test_close_before_the_first_next_never_subscribes() -> None:
    subject = subject_of(1)
    generator = to_generator(subject)
    generator.close()
    assert list(generator) == []
    assert subject.n_observers == 0


def test_a_break_and_a_forgotten_generator_unsubscribe() -> None:
    subject = subject_of(1)
    for _ in to_generator(subject):
        break
    gc.collect()
    assert subject.n_observers == 0


def test_an_exception_thrown_into_it_unsubscribes() -> None:
    subject = subject_of(1)
    generator = to_generator(subject)
    assert next(generator) == 1
    with pytest.raises(ZeroDivisionError):
        generator.throw(ZeroDivisionError())
    assert subject.n_observers == 0


def test_garbage_collected_by_another_thread_it_unsubscribes() -> None:
    subject = subject_of(1)

    def abandon() -> None:
        cycle: list[object] = [to_generator(subject)]
        cycle.append(cycle)
        next(cycle[0])  # type: ignore[call-overload]

    gc.disable()
    try:
        join(in_thread(abandon))
        assert subject.n_observers == 1
        gc.collect()
    finally:
        gc.enable()
    assert subject.n_observers == 0


def test_garbage_collected_in_the_middle_of_an_event_it_unsubscribes() -> None:
    """The collection runs in the writer's thread, with the subject's and another reader's locks held."""
    subject = subject_of(1)
    sibling = to_generator(subject)
    next(sibling)
    reader = sibling.gi_frame.f_locals["reader"]
    gc.disable()
    try:
        cycle: list[object] = [to_generator(subject)]
        cycle.append(cycle)
        next(cycle[0])  # type: ignore[call-overload]
        del cycle
        with subject.lock, reader._lock:
            gc.collect()
    finally:
        gc.enable()
    assert subject.n_observers == 1
    subject.on_next(2)
    assert next(sibling) == 2
    sibling.close()


def test_it_raises_what_the_source_ended_with_after_its_last_value() -> None:
    subject = subject_of(1)
    subject.on_error(ValueError("boom"))
    generator = to_generator(subject)
    assert next(generator) == 1
    with pytest.raises(ValueError, match="boom"):
        next(generator)
    assert list(generator) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"heartbeat": 0}, "heartbeat must be a number of seconds above 0, or None for none; got 0"),
        ({"heartbeat": -1.5}, "heartbeat must be .* got -1.5"),
        ({"heartbeat": float("nan")}, "heartbeat must be .* got nan"),
        ({"buffer": 0}, "buffer must be 1 or more unread values; got 0"),
        ({"buffer": -1}, "buffer must be .* got -1"),
    ],
)
def test_options_that_cannot_work_raise_at_the_call(options: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        to_generator(subject_of(1), **options)  # type: ignore[arg-type]


def test_no_heartbeat_is_an_option() -> None:
    assert list(to_generator(finished(1), heartbeat=None)) == [1]


def test_it_is_no_asynchronous_iterator() -> None:
    assert not hasattr(to_generator(subject_of()), "__aiter__")


def test_a_thousand_readers_in_threads_that_come_read_a_little_and_go_leave_no_subscription() -> None:
    subject = subject_of(0)
    is_over = threading.Event()

    def write() -> None:
        for value in itertools.count(1):
            subject.on_next(value)
            if is_over.is_set():
                return

    def read(n_readers: int) -> None:
        for _ in range(n_readers):
            generator = to_generator(subject)
            values = list(itertools.islice(generator, 3))
            generator.close()
            assert values == sorted(set(values))

    writer = in_thread(write)
    run_together(*[lambda: read(50)] * 20)
    is_over.set()
    join(writer)
    assert subject.n_observers == 0


def test_a_hundred_waiting_threads_all_get_the_last_value_and_the_end() -> None:
    subject = subject_of(0)
    has_begun = threading.Semaphore(0)

    def read() -> list[int]:
        values = []
        for value in to_generator(subject):
            values.append(value)
            if value == 0:
                has_begun.release()
        return values

    def write() -> None:
        for _ in range(100):
            assert has_begun.acquire(timeout=PATIENCE)
        for value in range(1, 50):
            subject.on_next(value)
        subject.on_completed()

    *results, _ = run_together(*[read] * 100, write)
    for values in results:
        assert values == sorted(set(values))
        assert (values[0], values[-1]) == (0, 49)
    assert subject.n_observers == 0
