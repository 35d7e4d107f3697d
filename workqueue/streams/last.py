"""6 last: an observable -> its last value, for a coroutine."""

from typing import TypeVar

from reactivex import Observable
from reactivex.internal.exceptions import SequenceContainsNoElementsError

from workqueue.streams.async_iter import to_async_iter
from workqueue.streams.on_loop import running_loop

T = TypeVar("T")


async def last_of(source: Observable[T]) -> T:
    """Wait for the end of a stream on the asyncio event loop that runs.

    Raises:
        SequenceContainsNoElementsError: reactivex's, for a stream that ends without a value.
        RuntimeError: no asyncio event loop runs here.
        Exception: the source's own, if it ended with one.
    """
    if running_loop() is None:
        raise RuntimeError(
            "await needs a running asyncio event loop. Elsewhere wait in a thread: call job.wait(), or on trio"
            " `await anyio.to_thread.run_sync(job.wait)`"
        )
    values: list[T] = []
    async with to_async_iter(source, heartbeat=None) as reader:
        async for value in reader:
            values[:] = (value,)
    if not values:
        raise SequenceContainsNoElementsError
    return values[0]
