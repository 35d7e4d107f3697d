"""6 doorbell: calls that other threads ask for -> one event loop, which is woken once for however many.

A line of 20,000 jobs that moves has news for as many hubs of one loop. Waking a loop is a system call, at which the
writer's thread loses the interpreter to the loop's; once for each hub, that took most of the time until the last knew.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

#: As many in one turn of the loop, so that it serves others in between; as for readers, see `hub`.
CALLS_AT_ONCE: Final = 256

Call = Callable[[], None]


class Doorbell:
    """One event loop's; made on its thread by `doorbell_of`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()  # guards both below
        self._calls: deque[Call] = deque()
        self._is_rung = False

    def call_soon(self, call: Call) -> None:
        """Have the loop call this, in the order in which it was asked; it must not raise. Callable from any thread.

        Raises:
            RuntimeError: the loop is closed.
        """
        with self._lock:
            self._calls.append(call)
            # One that was closed before it came to the door says so to the next who ring.
            if self._is_rung and not self._loop.is_closed():
                return
            self._is_rung = True
        self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        with self._lock:
            calls = [self._calls.popleft() for _ in range(min(CALLS_AT_ONCE, len(self._calls)))]
            self._is_rung = bool(self._calls)
        if self._is_rung:
            self._loop.call_soon(self._answer)
        for call in calls:
            call()


# A doorbell holds its loop, so the id is the loop's for as long as the doorbell is in here; its users hold it.
_doorbells: "WeakValueDictionary[int, Doorbell]" = WeakValueDictionary()


def doorbell_of(loop: asyncio.AbstractEventLoop) -> Doorbell:
    """This loop's; called on its thread."""
    doorbell = _doorbells.get(id(loop))
    if doorbell is None:
        doorbell = _doorbells[id(loop)] = Doorbell(loop)
    return doorbell
