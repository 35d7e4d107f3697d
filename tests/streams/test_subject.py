import asyncio
import gc
import random
import threading

import pytest
from reactivex import abc
from reactivex import operators as ops
from reactivex.internal import DisposedException
from reactivex.subject import ReplaySubject

from tests.streams.conftest import Gate, Recorder, in_thread, join, run_together
from workqueue.streams.broadcast import DEFAULT_HISTORY
from workqueue.streams.subject import ProgressSubject


class Failing(Recorder):
    """Raises at one value, or at the end."""

    def __init__(self, at: object) -> None:
        super().__init__()
        self._at = at

    def on_next(self, value: object) -> None:
        super().on_next(value)
        if value == self._at:
            raise ValueError(f"at {value}")

    def on_completed(self) -> None:
        super().on_completed()
        if self._at == "end":
            raise ValueError("at the end")

    def on_error(self, error: Exception) -> None:
        super().on_error(error)
        if self._at == "end":
            raise ValueError("at the error")


def subject_of(*values: int, history: int = DEFAULT_HISTORY) -> ProgressSubject[int]:
    subject: ProgressSubject[int] = ProgressSubject(history)
    for value in values:
        subject.on_next(value)
    return subject


def watch(subject: ProgressSubject[int]) -> Recorder:
    recorder = Recorder()
    subject.subscribe(recorder)
    return recorder


# What it is


def test_it_is_a_replay_subject() -> None:
    assert isinstance(ProgressSubject(), ReplaySubject)


def test_operators_compose_with_pipe_and_fluently() -> None:
    subject = subject_of(1, 2)
    piped, fluent = Recorder(), Recorder()
    subject.pipe(ops.map(lambda value: value * 10)).subscribe(piped)
    subject.filter(lambda value: value > 1).subscribe(fluent)
    subject.on_next(3)
    subject.on_completed()
    assert (piped.values, piped.endings) == ([10, 20, 30], ["completed"])
    assert (fluent.values, fluent.endings) == ([2, 3], ["completed"])


def test_it_can_be_subscribed_to_another_observable() -> None:
    upstream, downstream = subject_of(1), subject_of()
    upstream.subscribe(downstream)
    upstream.on_next(2)
    upstream.on_completed()
    assert watch(downstream).values == [1, 2]


# Delivery and history


def test_live_observers_get_every_value_in_order_then_the_end_once() -> None:
    subject = subject_of()
    recorders = [watch(subject) for _ in range(3)]
    for value in range(5):
        subject.on_next(value)
    subject.on_completed()
    for recorder in recorders:
        assert (recorder.values, recorder.endings) == ([0, 1, 2, 3, 4], ["completed"])


def test_a_late_subscriber_gets_the_history_and_the_completion() -> None:
    subject = subject_of(1, 2, 3)
    subject.on_completed()
    late = watch(subject)
    assert (late.values, late.endings) == ([1, 2, 3], ["completed"])
    assert subject.n_observers == 0


def test_a_late_subscriber_gets_the_history_and_the_error() -> None:
    subject, error = subject_of(1), ValueError("boom")
    subject.on_error(error)
    late = watch(subject)
    assert (late.values, late.endings) == ([1], [error])
    assert subject.n_observers == 0


@pytest.mark.parametrize("history", [1, 3, 10])
def test_the_history_is_bounded_and_keeps_the_newest(history: int) -> None:
    subject = subject_of(*range(10), history=history)
    assert watch(subject).values == list(range(10))[-history:]


def test_the_default_history_is_bounded() -> None:
    assert len(watch(subject_of(*range(1000))).values) == DEFAULT_HISTORY


def test_on_next_after_the_end_is_ignored_by_live_and_late_observers() -> None:
    subject = subject_of(1)
    live = watch(subject)
    subject.on_completed()
    subject.on_next(2)
    assert live.values == watch(subject).values == [1]


@pytest.mark.parametrize("first", ["on_completed", "on_error"])
def test_the_first_ending_stays(first: str) -> None:
    subject, error = subject_of(), ValueError("boom")
    live = watch(subject)
    if first == "on_completed":
        subject.on_completed()
    subject.on_error(error)
    subject.on_completed()
    expected = ["completed"] if first == "on_completed" else [error]
    assert live.endings == watch(subject).endings == expected


