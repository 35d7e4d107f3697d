"""6 async_iter: an observable -> an asynchronous iterator, for ASGI."""

import itertools
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, TypeVar

from reactivex import Observable

from workqueue.streams import hub as hubs
from workqueue.streams.mailbox import EMPTY, END, Mailbox
from workqueue.streams.options import DEFAULT_HEARTBEAT, check_options
from workqueue.streams.waiters import Waiters

T = TypeVar("T")

_ids = itertools.count()


def to_async_iter(
    source: Observable[T], heartbeat: float | None = DEFAULT_HEARTBEAT, buffer: int = 1
) -> "AsyncReader[T]":
    """Read a stream with `async for`, on the asyncio event loop that runs then.

    Subscribes at the first value asked for, and unsubscribes when it ends, is closed (`aclose`, or as an asynchronous
    context manager), is cancelled while it waits, or is garbage collected. It has no `__iter__`: frameworks that find
    both take the wrong one. Readers of one source on one loop share a subscription, so thousands are cheap.

    Args:
        source: any observable, such as `job.progress`. One that has ended gives its last values, then the end.
        heartbeat: seconds of silence after which the newest value comes once more; None: never.
        buffer: how many unread values are kept for a reader that is slower than the source; the newest stay.

    Raises:
        ValueError: at once, for a heartbeat or buffer that cannot work.
    """
    check_options(heartbeat, buffer)
    return AsyncReader(source, heartbeat, buffer)


class AsyncReader(AsyncIterator[T]):
    """What `to_async_iter` returns. Use it from one task at a time, on one loop."""

    # A class, not an asynchronous generator: one that is dropped unfinished is closed by its loop some turns later, or
    # never if the loop has ended. This lets go at once, wherever the last reference goes.

    __slots__ = (
        *("__weakref__", "_buffer", "_convert", "_heartbeat", "_id", "_is_closed", "_is_waiting", "_place", "_source"),
    )

    def __init__(
        self,
        source: Observable[Any],
        heartbeat: float | None,
        buffer: int,
        convert: Callable[[Any], T] | None = None,
    ) -> None:
        self._source = source
        # What each value becomes. Here, not in an iterator around this one, which would be a coroutine more.
        self._convert = convert
        self._heartbeat = heartbeat
        self._buffer = buffer
        self._id = next(_ids)
        self._place: tuple[hubs.Hub[Any], Mailbox[Any], Waiters] | None = None
        self._is_closed = False
        self._is_waiting = False

    # One coroutine, not three that call each other: 10,000 of them are made and resumed for each event.
    async def __anext__(self) -> T:
        if self._is_waiting:
            raise RuntimeError("another task is already waiting for this iterator; give each its own to_async_iter()")
        if self._is_closed:
            raise StopAsyncIteration
        hub, mailbox, waiters = self._place or self._enter()
        try:
            # A look without the lock, which would cost as much as the rest of the take: what comes at this moment wakes
            # this reader in a later turn.
            item = hub.take(mailbox) if mailbox.has_news else EMPTY
            while item is EMPTY:
                self._is_waiting = True
                has_news = await waiters.add(self._id)
                self._is_waiting = False
                if self._is_closed:
                    raise StopAsyncIteration
                item = hub.take(mailbox)
                if item is EMPTY and not has_news:
                    # Only now: news may have come since the time-out, and are not to be told twice or out of order.
                    item = hub.latest(mailbox)
            if item is END:
                raise StopAsyncIteration
        except BaseException:
            self._is_waiting = False
            self._close()
            raise
        return item if self._convert is None else self._convert(item)

    def _enter(self) -> tuple[hubs.Hub[Any], Mailbox[Any], Waiters]:
        hub = hubs.acquire(self._source, self._buffer)
        self._place = hub, hub.mailbox(self._buffer), hub.waiters(self._heartbeat)
        return self._place

    async def aclose(self) -> None:
        """Unsubscribe; the iterator has ended, also for a task that waits for it. Idempotent."""
        self._close()

    async def __aenter__(self) -> "AsyncReader[T]":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._is_closed = True
        place, self._place = self._place, None
        if place is not None:
            hub, _, waiters = place
            # A closed loop wakes nobody: it raises. Its tasks leave by this call, when they are collected as garbage.
            if not hub.loop.is_closed():
                waiters.wake(self._id)
            hubs.release(hub)

    def __del__(self) -> None:
        # Any thread may collect garbage, and a hub belongs to its loop's.
        place = getattr(self, "_place", None)
        if place is not None:
            hubs.release_from_any_thread(place[0])
