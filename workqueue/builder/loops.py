"""loops: items, one after the other -> lines of progress; and the shares of several loops."""

from __future__ import annotations

from workqueue.builder.spans import Span, current
from workqueue.builder.stdout import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Final, SupportsFloat, TypeVar

    T = TypeVar("T")

#: Sums of fractions are off by this much: 0.1 taken ten times is not 1.
_ROUNDING: Final = 1e-9


def progress(fraction: SupportsFloat, message: str | None = None) -> None:
    """Print one line of progress, at once.

    Within a `part` or the body of a loop it is a fraction of that part, or of the loop's current item. What it says
    counts, also if the fraction is lower than the last one. Any thread may call it.

    Args:
        fraction: how far along the program is, from 0 to 1.
        message: what it is doing, for a person. Tabs and line ends become spaces, and what is longer than 4 KiB is cut.

    Raises:
        ValueError: for a fraction that is NaN or not from 0 to 1.
        SystemExit: nobody reads stdout any more, so nobody waits for the result.
    """
    try:
        value = float(fraction)
    except OverflowError:
        value = float("inf")
    # NaN fails the comparison.
    if not -_ROUNDING <= value <= 1.0 + _ROUNDING:
        raise ValueError(f"fraction must be a number from 0 to 1; got {fraction!r}")
    STDOUT.say(current().of_the_whole(min(max(value, 0.0), 1.0)), message)


def track(items: Iterable[T], message: str | None = None, *, total: int | None = None) -> Iterator[T]:
    """Give out the items, and print progress meanwhile: at most 20 lines a second, the last always.

    ::

        for document in track(documents, "Reading {n} of {total}"):
            ...

    A loop within a loop refines the progress of the outer one's current item. For loops after each other, see `part`.

    Args:
        items: what to go through.
        message: what to print with the fraction; ``{n}`` is the number of the current item, from 1, and ``{total}``
            how many there are, or ``?``. A brace itself is doubled. None: the loops within this one have messages, or
            nothing has.
        total: how many items there are, for those that have no ``len()``. Without either, the fraction stays where it
            is and only the message moves.

    Raises:
        ValueError: for a message with another name in braces.
    """
    if total is None:
        total = length(items)
    shown_total = "?" if total is None else total
    try:
        (message or "").format(n=0, total=shown_total)
    except (LookupError, AttributeError, ValueError) as err:
        raise ValueError(f"message may hold {{n}} and {{total}}, and braces are doubled; got {message!r}") from err
    return _track(items, total, lambda n: None if message is None else message.format(n=n, total=shown_total))


def _track(items: Iterable[T], total: int | None, message: Callable[[int], str | None]) -> Iterator[T]:
    # A generator of its own: what is wrong with the arguments is told by the call, not by the first item.
    loop = Loop(total)
    n = 0
    try:
        for item in items:
            loop.move(n)
            n += 1
            if STDOUT.is_due:
                loop.say(message(n))
            yield item
        loop.finish()
        loop.say_last(lambda: message(n))
    finally:
        loop.leave()


class Loop:
    """Where a loop stands. Used by one thread, or by several that take turns.

    Args:
        total: how many items there are; None: nobody knows.
    """

    def __init__(self, total: float | None) -> None:
        around = current()
        self.total = total
        self._around = around
        self._message_before = STDOUT.message
        self._item = Span(around, 0.0, 0.0, is_item=True)
        self.move(0)
        self._item.enter()

    def move(self, n: float) -> None:
        """So many items are done; the next one is the current."""
        total = self.total
        if total and 0 <= n < total:
            self._item.move(n / total, min(1.0, (total - n)) / total)
        else:
            # More than there should be, or an unknown number: nothing within the item can move the fraction.
            self._item.move(1.0 if total and n >= total else 0.0, 0.0)

    def say(self, message: str | None) -> None:
        """Print where the current item begins, now; without a message, with the last one of a loop within this."""
        if message is None and STDOUT.message is not self._message_before:
            message = STDOUT.message
        elif message is None:
            self._message_before = None
        STDOUT.advance(self._item.of_the_whole(0.0), message)

    def finish(self) -> None:
        """All is done, however many that were."""
        self._item.move(1.0, 0.0)

    def say_last(self, message: Callable[[], str | None]) -> None:
        """Print where it ended. Within another loop, which has more to say soon, only if a line is due."""
        if STDOUT.is_due or not self._around.is_within_loop:
            self.say(message())

    def leave(self) -> None:
        """What follows does not happen in this loop."""
        self._item.leave()


class part:  # noqa: N801 - used like a function
    """What happens in a block is this share of the whole; or of the part, or the loop's item, that it is within.

    ::

        with part(0.2, "Opening"):
            open_everything()
        with part(0.8):
            for page in track(pages, "Reading page {n} of {total}"):
                ...

    The parts come one after the other, and each begins where the last one ends.

    Args:
        share: above 0, and at most what the parts before it have left of 1.
        message: what to print as it begins.

    Raises:
        ValueError: on entering: for a share that is not there.
    """

    def __init__(self, share: float, message: str | None = None) -> None:
        self._share = share
        self._message = message
        self._span: Span | None = None

    def __enter__(self) -> None:
        around = current()
        left = 1.0 - around.taken
        if not 0.0 < self._share <= left + _ROUNDING:
            raise ValueError(
                f"a part's share must be above 0, and all shares together at most 1; got {self._share!r}"
                f" where {max(0.0, round(left, 9))} is left"
            )
        self._span = Span(around, around.taken, self._share)
        around.taken += self._share
        self._span.enter()
        if self._message is not None and (STDOUT.is_due or not around.is_within_loop):
            STDOUT.advance(self._span.of_the_whole(0.0), self._message)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._span is not None:
            self._span.leave()


def length(items: object) -> int | None:
    """How many items there are, if they know it."""
    try:
        return len(items)  # type: ignore[arg-type]
    except TypeError:
        return None