def test_n_observers_counts_who_is_subscribed_now() -> None:
    subject = subject_of()
    handles = [subject.subscribe(Recorder()) for _ in range(3)]
    assert subject.n_observers == 3
    handles[1].dispose()
    handles[1].dispose()
    assert subject.n_observers == 2
    subject.on_completed()
    assert subject.n_observers == 0


def test_the_hook_runs_once_per_subscriber_after_it_is_registered_and_before_it_is_told() -> None:
    seen: list[tuple[int, list[int]]] = []
    recorder = Recorder()

    def on_subscribe() -> None:
        seen.append((subject.n_observers, list(recorder.values)))
        subject.on_next(2)

    subject: ProgressSubject[int] = ProgressSubject(on_subscribe=on_subscribe)
    subject.on_next(1)
    subject.subscribe(recorder)
    assert seen == [(1, [])]
    assert recorder.values == [1, 2]


def test_the_hook_does_not_run_after_the_end() -> None:
    calls: list[None] = []
    subject: ProgressSubject[int] = ProgressSubject(on_subscribe=lambda: calls.append(None))
    subject.on_completed()
    assert watch(subject).endings == ["completed"]
    assert calls == []


def test_a_hook_that_raises_tells_the_subscriber_and_leaves_no_observer() -> None:
    error = RuntimeError("can't start new thread")

    def on_subscribe() -> None:
        raise error

    subject: ProgressSubject[int] = ProgressSubject(on_subscribe=on_subscribe)
    assert watch(subject).endings == [error]
    assert subject.n_observers == 0


# Observers that misbehave


@pytest.mark.parametrize("at", [1, 2])
def test_an_observer_that_raises_on_next_is_dropped_and_siblings_get_everything(
    at: int, caplog: pytest.LogCaptureFixture
) -> None:
    subject = subject_of()
    before, bad = watch(subject), Failing(at)
    subject.subscribe(bad)
    after = watch(subject)
    for value in (1, 2, 3):
        subject.on_next(value)
    assert subject.n_observers == 2
    subject.on_completed()
    assert bad.values == [1, 2][:at]
    assert bad.endings == []
    for sibling in (before, after):
        assert (sibling.values, sibling.endings) == ([1, 2, 3], ["completed"])
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("workqueue", "ERROR", "an observer of progress raised, and is dropped")
    ]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize("ending", ["completed", "error"])
