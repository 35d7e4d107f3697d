"""spans: which stretch of the whole a loop, its current item or a part is.

A fraction is always one of the span that the program is in: the whole at first, within a `part` that part, in the body
of a loop its current item. Each thread, and each asyncio task, is in a span of its own; a new thread in the whole.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Span:
    """A stretch of the span around it. Moved by one thread.

    Args:
        around: what it is a stretch of; None: it is the whole.
        start: where it begins, as a fraction of that.
        width: how long it is, as a fraction of that.
        is_item: whether it is an item of a loop, of which there may be many in a short time.
    """

    __slots__ = ("around", "is_item", "is_within_loop", "start", "taken", "width")

    def __init__(self, around: Span | None, start: float, width: float, *, is_item: bool = False) -> None:
        self.around = around
        self.is_item = is_item
        self.is_within_loop: bool = is_item or (around is not None and around.is_within_loop)
        """Whether a loop is around what happens here."""
        self.move(start, width)

    def move(self, start: float, width: float) -> None:
        """Make another stretch of it, no part of which is taken."""
        self.start = start
        self.width = width
        self.taken = 0.0
        """Which fraction of it its parts have taken so far."""

    def of_the_whole(self, fraction: float) -> float:
        """A fraction of this span as one of the whole."""
        span: Span | None = self
        while span is not None:
            fraction = span.start + span.width * fraction
            span = span.around
        return min(max(fraction, 0.0), 1.0)

    def enter(self) -> None:
        """What this thread does next happens in this span."""
        _current.set(self)

    def leave(self) -> None:
        """Go back to the span around this one; also from spans within it that nobody has left."""
        span: Span | None = _current.get()
        while span is not None and span is not self:
            span = span.around
        if span is not None and self.around is not None:
            _current.set(self.around)


# All share the whole: what a part of one thread takes is taken.
_current: Final = ContextVar("span", default=Span(None, 0.0, 1.0))  # noqa: B039


def current() -> Span:
    """The span that this thread is in."""
    return _current.get()
