"""6 blocking: an observable -> one thread that waits for the next value.

The wait under `to_generator` and under `to_callback` with a plain function.

Thread contract: one thread calls `read`; any thread may call `close`, also while `read` waits, and any thread feeds it.
"""

import threading
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SerialDisposable

from workqueue.streams.bell import Bell, give_way
from workqueue.streams.mailbox import EMPTY, END, Mailbox, Ring, Signal
from workqueue.streams.on_loop import directly

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
        self._bell = Bell()
        # Guards the ring. Reentrant: a garbage collection in a guarded line may close a reader, even this one.
        self._lock = threading.RLock()
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
        item = self._take()
        while item is EMPTY:
            was_rung = self._bell.wait(self._heartbeat)
            item = self._take()
            if item is EMPTY and not was_rung:
                # Only now: news may have come since the time-out, and are not to be told twice or out of order.
                item = self._latest()
        return item

    def close(self) -> None:
        """Unsubscribe, and end a `read` that waits. Idempotent."""
        self._subscription.dispose()
        self._is_closed = True
        self._bell.ring()

    def _subscribe(self) -> abc.DisposableBase:
        # The thread that reads may be an event loop's, as a notebook's is, which tells nobody anything while it waits.
        with directly():
            return self._source.subscribe(self._put, self._end, self._end)

    def _take(self) -> T | Signal:
        if self._is_closed:
            return END
        with self._lock:
            item = self._mailbox.take()
        if item is END and self._ring.error is not None:
            raise self._ring.error
        return item

    def _latest(self) -> T | Signal:
        with self._lock:
            return self._mailbox.latest()

    def _put(self, value: T) -> None:
        with self._lock:
            self._ring.put(value)
        self._wake()

    def _end(self, error: Exception | None = None) -> None:
        with self._lock:
            self._ring.end(error)
        self._wake()

    def _wake(self) -> None:
        if self._bell.ring():
            give_way()
