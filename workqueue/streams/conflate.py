"""5 conflate: values as they come -> at most one per gap, the newest, on the caller's clock; pure.

Progress is a state, not a log: of ten values in one gap a reader wants the last. The first value passes at once, so
that a client sees life; the last is never lost, since whoever ends the stream calls `flush`. There is no timer and no
thread: the one that waits for input asks `timeout` how long it may sleep. Not thread-safe: one owner.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Conflater(Generic[T]):
    """Holds back the newest value until the gap since the last one is over.

    Args:
        gap: seconds between two values let through.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._held: list[T] = []
        self._next_at = float("-inf")

    def put(self, value: T) -> None:
        """Offer a value; it replaces the one held back, if any."""
        self._held[:] = (value,)

    def timeout(self, now: float) -> float | None:
        """Seconds until a value is due; 0.0 when one is, None when nothing is held back."""
        return max(0.0, self._next_at - now) if self._held else None

    def take(self, now: float) -> list[T]:
        """The value that is due, in a list; an empty one when there is none yet."""
        if now < self._next_at or not self._held:
            return []
        self._next_at = now + self._gap
        return self.flush()

    def flush(self) -> list[T]:
        """The value held back, due or not, in a list; an empty one when there is none."""
        held, self._held = self._held, []
        return held
