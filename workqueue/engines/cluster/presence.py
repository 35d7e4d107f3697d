"""4 cluster presence: whether this process is a member of its cluster, and which of its tasks have no end yet."""

import threading
from collections.abc import Callable

from workqueue.engines.cluster.watch import Watch
from workqueue.progress import failed


class Presence:
    """Callable from any thread.

    Args:
        join: has this process be a member. Called once, with the lock held: two threads must not both do it, and none
            after the end.
    """

    def __init__(self, join: Callable[[], None]) -> None:
        self._join = join
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._live: set[Watch] = set()
        self._has_joined = False
        self._is_closed = False

    @property
    def has_joined(self) -> bool:
        """Whether it is a member, and has not left."""
        with self._changed:
            return self._has_joined

    @property
    def is_open(self) -> bool:
        """Whether it is a member that takes tasks."""
        with self._changed:
            return self._has_joined and not self._is_closed

    def begin(self) -> None:
        """Be a member, unless it was closed. Idempotent.

        Raises:
            RuntimeError: the system has no thread to spare.
        """
        with self._changed:
            if not self._is_closed:
                self._begin()

    def enter(self, watch: Watch) -> bool:
        """Be a member, and note a task as one that lives; False: it was closed.

        Raises:
            RuntimeError: the system has no thread to spare.
        """
        with self._changed:
            if self._is_closed:
                return False
            self._begin()
            self._live.add(watch)
            return True

    def ended(self, watch: Watch) -> None:
        """Its end was reported."""
        with self._changed:
            self._live.discard(watch)
            self._changed.notify_all()

    def end_all(self, why: str, is_meant: Callable[[Watch], bool] = lambda _: True) -> None:
        """Report this as the end of all that live, or of those that are meant."""
        with self._changed:
            watches = [watch for watch in self._live if is_meant(watch)]
        for watch in watches:
            watch.end_now(failed(why))

    def wait_idle(self, timeout: float | None) -> bool:
        """Wait until no task lives; return whether none does."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._live, timeout)

    def close(self) -> None:
        """Take no more tasks. Idempotent."""
        with self._changed:
            self._is_closed = True

    def leave(self) -> bool:
        """Be no member any more; return whether it was one."""
        with self._changed:
            has_joined, self._has_joined = self._has_joined, False
            return has_joined

    def _begin(self) -> None:
        if not self._has_joined:
            self._join()
            self._has_joined = True
