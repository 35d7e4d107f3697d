import itertools
import threading
from collections.abc import Callable

import pytest
from reactivex import abc
from reactivex.subject import ReplaySubject

from tests.conftest import IdleKeeper
from tests.streams.conftest import PATIENCE, Gate, Recorder, in_thread, join, run_together
from workqueue.errors import IllegalMove
from workqueue.jobs.job import Job
from workqueue.jobs.lifecycle import State
from workqueue.params import OverviewViewParams
from workqueue.progress import Cancelling, Progress, WaitsAgain, cancelled, failed, succeeded

KEY = "0123456789abcdef0123456789abcdef01234567"


class Receipt:
    """An engine's ticket; the test says what it answers."""

    def __init__(self, place: Callable[[], int] = lambda: 0) -> None:
        self.n_ahead = place
        self.n_cancels = 0

    def cancel(self, *, for_all: bool = True) -> None:
        self.n_cancels += 1


def make_job(
    on_watched: Callable[[Job], None] = lambda _: None,
    on_ended: Callable[[Job], None] = lambda _: None,
    on_cancel: Callable[[Job], None] = lambda _: None,
) -> Job:
    keeper = IdleKeeper()
    keeper.watched, keeper.ended, keeper.cancelled = on_watched, on_ended, on_cancel  # type: ignore[method-assign]
    return Job(("https://host", "1", "s3cret"), KEY, keeper)


def watch(job: Job) -> Recorder:
    recorder = Recorder()
    job.progress.subscribe(recorder)
    return recorder


def waits(n_ahead: int) -> Progress:
    return Progress(n_ahead_in_queue=n_ahead)


def runs(fraction: float) -> Progress:
    return Progress(fraction=fraction)


ENDS = {"success": succeeded(), "failure": failed("no")}


# One life, told in order


def test_a_new_job_is_pending_and_nothing_is_known_of_it() -> None:
    job = make_job()
    assert (job.params, job.key, job.state) == (("https://host", "1", "s3cret"), KEY, State.PENDING)
    assert job.current_progress == Progress()
    assert job.n_watchers == 0


def test_its_progress_is_a_replay_subject_always_the_same() -> None:
    job = make_job()
    assert isinstance(job.progress, ReplaySubject)
    assert job.progress is job.progress


def test_a_life_from_the_queue_to_success() -> None:
    job, ahead = make_job(), iter([2, 2, 1, 1, 0, 0])
    live = watch(job)
    job.attach(Receipt(lambda: next(ahead)))
    job.refresh_place()
    job.refresh_place()
    assert job.state is State.PENDING
    job.report(runs(0.0))
    assert job.state is State.RUNNING
    job.report(runs(0.5))
    job.report(succeeded())
    assert job.state is State.SUCCEEDED
    # That it runs is told as that nobody is ahead was.
    expected = [waits(2), waits(1), waits(0), runs(0.5), succeeded()]
    for recorder in (live, watch(job)):
        assert (recorder.values, recorder.endings) == (expected, ["completed"])
    assert job.n_watchers == 0


def test_what_a_program_says_twice_is_told_twice() -> None:
    job = make_job()
    live = watch(job)
    for _ in range(2):
        job.report(runs(0.5))
    assert live.values == [runs(0.5), runs(0.5)]


def test_a_failure_is_the_last_event_and_then_completion() -> None:
    job = make_job()
    live = watch(job)
    job.report(runs(0.5))
    job.report(failed("the disk is full"))
    assert job.state is State.FAILED
    for recorder in (live, watch(job)):
        assert recorder.values == [runs(0.5), failed("the disk is full")]
        assert recorder.endings == ["completed"]


@pytest.mark.parametrize("end", list(ENDS))
def test_a_pending_job_can_end_without_running(end: str) -> None:
    job = make_job()
    job.report(ENDS[end])
    assert watch(job).values == [ENDS[end]]
    assert job.wait(0) == job.current_progress == ENDS[end]


