"""4 cluster remembered: which keys' runs failed a while ago, as far as the log has said; see `Failures` of the seam.

Looked up without a request, for each client that asks. The records go from the log by themselves, by their age.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from workqueue.engines.cluster.records import Failure
from workqueue.progress import Progress


class Remembered:
    """Failures by key. Callable from any thread.

    Args:
        clock: the time of day in seconds, as `time.time`: hosts have no other in common.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards what is below
        self._failures: dict[str, Failure] = {}

    def get(self, key: str) -> Progress | None:
        """The last event of this key's run that failed no longer ago than it was to be remembered."""
        failure = self._failures.get(key)
        if failure is None:
            return None
        if 0 <= self._clock() - failure.at < failure.ttl:
            return failure.outcome
        self.heard(key, None)
        return None

    def heard(self, key: str, failure: Failure | None) -> None:
        """The log says so; None: forget it."""
        with self._lock:
            if failure is None:
                self._failures.pop(key, None)
            else:
                self._failures[key] = failure
                self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        for key in [key for key, failure in self._failures.items() if now - failure.at >= failure.ttl]:
            del self._failures[key]


class Remembering(Protocol):
    """Whom a process tells of failures, and asks; see `ClusterEngine`."""

    def remember(self, key: str, failure: Failure | None) -> None:
        """How a run of this key failed; None: forget that."""
        ...

    def remembered(self, key: str) -> Progress | None:
        """How the last run of this key failed, if that is to be remembered still."""
        ...


class ClusterFailures:
    """Runs that failed, for `ttl` seconds, for all that are in the cluster. Callable from any thread.

    Args:
        engine: of the cluster.
        ttl: seconds; 0: nothing is remembered.
    """

    def __init__(self, engine: Remembering, ttl: float) -> None:
        self._engine = engine
        self._ttl = ttl

    def remember(self, key: str, outcome: Progress) -> None:
        """See `Failures`."""
        if self._ttl and outcome.returncode is not None and outcome.returncode > 0:
            self._engine.remember(key, Failure(time.time(), self._ttl, outcome))

    def get(self, key: str) -> Progress | None:
        """See `Failures`."""
        return self._engine.remembered(key) if self._ttl else None

    def forget(self, key: str) -> None:
        """See `Failures`."""
        if self._ttl:
            self._engine.remember(key, None)
