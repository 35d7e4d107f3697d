"""1 and 5 known: what a bucket said of an object a moment ago, so that it is not asked again for every request."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

V = TypeVar("V")

#: Some 2 MB; the least recently learned go first.
MAX_KNOWN: Final = 10_000


class Known(Generic[V]):
    """Values that are believed for some seconds. Callable from any thread.

    Args:
        seconds: for which a value is believed; 0: not at all.
        clock: seconds that only ever grow.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._values: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._n_forgotten = 0

    @property
    def moment(self) -> int:
        """To be noted before somebody is asked, and given to `learn` with the answer."""
        return self._n_forgotten

    def get(self, key: str) -> V | None:
        """What was learned of it, if that is not too long ago."""
        with self._lock:
            at, value = self._values.get(key, (0.0, None))
            return value if value is not None and self._clock() - at < self._seconds else None

    def learn(self, key: str, value: V, moment: int | None = None) -> None:
        """Believe this from now on.

        Args:
            key: of what.
            value: what is so.
            moment: when it was asked for: if anything was forgotten since, the answer may be older than that, and is
                not believed. None: it is so now.
        """
        with self._lock:
            if moment not in (None, self._n_forgotten):
                return
            self._values[key] = (self._clock(), value)
            self._values.move_to_end(key)
            if len(self._values) > MAX_KNOWN:
                self._values.popitem(last=False)

    def forget(self, key: str) -> None:
        """Know nothing of it, and learn nothing from an answer that is on its way."""
        with self._lock:
            self._n_forgotten += 1
            self._values.pop(key, None)
