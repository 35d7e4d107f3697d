"""How many ran and waited, out of when each did."""

import random

import pytest

from workqueue.web.dashboard.history import LENGTH, STEP, Span, history

#: In the middle of a step.
NOW = 1_000_000 * STEP + STEP / 2

#: Of the step that is now, and of those before it.
THIS, STEPS = -1, round(LENGTH / STEP)


def test_an_hour_in_which_nothing_was() -> None:
    seen = history([], NOW)
    assert seen.running == seen.waiting == [0] * STEPS
    assert seen.end - NOW == STEP / 2


def test_a_job_waits_and_then_runs() -> None:
    seen = history([Span(NOW - 3 * STEP, NOW - STEP, None)], NOW)
    assert seen.waiting[-5:] == [0, 1, 1, 1, 0]
    assert seen.running[-5:] == [0, 0, 0, 1, 1]


def test_a_job_that_was_there_for_a_moment_is_seen() -> None:
    seen = history([Span(NOW - 0.003, NOW - 0.002, NOW - 0.001)], NOW)
    assert (seen.waiting[THIS], seen.running[THIS]) == (1, 1)
    assert sum(n or 0 for n in seen.waiting + seen.running) == 2


def test_jobs_that_follow_one_another_are_not_counted_together() -> None:
    """At the moment at which one leaves and the next comes, there is one."""
    seen = history([Span(None, NOW - 2, NOW - 1), Span(None, NOW - 1, NOW)], NOW)
    assert seen.running[THIS] == 1


def test_a_job_that_ended_without_running_has_waited_until_then() -> None:
    seen = history([Span(NOW - 2 * STEP, None, NOW - STEP)], NOW)
    assert seen.waiting[-4:] == [0, 1, 1, 0]
    assert not any(seen.running)


def test_a_job_of_which_nobody_says_when_it_was_asked_for_is_not_counted_as_waiting() -> None:
    assert not any(history([Span(None, NOW - STEP, None), Span(None, None, None)], NOW).waiting)


def test_what_was_before_the_hour_counts_as_far_as_it_reaches_into_it() -> None:
    seen = history([Span(None, NOW - 2 * LENGTH, NOW - LENGTH + STEP), Span(None, NOW - 2 * LENGTH, NOW - LENGTH)], NOW)
    assert seen.running[:3] == [1, 0, 0]
    assert not any(history([Span(NOW - 3 * LENGTH, NOW - 2 * LENGTH, NOW - 1.5 * LENGTH)], NOW).running)


def test_what_is_not_known_is_none() -> None:
    seen = history([Span(None, NOW - STEP, None)], NOW, known_since=NOW - 10 * STEP)
    assert seen.running.count(None) == STEPS - 11
    assert seen.running[-3:] == [0, 1, 1]
    assert seen.waiting.count(None) == seen.running.count(None)


@pytest.mark.parametrize("span", [Span(NOW + 5, NOW + 9, NOW + 99), Span(NOW + 3 * STEP, None, None)])
def test_times_of_a_clock_that_was_set_back_do_no_harm(span: Span) -> None:
    seen = history([span, Span(NOW, NOW - 5, NOW - 9)], NOW)
    assert len(seen.running) == len(seen.waiting) == STEPS


@pytest.mark.parametrize("seed", range(20))
def test_it_is_as_a_look_at_each_moment_would_have_it(seed: int) -> None:
    """Beside a plain count at each moment at which something changes."""
    rng = random.Random(seed)
    spans = []
    for _ in range(60):
        # Quarters: sums are exact, and many are at one moment.
        queued = NOW - rng.randrange(4 * 7200) / 4
        began = queued + rng.randrange(4 * 900) / 4
        ended = began + rng.randrange(4 * 900) / 4
        has_begun, has_ended = began < NOW and rng.random() < 0.8, rng.random() < 0.7
        spans.append(Span(queued, began if has_begun else None, ended if has_ended and ended < NOW else None))
    seen = history(spans, NOW)
    start = seen.end - LENGTH
    moments = {time for span in spans for time in span if time is not None and start <= time < seen.end}
    for i in range(STEPS):
        begin = start + i * STEP
        # What was there until the very beginning of a step counts in it.
        before = [begin - 1 / 8] if i > 0 else []
        looks = [*before, begin, *(time for time in moments if begin <= time < begin + STEP)]
        assert seen.running[i] == max(sum(_runs(span, at) for span in spans) for at in looks), i
        assert seen.waiting[i] == max(sum(_waits(span, at) for span in spans) for at in looks), i


def _runs(span: Span, at: float) -> bool:
    return span.began_at is not None and span.began_at <= at and (span.ended_at is None or at < span.ended_at)


def _waits(span: Span, at: float) -> bool:
    until = span.ended_at if span.began_at is None else span.began_at
    return span.queued_at is not None and span.queued_at <= at and (until is None or at < until)
