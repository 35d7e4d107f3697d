"""Where a job stands, in words."""

import pytest

from workqueue.progress import Progress, failed, succeeded
from workqueue.terminal.words import clock, describe, percent, roughly


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(), "starting"),
        (Progress(n_ahead_in_queue=3), "waiting, 3 ahead in the queue"),
        (Progress(3, eta=0.0), "waiting, 3 ahead in the queue, starts in under 1 min"),
        (Progress(3, eta=50.0), "waiting, 3 ahead in the queue, starts in about 1 min"),
        (Progress(3, eta=7300.0), "waiting, 3 ahead in the queue, starts in about 2 h"),
        (Progress(fraction=0.1), "running"),
        (Progress(fraction=0.1, message="step"), "step"),
        (succeeded(), "built"),
        (failed("why"), "failed"),
    ],
)
def test_every_event_has_words(progress: Progress, words: str) -> None:
    assert describe(progress) == words


@pytest.mark.parametrize(
    ("fraction", "text"), [(0, "  0%"), (0.29, " 29%"), (0.999, " 99%"), (1.0, "100%"), (1e-9, "  0%")]
)
def test_a_percentage_is_rounded_down(fraction: float, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (67.9, "1:07"), (3599, "59:59"), (3600, "1:00:00"), (36061, "10:01:01")]
)
def test_a_time_is_shown_as_by_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "under 1 min"),
        (49.9, "under 1 min"),
        (50, "about 1 min"),
        (89, "about 1 min"),
        (90, "about 2 min"),
        (569, "about 9 min"),
        (570, "about 10 min"),
        (12 * 60, "about 10 min"),
        (12.5 * 60, "about 15 min"),
        (57 * 60, "about 55 min"),
        (58 * 60, "about 1 h"),
        (90 * 60, "about 2 h"),
        (100 * 3600, "about 100 h"),
    ],
)
def test_it_is_told_in_steps_that_a_person_would_name(seconds: float, text: str) -> None:
    assert roughly(seconds) == text