@pytest.mark.parametrize(("end", "more"), list(itertools.product(ENDS, [runs(0.5), *ENDS.values()])))
def test_nothing_can_be_reported_after_the_end(end: str, more: Progress) -> None:
    n_ended: list[Job] = []
    job = make_job(on_ended=n_ended.append)
    live = watch(job)
    job.report(ENDS[end])
    state = job.state
    with pytest.raises(IllegalMove):
        job.report(more)
    assert (live.values, live.endings) == ([ENDS[end]], ["completed"])
    assert (job.state, job.wait(0), len(n_ended)) == (state, ENDS[end], 1)


def test_the_repr_says_which_and_where_and_holds_no_parameter() -> None:
    job = make_job()
    assert repr(job) == f"<Job {KEY} pending>"
    job.report(failed("no"))
    assert repr(job) == f"<Job {KEY} failed>"


def test_whoever_subscribes_is_reported_to_the_owner() -> None:
    watched: list[Job] = []
    job = make_job(on_watched=watched.append)
    watch(job)
    watch(job)
    assert watched == [job, job]
    assert job.n_watchers == 2


# The place in the queue


def test_without_an_engine_there_is_no_place_to_tell() -> None:
    job = make_job()
    job.refresh_place()
    assert watch(job).values == []


def test_a_place_that_is_no_news_is_not_told_again() -> None:
    job = make_job()
    job.attach(Receipt(lambda: 3))
    for _ in range(5):
        job.refresh_place()
    assert watch(job).values == [waits(3)]


def test_the_current_progress_looks_up_the_place() -> None:
    job, ahead = make_job(), [3]
    job.attach(Receipt(lambda: ahead[0]))
    ahead[0] = 1
    assert job.current_progress == waits(1)


def test_a_job_that_runs_does_not_ask_for_its_place() -> None:
    job, asked = make_job(), []
    job.report(runs(0.1))

    def place() -> int:
        asked.append(None)
        return 3

    job.attach(Receipt(place))
    job.refresh_place()
    assert asked == []
    assert job.current_progress == runs(0.1)


def test_a_watcher_that_has_the_place_looked_up_gets_it() -> None:
    """The moment of subscription is where a queue tells places, from within `subscribe`."""
    ahead = [4]
    job = make_job(on_watched=lambda job: job.refresh_place())
    job.attach(Receipt(lambda: ahead[0]))
    ahead[0] = 2
    assert watch(job).values == [waits(4), waits(2)]


@pytest.mark.parametrize("report", [runs(0.1), succeeded(), failed("no")])
def test_a_place_looked_up_before_the_job_started_is_not_told_after(report: Progress) -> None:
    job = make_job()
    live = watch(job)

    def place() -> int:
        job.report(report)  # the engine is faster than the look
        return 3

    job.attach(Receipt(place))
    assert live.values == [report]
    assert job.current_progress == report


def test_of_two_threads_that_look_the_one_that_looked_first_does_not_have_the_last_word() -> None:
    job, gate, looks = make_job(), Gate(), iter([2, 1, 1, 1, 1])
    live = watch(job)

    def place() -> int:
        look = next(looks)
        if look == 2:
            gate.stop_here()
        return look

    first = in_thread(lambda: job.attach(Receipt(place)))
    gate.wait_until_reached()
    job.refresh_place()
    assert live.values == [waits(1)]
    gate.open()
    join(first)
    assert live.values == [waits(1), waits(2), waits(1)]


# Waiting


def test_wait_returns_the_last_event_to_a_thread_that_waits() -> None:
    job, results = make_job(), []
    waiter = in_thread(lambda: results.append(job.wait()))
    job.report(runs(0.5))
    job.report(succeeded())
    join(waiter)
    assert results == [succeeded()]


def test_wait_gives_up_after_its_timeout_and_the_job_goes_on() -> None:
    job = make_job()
    with pytest.raises(TimeoutError, match=f"the job {KEY} has not ended after 0.001 seconds"):
        job.wait(0.001)
    job.report(succeeded())
    assert job.wait(0) == succeeded()


