"""4 local at_exit: the interpreter ends -> engines that nobody closed are closed.

An executor's threads are joined before functions of `atexit` are called, and they first do all that is queued: a
program that falls off its end would go on for as long as its queue is long. `threading` calls back before it joins, the
last registered first, and this module registers after `concurrent.futures` did.
"""

import concurrent.futures.thread  # noqa: F401 - registers first
import threading
import weakref
from typing import Protocol

from workqueue.system import forks


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Return when nothing of it runs any more."""
        ...


_open: "weakref.WeakSet[Closable]" = weakref.WeakSet()


def close_at_exit(engine: Closable) -> None:
    """Have this closed when the interpreter of this process ends, if it is still used by then. Idempotent."""
    _open.add(engine)


def _close_all() -> None:
    forks.check()
    for engine in list(_open):
        engine.close()


# A forked child has none of its parent's threads, so it would wait for ever for what they run.
forks.renew_in_child(_open.clear)

# Private, and the only hook at the right moment: the standard library's executors use it themselves.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # noqa: SLF001
