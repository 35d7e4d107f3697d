"""1 and 5 eviction: what a storage is to keep no longer, and whose turn it is to remove it.

Callable from any thread and any number of processes.
"""

import contextlib
import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError
from workqueue.storage.at_once import at_once
from workqueue.storage.base import StoredResult
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import try_lock
from workqueue.system.own_files import make_directory, open_file

logger = logging.getLogger("workqueue")

#: Seconds for which what was asked for, or published, stays: whoever was told that it is there comes for it now. It is
#: also how often a storage looks, at most.
GRACE_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Policy:
    """How long, and how much.

    Attributes:
        ttl: seconds after its publication for which a result is fresh; None: always.
        max_bytes: what all results may take together; None: any number. It holds but for what is open, and for what
            came in the last minute.

    Raises:
        ValueError: for a number that is none of these.
    """

    ttl: float | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.ttl is not None and not 0 < self.ttl < math.inf:
            raise ValueError(f"ttl must be a number of seconds above 0, or None; got {self.ttl!r}")
        if self.max_bytes is not None and not self.max_bytes >= 0:
            raise ValueError(f"max_bytes must be 0 or more, or None; got {self.max_bytes!r}")

    @property
    def keeps_all(self) -> bool:
        """Whether there is nothing to do, ever."""
        return self.ttl is None and self.max_bytes is None

    def is_fresh(self, published_at: float) -> bool:
        """Whether a result of that time answers a request; one from the future does not: the clock was wrong."""
        return self.ttl is None or _is_of_last(self.ttl, published_at, time.time())

    def evict(
        self, results: Iterable[StoredResult], remove: Callable[[StoredResult], bool], n_threads: int = 0
    ) -> list[StoredResult]:
        """Remove what is stale, and of the rest what was not used for longest, until it fits; return what went.

        Args:
            results: all that are there.
            remove: removes one, unless it is in use, and returns whether it is gone. When it raises an OSError or a
                StorageError, that is logged, and the result stays.
            n_threads: how many call `remove`, besides the calling one.
        """
        now = time.time()
        oldest_first = sorted(results, key=lambda result: _used_at(result, now))
        total = sum(result.size for result in oldest_first)
        left = deque(result for result in oldest_first if now - _used_at(result, now) >= GRACE_SECONDS)
        removed = []
        while to_go := self._take(left, total, now):
            gone = _removed(to_go, remove, n_threads)
            total -= sum(result.size for result in gone)
            removed += gone
        return removed

    def _take(self, left: deque[StoredResult], total: int, now: float) -> list[StoredResult]:
        """Take from these what is to go, as if all of it went. If some of it stays, there is more to take."""
        to_go, stays = [], []
        # Without a time there is nothing to find behind what fits.
        while left and (self.ttl is not None or self._is_too_much(total)):
            result = left.popleft()
            if self._is_stale(result, now) or self._is_too_much(total):
                total -= result.size
                to_go.append(result)
            else:
                stays.append(result)
        left.extendleft(reversed(stays))
        return to_go

    def _is_stale(self, result: StoredResult, now: float) -> bool:
        return self.ttl is not None and not _is_of_last(self.ttl, result.published_at, now)

    def _is_too_much(self, total: int) -> bool:
        return self.max_bytes is not None and total > self.max_bytes


def _is_of_last(seconds: float, at: float, now: float) -> bool:
    """Whether a time is no longer ago, and not in a future that is more than a clock which is put right by a moment."""
    return -GRACE_SECONDS < now - at < seconds


def _used_at(result: StoredResult, now: float) -> float:
    """When it was used, as far as that can be; what the clock was ahead for was used longest ago: nobody can tell."""
    return next((at for at in (result.used_at, result.published_at) if at < now + GRACE_SECONDS), 0.0)


def _removed(
    results: Sequence[StoredResult], remove: Callable[[StoredResult], bool], n_threads: int
) -> list[StoredResult]:
    """Remove these, as far as that can be done; return which of them are gone, in their order."""
    gone: set[int] = set()

    def try_to(place: int) -> None:
        if _is_gone(results[place], remove):
            gone.add(place)

    at_once(try_to, range(len(results)), n_threads, name="workqueue-evict")
    return [results[place] for place in sorted(gone)]


def _is_gone(result: StoredResult, remove: Callable[[StoredResult], bool]) -> bool:
    try:
        return remove(result)
    except (OSError, StorageError) as err:
        logger.warning("cannot evict a result: %s", err, extra={"key": result.key})
        return False


@contextlib.contextmanager
def turn(path: Path, gap: float = 0.0) -> Iterator[bool]:
    """Whether it is this caller's turn, for as long as the context lasts; no two have one at a time.

    Args:
        path: a file that all who take turns know; made if need be, with its directory, and left. Its time is that of
            the last turn.
        gap: seconds since the last turn began before which there is no other.

    Raises:
        OSError: it cannot be made, or locked.
    """
    make_directory(path.parent)
    fd = open_own(lambda: open_file(path, os.O_RDWR | os.O_CREAT))
    try:
        # Looked at again with the lock: somebody may have had his turn between the look and the lock.
        is_mine = _is_due(fd, gap) and try_lock(fd) and _is_due(fd, gap)
        if is_mine:
            os.pwrite(fd, b"1", 0)  # sets its time
        yield is_mine
    finally:
        close_own(fd)


def _is_due(fd: int, gap: float) -> bool:
    status = os.fstat(fd)
    # A time in the future, after the clock was set back, would keep everybody away until then.
    return status.st_size == 0 or not 0 <= time.time() - status.st_mtime < gap
