"""broadcast: what one would write by hand for asyncio: a queue per client, filled by the loop. A peer.

It keeps every value for a client that is slow, has no heartbeat and no end, and serves one event loop.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Broadcast(Generic[T]):
    """Made on the loop, with the value that a client is told first; any thread may publish."""

    def __init__(self, first: T) -> None:
        self._latest = first
        self._loop = asyncio.get_running_loop()
        self._queues: set[asyncio.Queue[T]] = set()

    @property
    def n_clients(self) -> int:
        return len(self._queues)

    def publish(self, value: T) -> None:
        self._loop.call_soon_threadsafe(self._put, value)

    async def read(self) -> AsyncIterator[T]:
        queue: asyncio.Queue[T] = asyncio.Queue()
        queue.put_nowait(self._latest)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)

    def _put(self, value: T) -> None:
        self._latest = value
        for queue in self._queues:
            queue.put_nowait(value)
