"""3 lifecycle: a job's states and the legal moves between them; pure.

Every move is in MOVES; what is not there is refused and changes nothing. A job that was built meanwhile, or that
cannot be started, ends without ever running, so PENDING has ways to these ends. A job that is being cancelled ends as
its engine says: by the time it is asked to stop, the program may have succeeded, or failed by itself. Another process
may cancel it too, so it can be stopped without having been asked; and where that process ran it and died, or
its program asked to be run later, it is set back: it waits again.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from workqueue.errors import IllegalMove
from workqueue.progress import CANCELLED, Progress, WaitsAgain


class State(Enum):
    """Where a job is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen any more."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Event(Enum):
    """What an engine can report, and what a client can ask for."""

    PROGRESS = "progress"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCEL = "cancel"
    STOPPED = "stopped"
    SETBACK = "setback"


MOVES: Final[Mapping[tuple[State, Event], State]] = MappingProxyType(
    {
        (State.PENDING, Event.PROGRESS): State.RUNNING,
        (State.PENDING, Event.SUCCESS): State.SUCCEEDED,
        (State.PENDING, Event.FAILURE): State.FAILED,
        (State.PENDING, Event.STOPPED): State.CANCELLED,
        (State.PENDING, Event.CANCEL): State.CANCELLING,
        (State.RUNNING, Event.PROGRESS): State.RUNNING,
        (State.RUNNING, Event.SUCCESS): State.SUCCEEDED,
        (State.RUNNING, Event.FAILURE): State.FAILED,
        (State.RUNNING, Event.STOPPED): State.CANCELLED,
        (State.RUNNING, Event.SETBACK): State.PENDING,
        (State.RUNNING, Event.CANCEL): State.CANCELLING,
        (State.CANCELLING, Event.PROGRESS): State.CANCELLING,
        (State.CANCELLING, Event.SUCCESS): State.SUCCEEDED,
        (State.CANCELLING, Event.FAILURE): State.FAILED,
        (State.CANCELLING, Event.SETBACK): State.CANCELLING,
        (State.CANCELLING, Event.CANCEL): State.CANCELLING,
        (State.CANCELLING, Event.STOPPED): State.CANCELLED,
    }
)


def event_of(report: Progress | WaitsAgain) -> Event:
    """Which event a report is; of progress, by its returncode."""
    if isinstance(report, WaitsAgain):
        return Event.SETBACK
    if report.returncode is None:
        return Event.PROGRESS
    return {0: Event.SUCCESS, CANCELLED: Event.STOPPED}.get(report.returncode, Event.FAILURE)


def next_state(state: State, event: Event) -> State:
    """The state after this event.

    Raises:
        IllegalMove: when MOVES has no such move.
    """
    try:
        return MOVES[state, event]
    except KeyError:
        raise IllegalMove(f"a job that is {state.value} cannot take a report of {event.value}") from None