def test_wait_returns_only_when_observers_were_told_of_the_end() -> None:
    job, gate = make_job(), Gate()
    told: list[str] = []

    def on_completed() -> None:
        gate.stop_here()
        told.append("the end")

    job.progress.subscribe(on_completed=on_completed)
    reporter = in_thread(lambda: job.report(succeeded()))
    gate.wait_until_reached()
    assert job.state is State.SUCCEEDED
    with pytest.raises(TimeoutError):
        job.wait(0)
    gate.open()
    assert job.wait(PATIENCE) == succeeded()
    assert told == ["the end"]
    join(reporter)


# The end: forget, then announce


@pytest.mark.parametrize("end", list(ENDS))
def test_the_owner_hears_of_the_end_before_anybody_is_told(end: str) -> None:
    order: list[object] = []

    def on_ended(job: Job) -> None:
        assert job.state.is_final
        assert live.values == [runs(0.1)]
        assert job.current_progress == runs(0.1)
        with pytest.raises(TimeoutError):
            job.wait(0)
        order.append("owner")

    job = make_job(on_ended=on_ended)
    live = watch(job)
    job.report(runs(0.1))
    job.progress.subscribe(order.append, on_completed=lambda: order.append("completed"))
    job.report(ENDS[end])
    assert order == [runs(0.1), "owner", ENDS[end], "completed"]


def test_the_owner_does_not_hear_of_what_is_no_end() -> None:
    ended: list[Job] = []
    job = make_job(on_ended=ended.append)
    job.report(runs(0.0))
    job.report(runs(1.0))
    assert ended == []


def test_who_is_told_of_a_failure_finds_the_owner_informed() -> None:
    ended: list[Job] = []
    seen: list[int] = []
    job = make_job(on_ended=ended.append)
    job.progress.subscribe(lambda progress: seen.append(len(ended)) if progress.returncode is not None else None)
    job.report(failed("no"))
    assert seen == [1]


# Who emits


def test_a_reporter_does_not_wait_for_the_observer_that_another_thread_is_telling() -> None:
    job, gate = make_job(), Gate()
    told: list[tuple[Progress, threading.Thread]] = []

    def on_next(progress: Progress) -> None:
        if not told:
            gate.stop_here()
        told.append((progress, threading.current_thread()))

    job.progress.subscribe(on_next)
    teller = in_thread(lambda: job.attach(Receipt(lambda: 2)))
    gate.wait_until_reached()
    job.report(runs(0.5))
    job.report(succeeded())  # returns while the observer is still held up
    assert told == []
    with pytest.raises(TimeoutError):
        job.wait(0)
    gate.open()
    join(teller)
    assert told == [(progress, teller) for progress in (waits(2), runs(0.5), succeeded())]
    assert job.wait(0) == succeeded()


def test_a_report_from_within_an_observer_keeps_the_order_for_all() -> None:
    job = make_job()

    def on_next(progress: Progress) -> None:
        if progress == runs(0.1):
            job.report(runs(0.2))
            job.report(succeeded())

    job.progress.subscribe(on_next)
    second = watch(job)
    job.report(runs(0.1))
    assert (second.values, second.endings) == ([runs(0.1), runs(0.2), succeeded()], ["completed"])


class Interrupted(abc.ObserverBase[Progress]):
    """Ctrl-C strikes while it is told of an event, or of the completion."""

    def __init__(self, at: Progress | None, before: Callable[[], None] = lambda: None) -> None:
        self._at = at
        self._before = before

    def on_next(self, value: Progress) -> None:
        if value == self._at:
            self._before()
            raise KeyboardInterrupt

    def on_completed(self) -> None:
        if self._at is None:
            raise KeyboardInterrupt

    def on_error(self, error: Exception) -> None:
        raise AssertionError("never called") from error


def test_an_interrupt_while_telling_a_place_does_not_lose_the_end_that_another_thread_left() -> None:
    job = make_job()
    job.progress.subscribe(Interrupted(waits(2), lambda: join(in_thread(lambda: job.report(succeeded())))))
    after = watch(job)
    with pytest.raises(KeyboardInterrupt):
        job.attach(Receipt(lambda: 2))
    assert (after.values, after.endings) == ([waits(2), succeeded()], ["completed"])
    assert job.wait(0) == succeeded()


