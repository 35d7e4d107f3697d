"""interruption: the first Ctrl-C -> a flag, so that work in progress ends in order; the second one -> as usual."""

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """While its block runs, the first SIGINT only sets a flag.

    It only sets a flag, because a handler runs between any two lines of the main thread, which may hold the very lock
    that it takes to stop a program. Nothing changes in a thread that is not the main one, and in a process that ignores
    SIGINT, as nohup makes it.
    """

    def __init__(self) -> None:
        self.has_come = False
        self._previous: signal._HANDLER = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if previous not in {signal.SIG_IGN, None}:
                self._previous = previous
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        self.has_come = True
        self._restore()

    def _restore(self) -> None:
        previous, self._previous = self._previous, None
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
