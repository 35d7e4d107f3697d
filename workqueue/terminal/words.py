"""words: where a job stands, and how long it takes, as a person reads it; pure."""

import math

from workqueue.progress import Progress


def describe(progress: Progress) -> str:
    """Where a job stands: its message, or what it does."""
    if progress.error is not None:
        return "failed"
    if progress.returncode is not None:
        return "built"
    if progress.n_ahead_in_queue:
        wait = "" if progress.eta is None else f", starts in {roughly(progress.eta)}"
        return f"waiting, {progress.n_ahead_in_queue} ahead in the queue{wait}"
    return progress.message or ("running" if progress.fraction else "starting")


def percent(fraction: float) -> str:
    """A fraction in [0, 1] -> four columns, such as `` 42%``. Rounded down: 100% is all of it."""
    return f"{math.floor(fraction * 100 + 1e-9):3}%"


def clock(seconds: float) -> str:
    """How long something has taken -> ``1:07``, or ``2:01:07``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def roughly(seconds: float) -> str:
    """About how long that is -> ``about 5 min``, in the steps of the browser's element.

    In steps, so that a line for each is not one a second.
    """
    if seconds < 50:
        return "under 1 min"
    minutes = _rounded(seconds / 60)
    if minutes < 10:
        return f"about {minutes} min"
    if minutes < 58:
        return f"about {_rounded(minutes / 5) * 5} min"
    return f"about {_rounded(minutes / 60)} h"


def _rounded(number: float) -> int:
    """Halves go up, as they do in the browser; `round` takes the even number."""
    return math.floor(number + 0.5)