def test_after_an_interrupt_the_job_goes_on() -> None:
    job = make_job()
    job.progress.subscribe(Interrupted(waits(2)))
    after = watch(job)
    with pytest.raises(KeyboardInterrupt):
        job.attach(Receipt(lambda: 2))
    job.report(succeeded())
    assert after.values == [waits(2), succeeded()]
    assert job.wait(0) == succeeded()


@pytest.mark.parametrize("at", [succeeded(), None], ids=["the last event", "the completion"])
def test_an_interrupt_while_telling_the_end_does_not_lose_it_for_the_others(at: Progress | None) -> None:
    job = make_job()
    before = watch(job)
    job.progress.subscribe(Interrupted(at))
    after = watch(job)
    with pytest.raises(KeyboardInterrupt):
        job.report(succeeded())
    for recorder in (before, after, watch(job)):
        assert (recorder.values, recorder.endings) == ([succeeded()], ["completed"])
    assert job.wait(0) == succeeded()


def test_observers_see_places_then_running_then_the_end_whoever_refreshes_meanwhile() -> None:
    for _ in range(100):
        job = make_job()
        places = itertools.chain([3, 2, 2, 1], itertools.repeat(0))
        lock = threading.Lock()

        def place(places: itertools.chain[int] = places, lock: threading.Lock = lock) -> int:
            with lock:
                return next(places)

        early, late = watch(job), Recorder()

        def refresh(job: Job = job) -> None:
            for _ in range(10):
                job.refresh_place()

        def report(job: Job = job) -> None:
            for fraction in (0.1, 0.2, 0.3):
                job.report(runs(fraction))
            job.report(succeeded())

        job.attach(Receipt(place))
        run_together(refresh, refresh, report, lambda job=job, late=late: job.progress.subscribe(late))
        assert job.wait(PATIENCE) == succeeded()
        for recorder in (early, late):
            stages = [1 if p.fraction == 0 else 2 if p.returncode is None else 3 for p in recorder.values]
            assert stages == sorted(stages)
            assert recorder.values[-4:] == [runs(0.1), runs(0.2), runs(0.3), succeeded()]
            assert recorder.endings == ["completed"]
            assert all(a != b for a, b in itertools.pairwise(recorder.values))


# Cancelling


def test_cancelling_takes_it_out_of_the_registry_before_its_engine_is_asked() -> None:
    calls: list[str] = []
    job, receipt = make_job(on_cancel=lambda _: calls.append("retired")), Receipt()
    receipt.cancel = lambda *, for_all=True: calls.append("stopped")  # type: ignore[method-assign]
    job.attach(receipt)
    assert job.cancel()
    assert calls == ["retired", "stopped"]
    assert job.state is State.CANCELLING


def test_cancelling_again_asks_nobody_again() -> None:
    retired: list[Job] = []
    job, receipt = make_job(on_cancel=retired.append), Receipt()
    job.attach(receipt)
    assert [job.cancel() for _ in range(3)] == [True] * 3
    assert (len(retired), receipt.n_cancels) == (1, 1)


def test_a_job_that_another_process_cancels_takes_no_joiners_and_is_stopped_by_its_engine_alone() -> None:
    retired: list[Job] = []
    job, receipt = make_job(on_cancel=retired.append), Receipt()
    job.report(Cancelling())
    job.attach(receipt)
    job.report(Cancelling())
    assert (job.state, job.join(), job.cancel()) == (State.CANCELLING, False, True)
    assert (retired, receipt.n_cancels) == ([job], 0)
    job.report(cancelled())
    assert job.state is State.CANCELLED


@pytest.mark.parametrize("end", [*ENDS.values(), cancelled()])
def test_that_it_is_cancelled_is_no_news_to_a_job_that_has_ended(end: Progress) -> None:
    retired: list[Job] = []
    job = make_job(on_cancel=retired.append)
    job.report(end)
    state = job.state
    job.report(Cancelling())
    assert (job.state, retired) == (state, [])


@pytest.mark.parametrize("end", [*ENDS.values(), cancelled()])
def test_a_job_being_cancelled_ends_as_its_engine_says(end: Progress) -> None:
    job = make_job()
    live = watch(job)
    job.report(Progress())
    job.cancel()
    job.report(runs(0.5))
    job.report(end)
    assert live.values[-2:] == [runs(0.5), end]
    assert job.state.is_final
    assert not job.cancel()


