"""stock: the ReplaySubject of reactivex, and what one would write by hand to read it: a queue per client. A peer.

Its observer fills the queue, for asyncio by way of the loop. It keeps every value for a client that is slow, and has no
heartbeat and no end.
"""

import asyncio
import queue
from collections.abc import AsyncIterator, Generator
from typing import TypeVar

from reactivex import Observable

STOCK = "stock ReplaySubject"

T = TypeVar("T")


async def read(source: Observable[T]) -> AsyncIterator[T]:
    loop = asyncio.get_running_loop()
    values: asyncio.Queue[T] = asyncio.Queue()

    def put(value: T) -> None:
        loop.call_soon_threadsafe(values.put_nowait, value)

    subscription = source.subscribe(put)
    try:
        while True:
            yield await values.get()
    finally:
        subscription.dispose()


def generate(source: Observable[T]) -> Generator[T, None, None]:
    values: queue.SimpleQueue[T] = queue.SimpleQueue()
    subscription = source.subscribe(values.put)
    try:
        while True:
            yield values.get()
    finally:
        subscription.dispose()
