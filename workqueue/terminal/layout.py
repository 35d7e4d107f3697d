"""layout: how wide a terminal is -> how wide each part of a progress line is; pure.

::

    build.py ━━━━━━━━━━━━━━━━━━━  42% 1:07, about 2 min left  Reading page 42 of 100

In a narrow terminal the percentage and the bar get their columns first, then the name, then the time. The message gets
the rest, and is shortened. The width of the bar depends on the terminal alone, so that it does not jump with each
message.
"""

from typing import Final, NamedTuple

from workqueue.terminal.width import width_of

#: ``100%``.
PERCENT: Final = 4

_MIN_BAR: Final = 10
_MAX_BAR: Final = 40

#: Fewer columns would show nothing of a message but its ellipsis.
_MIN_MESSAGE: Final = 8

#: A terminal with fewer columns shows one time, and leaves the rest of the line to the message.
_ROOM_FOR_TIMES: Final = 80


class Layout(NamedTuple):
    """The columns of each part, without the blank between two; 0: there is no room for it, and it is left out."""

    label: int
    bar: int
    percent: int
    time: int
    message: int


def arrange(width: int, label: str, time: str) -> Layout:
    """Divide a line.

    Args:
        width: the terminal's columns.
        label: what is built. It has at most a quarter of the line.
        time: what `times` returned.
    """
    room = width - PERCENT - 1
    bar = max(0, min(_MAX_BAR, max(_MIN_BAR, width // 5), room))
    room -= bar + 1 if bar else 0

    def take(columns: int) -> int:
        nonlocal room
        if not 0 < columns <= room:
            return 0
        room -= columns + 1
        return columns

    label_columns = take(min(width_of(label), width // 4))
    time_columns = take(width_of(time))
    return Layout(label_columns, bar, PERCENT, time_columns, room if room >= _MIN_MESSAGE else 0)


def times(width: int, elapsed: str, remaining: str) -> str:
    """What to say about the time: both, or what remains alone in a narrow terminal, if that is known.

    Args:
        width: the terminal's columns.
        elapsed: how long it has taken.
        remaining: how long it still takes; empty: nobody can tell.
    """
    if remaining and width < _ROOM_FOR_TIMES:
        return remaining
    return f"{elapsed}, {remaining}" if remaining else elapsed
