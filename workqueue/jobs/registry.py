"""2 registry: key -> the one live Job of that key.

Single flight by reservation: whoever finds no job under its key puts one there in the same step, does the work
outside the lock, and takes out only its own. Where to put which check is the caller's business, told in
`workqueue.work_queue`. Callable from any thread; no method calls out under the lock except `make`, which may
only construct.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from workqueue.errors import QueueFull

J = TypeVar("J")


class Registry(Generic[J]):
    """The live jobs, at most one a key.

    Args:
        max_live: says how many there may be at once, now; None: any number.
    """

    def __init__(self, max_live: Callable[[], int | None] = lambda: None) -> None:
        self._max_live = max_live
        self._lock = threading.Lock()  # guards both below
        self._jobs: dict[str, J] = {}
        self._retired: list[J] = []

    def reserve(self, key: str, make: Callable[[], J]) -> tuple[J, bool]:
        """Return the job of this key and whether it is new, made by this call.

        Args:
            key: the job's key.
            make: constructs a job and does nothing else; called under the lock.

        Raises:
            QueueFull: it would be a new one, and there are as many as there may be.
        """
        max_live = self._max_live()
        with self._lock:
            job = self._jobs.get(key)
            if job is not None:
                return job, False
            # Counted in the same step as it is put in: callers who looked first would all see the last free place.
            if max_live is not None and len(self._jobs) + len(self._retired) >= max_live:
                raise QueueFull("the queue is full; try again later")
            job = self._jobs[key] = make()
            return job, True

    def get(self, key: str) -> J | None:
        """The live job of this key, if there is one."""
        with self._lock:
            return self._jobs.get(key)

    def retire(self, key: str, job: J) -> None:
        """Let nobody join this very job any more; it counts as live until it is forgotten."""
        with self._lock:
            if self._jobs.get(key) is job:
                del self._jobs[key]
                self._retired.append(job)

    def forget(self, key: str, job: J) -> None:
        """Take this very job out; a successor under the same key stays. Idempotent."""
        with self._lock:
            if self._jobs.get(key) is job:
                del self._jobs[key]
            self._retired = [retired for retired in self._retired if retired is not job]

    def live(self) -> list[J]:
        """All live jobs at this moment, in the order in which they came, the retired ones first."""
        with self._lock:
            return [*self._retired, *self._jobs.values()]

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs) + len(self._retired)
