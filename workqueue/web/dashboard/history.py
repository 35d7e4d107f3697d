"""7 dashboard history: when each job waited and ran -> how many did at each moment of the last hour; pure.

Nothing is sampled: the times of the jobs that are there, and of those that have ended lately, say it all. So a page
that is opened shows the hour before, whichever process answers it.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

#: Seconds that the plots show.
LENGTH: Final = 3600.0

#: Seconds to which one number belongs.
STEP: Final = 30.0


class Span(NamedTuple):
    """The life of a job, in seconds since 1970."""

    queued_at: float | None
    """None: not known; then it is not counted as waiting."""

    began_at: float | None
    """None: it has not begun."""

    ended_at: float | None
    """None: it has not ended."""


class History(NamedTuple):
    """The greatest number in each `STEP`, the oldest first; None where it is not known."""

    end: float
    """The end of the last step: it is the step that is now."""

    step: float
    running: list[int | None]
    waiting: list[int | None]


def history(spans: Iterable[Span], now: float, known_since: float = 0.0) -> History:
    """How many ran and waited.

    Args:
        spans: of the jobs that are there, and of those that have ended.
        now: the time, in seconds since 1970.
        known_since: since when the jobs that ended are known.
    """
    end = (now // STEP + 1) * STEP
    start = end - LENGTH
    counts = [0, 0]
    # What was true as a step began counts in it, too.
    peaks: list[list[int]] = [[], []]
    for time, which, change in sorted(_changes(spans, start, end)):
        _fill(peaks, counts, time, start)
        counts[which] += change
        peaks[which][-1] = max(peaks[which][-1], counts[which])
    _fill(peaks, counts, end - STEP, start)
    n_unknown = max(0, int((known_since - start) // STEP))
    unknown: list[int | None] = [None] * n_unknown
    running, waiting = ([*unknown, *values[n_unknown:]] for values in peaks)
    return History(end, STEP, running, waiting)


_RUNNING, _WAITING = 0, 1


def _changes(spans: Iterable[Span], start: float, end: float) -> Iterator[tuple[float, int, int]]:
    """When the number that runs, or waits, becomes one more or less. At one moment, those that leave go first."""
    for queued_at, began_at, ended_at in spans:
        if queued_at is not None:
            yield from _stay(queued_at, ended_at if began_at is None else began_at, _WAITING, start, end)
        if began_at is not None:
            yield from _stay(began_at, ended_at, _RUNNING, start, end)


def _stay(begin: float, until: float | None, which: int, start: float, end: float) -> Iterator[tuple[float, int, int]]:
    # A clock that was set may have them the wrong way round, or in the future.
    if begin < end and (until is None or max(begin, start) < until):
        yield max(begin, start), which, 1
        if until is not None and until < end:
            yield until, which, -1


def _fill(peaks: list[list[int]], counts: list[int], time: float, start: float) -> None:
    """Begin all steps up to that of a time with what is true by now."""
    n_begun = int((time - start) // STEP) + 1
    for values, count in zip(peaks, counts, strict=True):
        values.extend([count] * (n_begun - len(values)))
