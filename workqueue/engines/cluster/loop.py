"""4 cluster loop: the one thread of a process on which all that talks to NATS runs, an asyncio event loop.

It begins with the first use, and again after a fork: a child has none of its parent's threads. Observers never run on
it: one that blocks would stop the beats by which others know that this process lives.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from workqueue.system import forks

T = TypeVar("T")

logger = logging.getLogger("workqueue")


class Loop:
    """An event loop on a daemon thread. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below; held while the thread is started, so that it is one
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Idempotent.

        Raises:
            RuntimeError: the system has no thread to spare.
        """
        with self._lock:
            if self._thread is not None:
                return
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="workqueue-cluster", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                loop.close()
                raise
            self._loop, self._thread = loop, thread

    def do(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run this on the loop's thread; it must have begun."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, function: Callable[[], None]) -> None:
        """Call this on the loop's thread, soon; it must have begun."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(function)

    def is_current(self) -> bool:
        """Whether the caller is on the loop's thread."""
        return threading.current_thread() is self._thread


#: Of this process.
loop: Final = Loop()


def _renew_in_child() -> None:
    loop.__init__()  # type: ignore[misc]


forks.renew_in_child(_renew_in_child)
