"""worker_thread: one thread that serves many: there while there is something to do, and ended by nothing else.

What a turn raises must not cost all others the thread: an observer may raise SystemExit, a library's timeout or
CancelledError in it, and a disk may fail one read. So whatever a turn raises is logged, and the next turn comes. The
thread ends when a turn says that nothing is left.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

#: What `join` waits at most. A thread of ours takes milliseconds to end, a second or two on a machine that does too
#: much, and for ever if a function of a user's blocks it.
JOIN_SECONDS: Final = 5.0

#: Before the next turn, after one, two, ... turns in a row that raised. What fails once costs no time; what always
#: fails costs no core.
_PAUSES: Final = (0.0, 0.01, 0.1, 1.0)

logger = logging.getLogger("workqueue")


class WorkerThread:
    """A thread that takes turns. Callable from any thread.

    For example, with work that other threads append to a list::

        worker = WorkerThread("workqueue-example", turn)  # turn() does one thing, and returns whether there was one
        work.append(thing)
        worker.start()

    Args:
        name: the thread's name.
        turn: does the next thing there is to do, and may wait for it; called by the thread alone. It returns False
            when it found nothing left to do. Then the thread ends, unless `start` was called since the turn began.
    """

    def __init__(self, name: str, turn: Callable[[], bool]) -> None:
        self._name = name
        self._turn = turn
        self._lock = threading.Lock()  # guards all below; held while a thread is started, so that it is one
        self._thread: threading.Thread | None = None
        self._is_serving = False
        self._is_asked = False

    def start(self) -> None:
        """See to it that one more turn begins, on the thread that runs or on a new one. Idempotent.

        Raises:
            RuntimeError: there is no thread, and the system has none to spare.
        """
        with self._lock:
            self._is_asked = True
            # It may have ended without leaving, if the logging of an exception raised another one.
            if not self._is_serving or self._thread is None or not self._thread.is_alive():
                self._begin()

    def join(self, seconds: float = JOIN_SECONDS) -> None:
        """Wait until the thread has ended, when there is nothing left for it to do.

        It does not wait if the thread itself calls it, as somebody's observer.

        Args:
            seconds: how long at most.
        """
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def is_current(self) -> bool:
        """Whether the caller is called by this thread."""
        return threading.current_thread() is self._thread

    def _begin(self) -> None:
        # A daemon: a function of a user's that blocks it must not keep the interpreter from ending.
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._is_serving = False
        thread.start()
        self._is_serving = True
        self._thread = thread

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            self._replace()

    def _serve(self) -> None:
        n_failures = 0
        while True:
            with self._lock:
                self._is_asked = False
            try:
                if not self._turn() and self._leave():
                    return
                n_failures = 0
            except BaseException:
                logger.exception("the thread %s goes on after an exception", self._name)
                time.sleep(_PAUSES[min(n_failures, len(_PAUSES) - 1)])
                n_failures += 1

    def _leave(self) -> bool:
        """Whether nobody has called `start` since the turn began; then this thread ends."""
        with self._lock:
            self._is_serving = self._is_asked
            return not self._is_asked

    def _replace(self) -> None:
        """If this thread ends though it did not leave, start another one."""
        with self._lock:
            if self._is_serving and self._thread is threading.current_thread():
                try:
                    self._begin()
                except RuntimeError:  # the next `start` tries again
                    logger.warning("the thread %s has ended, and no other can be started now", self._name)
