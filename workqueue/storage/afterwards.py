"""1 and 5 afterwards: what a storage does when something was published, once everybody knows that it is there.

To evict may take a while: a bucket of many is listed, and asked and told about each. Whoever waits for a job should not
wait for that. So an engine runs a job, and tells its end, inside `putting_off`; and a storage passes what can wait to
`afterwards`. Without an engine it is done at once.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Final

logger = logging.getLogger("workqueue")

_put_off: Final[ContextVar[list[Callable[[], None]] | None]] = ContextVar("workqueue_put_off", default=None)


def afterwards(call: Callable[[], None]) -> None:
    """Call this when the innermost `putting_off` of this thread, or greenlet, has ended; without one, now."""
    put_off = _put_off.get()
    if put_off is None:
        call()
    else:
        put_off.append(call)


@contextlib.contextmanager
def putting_off() -> Iterator[None]:
    """Do what comes to `afterwards` when the block has ended, in its order; nothing of it if the block raises.

    What such a call raises is logged.
    """
    calls: list[Callable[[], None]] = []
    token = _put_off.set(calls)
    try:
        yield
    finally:
        _put_off.reset(token)
    for call in calls:
        try:
            call()
        except Exception:
            logger.exception("exception in workqueue")
