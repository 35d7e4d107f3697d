"""6 hub: one subscription per event loop and observable -> all of that loop's readers.

The writer's thread puts a value into the hub's ring and asks the loop once to wake the readers, however many they are
and however many values come before the loop gets to it. The loop wakes WAKE_AT_ONCE of them per turn, so that 10,000
readers do not stall everything else it serves.

Thread contract: `acquire`, `release`, `waiters` and what they touch belong to the loop's thread; `_put` and `_end` are
the writer's; the lock guards what both touch.
"""

import asyncio
import logging
import threading
from collections import deque
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from reactivex import Observable
from reactivex.disposable import SerialDisposable
from reactivex.scheduler import ImmediateScheduler
from reactivex.scheduler.eventloop import AsyncIOThreadSafeScheduler
from reactivex.subject import Subject

from workqueue.streams.doorbell import doorbell_of
from workqueue.streams.mailbox import END, Mailbox, Ring, Signal
from workqueue.streams.waiters import WAKE_AT_ONCE, Waiters

T = TypeVar("T")

logger = logging.getLogger("workqueue")


class Hub(Generic[T]):
    """All readers of one observable on one event loop; its ring holds at first as much as the first reader's buffer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, source: Observable[T], buffer: int = 1) -> None:
        self.loop = loop
        self.source = source
        self._doorbell = doorbell_of(loop)
        self._subscription = SerialDisposable()
        self.n_readers = 0
        # Loop's thread only. Readers hold their waiters; those that nobody needs any more vanish.
        self._waiters: WeakValueDictionary[float | None, Waiters] = WeakValueDictionary()
        self._to_wake: deque[asyncio.Future[bool]] = deque()
        # Guards _ring and _wake_is_due. Reentrant: a garbage collection in a guarded line may unsubscribe somebody.
        self._lock = threading.RLock()
        self._ring: Ring[T] = Ring(buffer)
        self._wake_is_due = False

    def open(self) -> None:
        """Subscribe; the source's history is in the ring when this returns."""
        # A subject calls on the writer's thread, at the cost of one call for all readers of this loop. What is composed
        # of one is told on the loop, so that its operators may use it; those that work with time take its timers, not
        # a thread each for each reader. The safe kind: an operator may change threads before one that works with time.
        is_subject = isinstance(self.source, Subject)
        scheduler = ImmediateScheduler.singleton() if is_subject else AsyncIOThreadSafeScheduler(self.loop)
        self._subscription.disposable = self.source.subscribe(self._put, self._end, self._end, scheduler=scheduler)

    def close(self) -> None:
        """Unsubscribe. Idempotent; on the loop's thread, or on any once the loop is closed."""
        self._subscription.dispose()
        for waiters in self._waiters.values():
            waiters.stop()

    def mailbox(self, buffer: int) -> Mailbox[T]:
        """A new reader's place in this hub's ring."""
        with self._lock:
            return Mailbox(self._ring, buffer)

    def take(self, mailbox: Mailbox[T]) -> T | Signal:
        """What this reader has not read yet; raises the source's error at its end."""
        with self._lock:
            item = mailbox.take()
        if item is END and self._ring.error is not None:
            raise self._ring.error
        return item

    def latest(self, mailbox: Mailbox[T]) -> T | Signal:
        """The newest value again, for a heartbeat."""
        with self._lock:
            return mailbox.latest()

    def waiters(self, patience: float | None) -> Waiters:
        """Where a reader of this patience waits, once it has found nothing to take.

        No value is missed between a `take` that found nothing and the wait: both are done in one turn of the loop, and
        a wake that is due by then comes in a later one.
        """
        waiters = self._waiters.get(patience)
        if waiters is None:
            waiters = self._waiters[patience] = Waiters(self.loop, patience)
        return waiters

    def _put(self, value: T) -> None:
        with self._lock:
            self._ring.put(value)
        self._ask_for_wake()

    def _end(self, error: Exception | None = None) -> None:
        with self._lock:
            self._ring.end(error)
        _forget(self)
        self._ask_for_wake()

    def _ask_for_wake(self) -> None:
        with self._lock:
            if self._wake_is_due:
                return
            self._wake_is_due = True
        try:
            self._doorbell.call_soon(self._wake_all)
        except RuntimeError:
            # The loop was closed with readers on it. Nobody is left to wake; the job must not suffer for it.
            self._subscription.dispose()
            _forget(self)
            logger.debug("an event loop was closed while it still read a stream of progress")

    def _wake_all(self) -> None:
        with self._lock:
            self._wake_is_due = False
        was_waking = bool(self._to_wake)
        for waiters in self._waiters.values():
            self._to_wake.extend(waiters.take_all())
        if not was_waking:
            self._wake_some()

    def _wake_some(self) -> None:
        for _ in range(min(WAKE_AT_ONCE, len(self._to_wake))):
            # As `settle` does, which would be a call more for each of thousands of readers.
            future = self._to_wake.popleft()
            if not future.done():
                future.set_result(True)
        if self._to_wake:
            self.loop.call_soon(self._wake_some)


# A hub holds its loop and its source, so their ids are theirs for as long as the hub is in here. A hub whose source
# has ended leaves; who comes later gets a new one, and the source's history.
_hubs: dict[tuple[int, int], Hub[Any]] = {}


def _key(loop: asyncio.AbstractEventLoop, source: Observable[Any]) -> tuple[int, int]:
    return id(loop), id(source)


def _forget(hub: Hub[Any]) -> None:
    # The writer's thread may do this while the loop's puts a newer hub in this place. Taking that one out by mistake
    # does no harm: its readers hold it, and the next reader makes another.
    key = _key(hub.loop, hub.source)
    if _hubs.get(key) is hub:
        _hubs.pop(key, None)


def acquire(source: Observable[T], buffer: int = 1) -> Hub[T]:
    """The running loop's hub of this source, subscribed, for one more reader."""
    loop = asyncio.get_running_loop()
    hub: Hub[T] | None = _hubs.get(_key(loop, source))
    if hub is None:
        hub = _hubs[_key(loop, source)] = Hub(loop, source, buffer)
        try:
            hub.open()
        except BaseException:
            # An interrupt: a hub that is not subscribed must not be found by the next reader.
            _forget(hub)
            raise
    hub.n_readers += 1
    return hub


def release(hub: Hub[Any]) -> None:
    """One reader fewer; the last one's leaving unsubscribes. Call it once for each `acquire`, on the loop's thread."""
    hub.n_readers -= 1
    if not hub.n_readers:
        _forget(hub)
        hub.close()


def release_from_any_thread(hub: Hub[Any]) -> None:
    """`release`, for a reader that was garbage collected."""
    try:
        hub.loop.call_soon_threadsafe(release, hub)
    except RuntimeError:  # the loop is closed: nobody shares the hub with us any more
        release(hub)
