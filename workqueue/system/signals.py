"""signals: SIGTERM or SIGINT -> a queue closed first, or closed faster; then the signal does what it would have done.

A handler runs between two lines of the main thread, which may hold any lock, and closing takes time: so a thread does
it. When that is done it sends the signal once more, and the handler hands that one to whom it found in its place.
"""

import _thread
import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final

logger = logging.getLogger("workqueue")

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class ClosingHandler:
    """A handler of signals that closes first. Made in the main thread.

    Args:
        close: closes the queue, given the seconds that running programs have; called by threads of their own.
        drain: what the first signal gives; a second one, of somebody in a hurry, gives 0.
    """

    def __init__(self, close: Callable[[float], None], drain: float) -> None:
        self._close = close
        self._drain = drain
        self._previous = {signum: signal.getsignal(signum) for signum in SIGNALS}
        self._is_closing = False
        self._is_closed = False

    def install(self) -> None:
        """Take the place of the handlers there are.

        Raises:
            ValueError: this is not the main thread.
        """
        for signum in SIGNALS:
            signal.signal(signum, self._handle)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self._is_closed:
            # Restored, and sent to ourselves: a previous "default" or "ignore" is no function that could be called.
            for number, handler in self._previous.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            os.kill(os.getpid(), signum)
            return
        seconds, self._is_closing = (0.0 if self._is_closing else self._drain), True
        # Not threading.Thread: its start() waits for the new thread, which under gevent a handler cannot.
        _thread.start_new_thread(self._finish, (signum, seconds))

    def _finish(self, signum: int, seconds: float) -> None:
        try:
            self._close(seconds)
        except Exception:
            logger.exception("exception in workqueue")
        if not self._is_closed:
            self._is_closed = True
            os.kill(os.getpid(), signum)


class Hurry:
    """While its block waits, the first SIGINT or SIGTERM is only noted: the block looks, and makes its wait shorter.

    A signal that the system handles, or that is ignored, goes on to be handled like that; so does the second one. In
    another thread than the main one the block just runs.
    """

    def __init__(self) -> None:
        #: Whether such a signal has come.
        self.is_asked_for = False
        self._previous: dict[int, Callable[[int, FrameType | None], object]] = {}

    def __enter__(self) -> "Hurry":
        if threading.current_thread() is threading.main_thread():
            self._install()
        return self

    def _install(self) -> None:
        for signum in SIGNALS:
            previous = signal.getsignal(signum)
            if callable(previous):
                try:
                    signal.signal(signum, self._handle)
                except ValueError:  # the main thread of a subinterpreter, which gets no signals
                    return
                self._previous[signum] = previous

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for signum, previous in self._previous.items():
            signal.signal(signum, previous)

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        # Not an exception, which could strike while the main thread takes a lock that whoever ends a program needs. Nor
        # a thread that hurries: an interpreter that ends starts none (3.12).
        for signum in self._previous:
            signal.signal(signum, signal.SIG_DFL)
        self.is_asked_for = True