def test_an_observer_that_raises_at_the_end_is_logged_and_siblings_hear_of_the_end(
    ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    subject, error = subject_of(), ValueError("boom")
    before = watch(subject)
    subject.subscribe(Failing("end"))
    after = watch(subject)
    if ending == "error":
        subject.on_error(error)
    else:
        subject.on_completed()
    assert before.endings == after.endings == [error if ending == "error" else "completed"]
    assert [r.getMessage() for r in caplog.records] == ["an observer of progress raised at the end of the stream"]


def test_an_observer_without_on_error_does_not_harm_the_writer_or_its_siblings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject, error = subject_of(), ValueError("boom")
    subject.subscribe(lambda _: None)
    after = watch(subject)
    subject.on_error(error)
    assert after.endings == [error]
    assert len(caplog.records) == 1


def test_an_observer_that_raises_during_replay_is_dropped_and_subscribe_returns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject = subject_of(1, 2, 3)
    bad = Failing(2)
    handle = subject.subscribe(bad)
    subject.on_next(4)
    subject.on_completed()
    handle.dispose()
    assert (bad.values, bad.endings) == ([1, 2], [])
    assert subject.n_observers == 0
    assert [r.getMessage() for r in caplog.records] == ["an observer of progress raised, and is dropped"]


def test_an_observer_that_raises_at_the_replayed_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    subject = subject_of(1)
    subject.on_completed()
    subject.subscribe(Failing("end"))
    assert [r.getMessage() for r in caplog.records] == ["an observer of progress raised at the end of the stream"]


def test_an_interrupt_in_one_observer_reaches_the_writer_after_all_siblings_were_told() -> None:
    class Interrupted(Recorder):
        def on_next(self, value: object) -> None:
            raise KeyboardInterrupt

        def on_completed(self) -> None:
            raise KeyboardInterrupt

    subject = subject_of()
    before = watch(subject)
    subject.subscribe(Interrupted())
    after = watch(subject)
    with pytest.raises(KeyboardInterrupt):
        subject.on_next(1)
    with pytest.raises(KeyboardInterrupt):
        subject.on_completed()
    for sibling in (before, after):
        assert (sibling.values, sibling.endings) == ([1], ["completed"])


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_an_interrupt_in_the_main_thread_is_the_observers_own_in_a_writers(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Interrupted(Recorder):
        def on_next(self, value: object) -> None:
            super().on_next(value)
            if value == 2:
                raise kind

    class InterruptedAtTheEnd(Recorder):
        def on_completed(self) -> None:
            super().on_completed()
            raise kind

    subject = subject_of()
    before, bad, worse = watch(subject), Interrupted(), InterruptedAtTheEnd()
    subject.subscribe(bad)
    subject.subscribe(worse)
    after, raised = watch(subject), list[BaseException]()

    def write() -> None:
        try:
            for value in (1, 2, 3):
                subject.on_next(value)
            subject.on_completed()
        except BaseException as err:  # noqa: BLE001 - a writer must never see one
            raised.append(err)

    join(in_thread(write))
    assert raised == []
    assert (bad.values, bad.endings) == ([1, 2], [])
    assert worse.endings == ["completed"]
    for sibling in (before, after):
        assert (sibling.values, sibling.endings) == ([1, 2, 3], ["completed"])
    assert [record.getMessage() for record in caplog.records] == [
        "an observer of progress raised, and is dropped",
        "an observer of progress raised at the end of the stream",
    ]


def test_who_subscribes_in_any_thread_gets_the_interrupt_of_its_own_observer() -> None:
    class Interrupted(Recorder):
        def on_next(self, value: object) -> None:
            raise SystemExit

    subject, raised = subject_of(1), list[BaseException]()

    def subscribe() -> None:
        try:
            subject.subscribe(Interrupted())
        except SystemExit as err:
            raised.append(err)

    join(in_thread(subscribe))
    assert len(raised) == 1
    assert subject.n_observers == 0


def test_an_interrupt_during_replay_leaves_no_observer() -> None:
    class Interrupted(Recorder):
        def on_next(self, value: object) -> None:
            raise KeyboardInterrupt

    subject = subject_of(1)
    with pytest.raises(KeyboardInterrupt):
        subject.subscribe(Interrupted())
    assert subject.n_observers == 0


# Dispose


def test_dispose_inside_its_own_callback_stops_the_events() -> None:
    subject = subject_of()
    values: list[int] = []

    def on_next(value: int) -> None:
        values.append(value)
        handle.dispose()

    handle = subject.subscribe(on_next)
    sibling = watch(subject)
    subject.on_next(1)
    subject.on_next(2)
    assert values == [1]
    assert sibling.values == [1, 2]
    assert subject.n_observers == 1


def test_an_operator_that_has_enough_inside_the_replay_leaves_no_observer() -> None:
    subject, recorder = subject_of(1, 2, 3), Recorder()
    subject.pipe(ops.take(2)).subscribe(recorder)
    subject.on_next(4)
    assert (recorder.values, recorder.endings) == ([1, 2], ["completed"])
    assert subject.n_observers == 0


def test_dispose_of_the_subject_inside_a_replay_stops_the_replay() -> None:
    subject, values = subject_of(1, 2, 3), []

    def on_next(value: int) -> None:
        values.append(value)
        subject.dispose()

    subject.subscribe(on_next)
    assert values == [1]
    assert subject.n_observers == 0


def test_an_observer_disposed_by_another_thread_before_its_turn_is_not_told() -> None:
    subject, gate = subject_of(), Gate()
    subject.subscribe(lambda _: gate.stop_here())
    second = Recorder()
    handle = subject.subscribe(second)
    writer = in_thread(lambda: subject.on_next(1))
    gate.wait_until_reached()
    handle.dispose()
    gate.open()
    join(writer)
    assert second.values == []
    assert subject.n_observers == 1


@pytest.mark.parametrize("order", ["first in first out", "last in first out", "random"])
def test_disposing_ten_thousand_observers_in_any_order_leaves_none(order: str) -> None:
    subject = subject_of(1)
    handles = [subject.subscribe(lambda _: None) for _ in range(10_000)]
    assert subject.n_observers == 10_000
    if order == "last in first out":
        handles.reverse()
    elif order == "random":
        random.Random(1).shuffle(handles)
    for handle in handles:
        handle.dispose()
    assert subject.n_observers == 0


def test_a_disposed_subject_refuses_writers_and_tells_subscribers() -> None:
    subject = subject_of(1)
    live = watch(subject)
    subject.dispose()
    assert subject.n_observers == 0
    with pytest.raises(DisposedException):
        subject.on_next(2)
    with pytest.raises(DisposedException):
        subject.on_completed()
    with pytest.raises(DisposedException):
        subject.on_error(ValueError())
    late = watch(subject)
    assert [type(ending) for ending in late.endings] == [DisposedException]
    assert (live.values, live.endings) == ([1], [])


def test_garbage_collected_under_the_lock_a_reader_can_still_unsubscribe() -> None:
    class Leaver:
        def __init__(self) -> None:
            self.handle = subject.subscribe(lambda _: None)
            self.cycle = self

        def __del__(self) -> None:
            self.handle.dispose()

    subject = subject_of()
    Leaver()
    with subject.lock:
        gc.collect()
    assert subject.n_observers == 0


# Races, each pinned by a hook inside its window


def test_events_that_come_during_a_replay_follow_it_in_order_and_exactly_once() -> None:
    class Slow(Recorder):
        def on_next(self, value: object) -> None:
            if value == 1:
                gate.stop_here()
            super().on_next(value)

    subject, gate, slow = subject_of(0, 1, 2), Gate(), Slow()
    subscriber = in_thread(lambda: subject.subscribe(slow))
    gate.wait_until_reached()
    assert subject.n_observers == 1
    subject.on_next(3)
    subject.on_next(4)
    gate.open()
    join(subscriber)
    subject.on_next(5)
    subject.on_completed()
    assert (slow.values, slow.endings) == ([0, 1, 2, 3, 4, 5], ["completed"])


def test_a_replay_slower_than_the_writer_loses_the_oldest_and_never_the_last() -> None:
    class Slow(Recorder):
        def on_next(self, value: object) -> None:
            super().on_next(value)
            if len(self.values) == 1:
                gate.stop_here()

    subject, gate, slow = subject_of(0, 1, history=3), Gate(), Slow()
    subscriber = in_thread(lambda: subject.subscribe(slow))
    gate.wait_until_reached()
    for value in range(2, 10):
        subject.on_next(value)
    subject.on_completed()
    gate.open()
    join(subscriber)
    assert (slow.values, slow.endings) == ([0, 1, 7, 8, 9], ["completed"])
    assert subject.n_observers == 0


@pytest.mark.parametrize("ending", ["completed", "error"])
def test_the_end_that_comes_during_a_replay_follows_it_and_is_the_right_one(ending: str) -> None:
    class Slow(Recorder):
        def on_next(self, value: object) -> None:
            gate.stop_here()
            super().on_next(value)

    subject, gate, slow, error = subject_of(1), Gate(), Slow(), ValueError("boom")
    subscriber = in_thread(lambda: subject.subscribe(slow))
    gate.wait_until_reached()
    if ending == "error":
        subject.on_error(error)
    else:
        subject.on_completed()
    gate.open()
    join(subscriber)
    assert (slow.values, slow.endings) == ([1], [error if ending == "error" else "completed"])
    assert subject.n_observers == 0


def test_dispose_of_the_subject_during_a_replay_says_nothing_more() -> None:
    class Slow(Recorder):
        def on_next(self, value: object) -> None:
            gate.stop_here()
            super().on_next(value)

    subject, gate, slow = subject_of(1, 2), Gate(), Slow()
    subscriber = in_thread(lambda: subject.subscribe(slow))
    gate.wait_until_reached()
    subject.dispose()
    gate.open()
    join(subscriber)
    assert (slow.values, slow.endings) == ([1], [])
    assert subject.n_observers == 0


def test_who_registers_just_before_an_error_is_told_the_error() -> None:
    error = ValueError("boom")
    subject: ProgressSubject[int] = ProgressSubject(on_subscribe=lambda: subject.on_error(error))
    assert watch(subject).endings == [error]
    assert subject.n_observers == 0


def test_who_subscribes_while_others_are_being_told_of_an_error_is_told_the_error() -> None:
    subject, error, late = subject_of(), ValueError("boom"), Recorder()
    subject.subscribe(on_error=lambda _: subject.subscribe(late))
    subject.on_error(error)
    assert late.endings == [error]


def test_the_mark_of_the_end_and_its_error_appear_together_under_the_lock() -> None:
    class Watched:
        def __enter__(self) -> None:
            lock.acquire()
            seen.append((subject.is_stopped, subject.exception))

        def __exit__(self, *_: object) -> None:
            seen.append((subject.is_stopped, subject.exception))
            lock.release()

    subject, error = subject_of(), ValueError("boom")
    lock, seen = subject.lock, []
    subject.lock = Watched()  # type: ignore[assignment]
    subject.on_error(error)
    assert seen[:2] == [(False, None), (True, error)]


def test_subscribers_racing_an_error_never_see_a_completion() -> None:
    for _ in range(200):
        subject, error = subject_of(1), ValueError("boom")
        recorders = [Recorder() for _ in range(3)]
        run_together(
            lambda subject=subject, error=error: subject.on_error(error),
            *(lambda subject=subject, recorder=recorder: subject.subscribe(recorder) for recorder in recorders),
        )
        for recorder in recorders:
            assert (recorder.values, recorder.endings) == ([1], [error])
        assert subject.n_observers == 0


def test_subscribers_racing_the_writer_get_a_run_of_values_without_gap_or_repetition() -> None:
    subject = subject_of()
    n, recorders = 2_000, [Recorder() for _ in range(60)]
    half = threading.Event()

    def write() -> None:
        for value in range(n):
            subject.on_next(value)
            if value == 10:
                half.set()
        subject.on_completed()

    def subscribe(mine: list[Recorder]) -> None:
        half.wait()
        for recorder in mine:
            subject.subscribe(recorder)

    run_together(write, lambda: subscribe(recorders[:30]), lambda: subscribe(recorders[30:]))
    for recorder in recorders:
        # A replay that outlasts the history may lose what is oldest; nothing ever comes twice or out of order.
        assert recorder.values == sorted(set(recorder.values))
        assert recorder.values[-DEFAULT_HISTORY:] == list(range(n - DEFAULT_HISTORY, n))
        assert recorder.endings == ["completed"]
    assert subject.n_observers == 0


def test_emitting_from_within_a_callback_neither_deadlocks_nor_loses() -> None:
    subject, first = subject_of(), []

    def on_next(value: int) -> None:
        first.append(value)
        if value < 3:
            subject.on_next(value + 1)

    subject.subscribe(on_next)
    second = watch(subject)
    subject.on_next(1)
    assert first == [1, 2, 3]
    assert second.values == [1, 2, 3]
    assert watch(subject).values == [1, 2, 3]


@pytest.mark.parametrize("ending", ["on_completed", "on_error", "fail"])
def test_an_end_from_within_a_callback_comes_after_the_event_that_is_being_told(ending: str) -> None:
    subject, error = subject_of(), ValueError("boom")
    end = subject.on_completed if ending == "on_completed" else lambda: getattr(subject, ending)(error)
    subject.subscribe(lambda _: end(), lambda _: None)
    second = watch(subject)
    subject.on_next(1)
    assert second.values == [1]
    assert second.endings == ["completed" if ending == "on_completed" else error]


def test_a_second_writer_returns_at_once_and_its_event_is_told_next() -> None:
    subject, gate = subject_of(), Gate()
    subject.pipe(ops.take(1)).subscribe(lambda _: gate.stop_here())
    recorder = watch(subject)
    first = in_thread(lambda: subject.on_next(1))
    gate.wait_until_reached()
    subject.on_next(2)
    assert recorder.values == []
    gate.open()
    join(first)
    assert recorder.values == [1, 2]


def test_who_was_dropped_is_not_told_what_was_written_before_that() -> None:
    subject = subject_of()
    subject.subscribe(lambda value: subject.on_next(2) if value == 1 else None)
    bad = Failing(1)
    subject.subscribe(bad)
    subject.on_next(1)
    assert (bad.values, subject.n_observers) == ([1], 1)


def test_an_interrupt_between_two_events_leaves_neither_untold() -> None:
    class Interrupted(Recorder):
        def on_next(self, value: object) -> None:
            super().on_next(value)
            if value == 1:
                subject.on_next(2)
                raise KeyboardInterrupt

    subject = subject_of()
    subject.subscribe(Interrupted())
    sibling = watch(subject)
    with pytest.raises(KeyboardInterrupt):
        subject.on_next(1)
    subject.on_next(3)
    assert sibling.values == [1, 2, 3]


@pytest.mark.parametrize("history", [0, -1, None, 2.5, "64"])
def test_a_history_that_is_none_is_refused(history: object) -> None:
    with pytest.raises(ValueError, match="history must be how many past events a new observer is told, 1 or more"):
        ProgressSubject(history)  # type: ignore[arg-type]


def test_subscribing_from_within_a_callback_misses_and_repeats_nothing() -> None:
    subject, late = subject_of(), Recorder()
    subject.pipe(ops.take(1)).subscribe(lambda _: subject.subscribe(late))
    for value in (1, 2, 3):
        subject.on_next(value)
    assert late.values == [1, 2, 3]


def test_who_subscribes_within_a_callback_is_told_the_past_and_the_event_before_subscribe_returns() -> None:
    subject, seen = subject_of(1), list[list[int]]()

    def on_next(value: int) -> None:
        if value == 2:
            seen.append(watch(subject).values.copy())

    subject.subscribe(on_next)
    subject.on_next(2)
    assert seen == [[1, 2]]


# Beside the stock class


class Play:
    """A random course of events, in which observers do something to the subject while they are told.

    What each observer is told must not depend on which class the subject is of.
    """

    def __init__(self, subject: ReplaySubject[int], seed: int) -> None:
        self._subject = subject
        self._seed = seed
        self.logs: dict[str, list[object]] = {}
        self._handles: dict[str, abc.DisposableBase] = {}

    def run(self) -> "Play":
        dice = random.Random(self._seed)
        for step in range(dice.randint(3, 12)):
            match dice.choice(["write", "write", "subscribe", "subscribe", "dispose", "end"]):
                case "write":
                    self._subject.on_next(step)
                case "subscribe":
                    self._subscribe(str(step))
                case "dispose" if self._handles:
                    self._handles[dice.choice(list(self._handles))].dispose()
                case "end" if dice.random() < 0.3:
                    self._subject.on_completed()
        return self

    def _subscribe(self, name: str) -> None:
        log, dice = self.logs.setdefault(name, []), random.Random(f"{self._seed} {name}")
        at, act = dice.randint(0, 4), dice.choice(["subscribe", "write", "complete", "dispose", "nothing"])

        def on_next(value: int) -> None:
            log.append(value)
            if len(log) != at + 1:
                return
            if act == "subscribe" and name.count(".") < 2:
                self._subscribe(f"{name}.{at}")
            elif act == "write":
                self._subject.on_next(100 + at)
            elif act == "complete":
                self._subject.on_completed()
            # The stock class tells one that is subscribed within a callback later than that, so it has its handle.
            elif act == "dispose" and "." not in name and name in self._handles:
                self._handles[name].dispose()

        handle = self._subject.subscribe(on_next, on_completed=lambda: log.append("completed"))
        if "." not in name:
            self._handles[name] = handle


def test_each_observer_is_told_what_the_stock_class_tells_it() -> None:
    for seed in range(1000):
        history = seed % 4 + 1
        ours, stock = Play(ProgressSubject(history), seed).run(), Play(ReplaySubject(history), seed).run()
        assert ours.logs == stock.logs, seed
