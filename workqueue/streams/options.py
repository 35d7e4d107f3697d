"""6 options: those of adapters and subjects, checked where they are given rather than at the first event."""

import threading
from typing import Final

#: Below the 30 to 60 s after which proxies and load balancers cut a silent stream, with room for two.
DEFAULT_HEARTBEAT: Final = 10.0


def check_options(heartbeat: float | None, buffer: int) -> None:
    """Refuse options that cannot work.

    Raises:
        ValueError: with the option and what it must be.
    """
    if heartbeat is not None and not 0 < heartbeat < threading.TIMEOUT_MAX:
        raise ValueError(f"heartbeat must be a number of seconds above 0, or None for none; got {heartbeat!r}")
    if buffer < 1:
        raise ValueError(f"buffer must be 1 or more unread values; got {buffer!r}")


def check_history(history: object) -> None:
    """Refuse a history that is no number of events.

    Not 0: a reader that comes late would never learn where things stand. Not None, which is "all" to the stock class: a
    program may print for days.

    Raises:
        ValueError: with what it must be.
    """
    if not isinstance(history, int) or history < 1:
        raise ValueError(f"history must be how many past events a new observer is told, 1 or more; got {history!r}")
