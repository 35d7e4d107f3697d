"""4 local at_exit: the interpreter ends -> engines that nobody closed are closed, which is said and bounded.

An executor's threads, a caller's own too, are joined before functions of `atexit` are called, and they first do all
that is queued: a program that falls off its end would go on for as long as its queue is long. `threading` calls back
before it joins, the last registered first, and this module registers after `concurrent.futures` did.
"""

import concurrent.futures.thread  # noqa: F401 - registers first
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol, runtime_checkable

from workqueue.system import forks
from workqueue.system.signals import Hurry

#: How late a second Ctrl-C may be noticed.
_LOOK_SECONDS: Final = 0.2

logger = logging.getLogger("workqueue")


@runtime_checkable
class Ending(Protocol):
    """What can be ended in two steps, so that somebody can be told in between. Callable from any thread."""

    exit_drain: float
    """Seconds that its programs are given when the interpreter ends."""

    def stop_taking(self) -> None:
        """Take no more tasks, and end those that wait. Idempotent."""
        ...

    def running(self) -> list[str]:
        """The name of each program that runs."""
        ...

    def wait_idle(self, timeout: float | None) -> bool:
        """Wait until no program runs; return whether none does."""
        ...

    def close(self, drain: float | None = None) -> None:
        """See `Engine.close`."""
        ...


#: Each with the process that uses it.
_open: "weakref.WeakKeyDictionary[Ending, int]" = weakref.WeakKeyDictionary()


def end_at_exit(engine: Ending) -> None:
    """Have this ended when the interpreter of this process ends, if it is still used by then. Idempotent."""
    _open[engine] = os.getpid()


def announce(engine: object, drain: float) -> None:
    """Have it take no more tasks, and say on the log what becomes of its programs; nothing if there are none.

    Args:
        engine: one that is not `Ending` is left to its `close`.
        drain: seconds that they are given.
    """
    if not isinstance(engine, Ending):
        return
    engine.stop_taking()
    names = engine.running()
    if not names:
        return
    n_programs = "1 running program" if len(names) == 1 else f"{len(names)} running programs"
    # No arguments: they may hold secrets.
    which = ", ".join(name if n == 1 else f"{n} x {name}" for name, n in sorted(Counter(names).items()))
    if drain > 0:
        how_long = f"up to {drain:g} s" if drain <= threading.TIMEOUT_MAX else "as long as it takes"
        logger.warning(
            "this process ends after %s (%s); it waits %s; press Ctrl-C (again) to stop that now",
            n_programs, which, how_long,
        )  # fmt: skip
    else:
        logger.warning(
            "this process ends, and stops %s (%s); WorkQueue(exit_drain=SECONDS) gives time to finish",
            n_programs, which,
        )  # fmt: skip


def _end_all() -> None:
    # A forked child has none of its parent's threads, so it would wait for ever for what they run, or stop it.
    forks.check()
    engines = [engine for engine, pid in list(_open.items()) if pid == os.getpid()]
    engines.sort(key=lambda engine: engine.exit_drain)
    began = time.monotonic()
    with Hurry() as hurry:
        for engine in engines:
            with _told_on_the_log():
                announce(engine, engine.exit_drain)
        for engine in engines:
            with _told_on_the_log():
                _wait(engine, began + engine.exit_drain, hurry)
            with _told_on_the_log():
                engine.close(0.0)


def _wait(engine: Ending, until: float, hurry: Hurry) -> None:
    """Wait until no program runs, until a moment of the monotonic clock, or until somebody is in a hurry."""
    while not hurry.is_asked_for and (left := until - time.monotonic()) > 0:
        if engine.wait_idle(min(left, _LOOK_SECONDS)):
            return


@contextlib.contextmanager
def _told_on_the_log() -> Iterator[None]:
    """One engine that cannot be ended does not keep others from it."""
    try:
        yield
    except Exception:
        logger.exception("exception in workqueue")


# Private, and the only hook at the right moment: the standard library's executors use it themselves.
threading._register_atexit(_end_all)  # type: ignore[attr-defined]  # noqa: SLF001
