"""3 outbox: events that any thread puts -> one writer of a subject at a time.

Whoever finds nobody emptying the outbox does so, with no lock held: events keep their order, and nobody waits for an
observer but the one who emits.
"""

import threading
from collections import deque

from workqueue.progress import Progress
from workqueue.streams.subject import Writer


class Outbox:
    """What a subject's observers are still to be told. Callable from any thread.

    Args:
        writer: of the subject, which is told each event, and completed after the one with a returncode.
    """

    def __init__(self, writer: Writer[Progress]) -> None:
        self._writer = writer
        #: Set once the observers were told the last event.
        self.is_done = threading.Event()
        self._lock = threading.Lock()  # guards all below
        self._events: deque[Progress] = deque()
        self._is_emitting = False

    def put(self, progress: Progress) -> None:
        """Add an event, the last; `emit` must follow, and no lock of the caller's be held then."""
        with self._lock:
            self._events.append(progress)

    def emit(self) -> None:
        """Empty it, unless another thread is at it: that one takes ours as well."""
        with self._lock:
            if self._is_emitting:
                return
            self._is_emitting = True
        try:
            while (progress := self._next()) is not None:
                self._tell(progress)
        except BaseException:
            # An interrupt can strike the main thread here, when it subscribes. The job's end may be in the outbox by
            # now, left to us by the thread that reported it.
            with self._lock:
                self._is_emitting = False
            self.emit()
            raise

    def _next(self) -> Progress | None:
        with self._lock:
            if self._events:
                return self._events.popleft()
            self._is_emitting = False
            return None

    def _tell(self, progress: Progress) -> None:
        try:
            self._writer.on_next(progress)
        finally:
            # An observer may raise an interrupt here too, and nobody comes again to say that the job has ended.
            if progress.returncode is not None:
                try:
                    self._writer.on_completed()
                finally:
                    self.is_done.set()
