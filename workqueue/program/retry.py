"""5 retry: a program that asks to be run later -> whether it is, and when; pure.

::

    exit 75     # EX_TEMPFAIL of sysexits(3): "try again later", as mail servers have it
"""

import math
from typing import Final, NamedTuple

from workqueue.progress import Progress

#: EX_TEMPFAIL of sysexits.h (BSD): a temporary failure, which is not really an error.
RETRY_LATER: Final = 75

#: How much of a line of stderr is told.
_SHOWN_CHARACTERS: Final = 200


class Retry(NamedTuple):
    """How often, and after which pause, a run is made again whose program exited with `RETRY_LATER`."""

    retries: int = 0
    """How many more runs there may be."""

    delay: float = 60.0
    """Seconds from the end of one to the earliest beginning of the next."""

    def wants_another(self, returncode: int | None, n_runs: int) -> bool:
        """Whether to run once more after `n_runs` runs, the last of which ended with this status."""
        return returncode == RETRY_LATER and n_runs <= self.retries


def why_it_waits(outcome: Progress) -> str:
    """What to tell of a job that is to run later: the last line of its program's stderr, if there is one."""
    _, _, stderr = (outcome.error or "").partition("\nstderr:\n")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reason = lines[-1][:_SHOWN_CHARACTERS] if lines else f"its program exited with status {RETRY_LATER}"
    return f"Waits to be run again: {reason}"


def check_retry(retry: Retry) -> None:
    """Refuse what can be no number of retries and no delay.

    Raises:
        ValueError: with the option and what it must be.
    """
    retries: object = retry.retries
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries must be a whole number, 0 or more; got {retry.retries!r}")
    if not 0 <= retry.delay < math.inf:
        raise ValueError(f"retry_delay must be a number of seconds, 0 or more; got {retry.delay!r}")
