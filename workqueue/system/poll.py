"""poll: wait for descriptors, by poll(2), or by select(2) where a library has taken `select.poll` away (eventlet does).

What it leaves in place of `select.select` lets other greenlets go on meanwhile.
"""

import select
from typing import Protocol


class Poll(Protocol):
    """Descriptors to read from. Used by one thread."""

    def register(self, fd: int, /) -> object:
        """Wait for this one too: for something to read, an end or an error."""
        ...

    def unregister(self, fd: int, /) -> object:
        """Wait for it no more; it is still open.

        Raises:
            KeyError: it was not registered.
        """
        ...

    def poll(self, milliseconds: float | None = None, /) -> list[tuple[int, int]]:
        """Wait until one is ready, or for this long, for ever if None; return the ready ones, each with a number.

        What the number says differs from one way to wait to the other: read, and see.
        """
        ...


def make_poll() -> Poll:
    """The best there is."""
    # Looked for each time: a monkey patch may come after this module.
    if hasattr(select, "poll"):
        return _Reads()
    return _Select()


class _Reads:
    """`select.poll`, told to look for what can be read alone; by default it returns at once for what can be written."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self.unregister = self._poll.unregister
        self.poll = self._poll.poll

    def register(self, fd: int, /) -> None:
        self._poll.register(fd, select.POLLIN)


class _Select:
    """The same by select(2): a descriptor at its end, or in error, is one that can be read."""

    def __init__(self) -> None:
        self._fds: set[int] = set()

    def register(self, fd: int, /) -> None:
        self._fds.add(fd)

    def unregister(self, fd: int, /) -> None:
        self._fds.remove(fd)

    def poll(self, milliseconds: float | None = None, /) -> list[tuple[int, int]]:
        # As poll does, it takes a negative number for "for ever".
        seconds = None if milliseconds is None or milliseconds < 0 else milliseconds / 1000
        ready, _, _ = select.select(list(self._fds), (), (), seconds)
        return [(fd, 1) for fd in ready]