def test_a_job_cancelled_before_its_engine_has_answered_is_stopped_when_it_has() -> None:
    job, receipt = make_job(), Receipt()
    job.cancel()
    job.attach(receipt)
    assert receipt.n_cancels == 1


def test_a_job_being_cancelled_has_no_place_any_more() -> None:
    job = make_job()
    live = watch(job)
    job.attach(Receipt(lambda: 2))
    job.cancel()
    job.refresh_place()
    assert live.values == [waits(2)]


@pytest.mark.parametrize("has_begun", [False, True])
def test_it_may_be_cancelled_elsewhere(has_begun: bool) -> None:
    job = make_job()
    live = watch(job)
    if has_begun:
        job.report(Progress())
    job.report(cancelled())
    assert job.state is State.CANCELLED
    assert live.values[-1] == cancelled()


def test_what_ran_elsewhere_and_was_lost_waits_again_and_is_told_its_place() -> None:
    watched: list[Job] = []

    class Keeper(IdleKeeper):
        def watched(self, job: Job) -> None:
            watched.append(job)

    job = Job((), KEY, Keeper())
    job.report(Progress())
    assert watched == []
    job.report(WaitsAgain(2))
    assert job.state is State.PENDING
    assert watched == [job]
    assert job.current_progress == Progress(n_ahead_in_queue=2)
    job.report(Progress())
    assert job.state is State.RUNNING


def test_abandoning_stops_it_for_this_process_alone() -> None:
    asked: list[bool] = []
    job, receipt = make_job(), Receipt()
    receipt.cancel = lambda *, for_all=True: asked.append(for_all)  # type: ignore[method-assign]
    job.attach(receipt)
    assert job.abandon(job.n_visits)
    assert asked == [False]


def test_each_who_asks_subscribes_or_waits_is_a_visit() -> None:
    job = make_job()
    assert job.n_visits == 0
    assert job.join()
    watch(job)
    with pytest.raises(TimeoutError):
        job.wait(0)
    assert job.n_visits == 3
    job.cancel()
    assert not job.join()
    assert job.n_visits == 3


def test_who_waits_is_a_watcher_until_the_wait_has_ended() -> None:
    job = make_job()
    watchers: list[int] = []

    class Counting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            watchers.append(job.n_watchers)
            return super().wait(timeout)

    job._outbox.is_done = Counting()
    with pytest.raises(TimeoutError):
        job.wait(0)
    assert watchers == [1]
    assert job.n_watchers == 0


def test_the_keeper_is_told_of_each_step_once_and_in_order() -> None:
    told: list[str] = []

    class Keeper(IdleKeeper):
        def queued(self, job: Job) -> None:
            told.append("queued")

        def started(self, job: Job) -> None:
            told.append("started")

        def progressed(self, job: Job) -> None:
            told.append("progressed")

        def ended(self, job: Job) -> None:
            told.append("ended")

    job = Job((), KEY, Keeper())
    assert not job.was_queued
    job.enqueue()
    assert job.was_queued
    for report in (Progress(), runs(0.5), runs(0.6), succeeded()):
        job.report(report)
    assert told == ["queued", "started", "progressed", "progressed", "ended"]


# Snapshots


def test_a_snapshot_says_where_it_stands_and_hides_its_secrets() -> None:
    params = OverviewViewParams("https://host", "1", "s3cret")
    job = Job(params, KEY, IdleKeeper())
    assert job.snapshot()[:5] == (KEY, ("https://host", "1", "..."), State.PENDING, Progress(), 0)
    watch(job)
    job.report(Progress())
    job.report(runs(0.5))
    snapshot = job.snapshot()
    assert snapshot[2:5] == (State.RUNNING, runs(0.5), 1)
    job.report(failed("no"))
    ended = job.snapshot()
    assert ended[2:5] == (State.FAILED, failed("no"), 0)
    assert ended.wait_seconds == snapshot.wait_seconds
    assert ended.run_seconds == job.snapshot().run_seconds >= snapshot.run_seconds
    assert "s3cret" not in repr(ended)
