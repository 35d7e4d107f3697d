"""6 blocking: an observable -> one thread that waits for the next value.

The wait under `to_generator` and under `to_callback` with a plain function.

Thread contract: one thread calls `read`; any thread may call `close`, also while `read` waits, and any thread feeds it.
"""

import threading
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SerialDisposable

from workqueue.streams.mailbox import Mailbox, Ring, Signal

T = TypeVar("T")


class BlockingReader(Generic[T]):
    """A subscription that one thread reads, newest values first kept.

    Args:
        source: subscribed to at the first `read`, not before.
        heartbeat: seconds of silence after which `read` returns the newest value again; None: never.
        buffer: how many unread values are kept at most.
    """

    def __init__(self, source: Observable[T], heartbeat: float | None, buffer: int) -> None:
        self._source = source
        self._heartbeat = heartbeat
        # Guards the ring. Its lock is reentrant: a garbage collection in a guarded line may close another reader.
        self._changed = threading.Condition()
        self._ring: Ring[T] = Ring()
        self._mailbox = Mailbox(self._ring, buffer)
        # Takes the subscription whenever it comes; disposed before, it disposes what comes.
        self._subscription = SerialDisposable()
        self._is_subscribed = False
        self._is_closed = False

    def read(self) -> T | Signal:
        """Wait for the next value, or for a heartbeat.

        Returns:
            The value, or `Signal.END` at the end of the stream and after `close`.

        Raises:
            Exception: the source's own, if it ended with one.
        """
        if not self._is_subscribed:
            self._is_subscribed = True
            self._subscription.disposable = self._subscribe()
        while True:
            with self._changed:
                has_news = self._changed.wait_for(lambda: self._mailbox.has_news, self._heartbeat)
                item = self._mailbox.take() if has_news else self._mailbox.latest()
                error = self._ring.error
                if self._is_closed:
                    return Signal.END
            if item is Signal.END and error is not None:
                raise error
            if item is not Signal.EMPTY:
                return item

    def close(self) -> None:
        """Unsubscribe, and end a `read` that waits. Idempotent."""
        self._subscription.dispose()
        self._is_closed = True
        self._end(None)

    def _subscribe(self) -> abc.DisposableBase:
        return self._source.subscribe(self._put, self._end, lambda: self._end(None))

    def _put(self, value: T) -> None:
        with self._changed:
            self._ring.put(value)
            self._changed.notify()

    def _end(self, error: Exception | None) -> None:
        with self._changed:
            if not self._ring.ended:
                self._ring.end(error)
            self._changed.notify()
