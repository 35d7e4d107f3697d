import itertools

import pytest

from workqueue.errors import IllegalMove
from workqueue.jobs.lifecycle import MOVES, Event, State, event_of, next_state
from workqueue.progress import Progress, WaitsAgain, cancelled, failed, failed_exit, succeeded

# Written out once more, so that a slip in the table does not pass as its own proof.
LEGAL = {
    (State.PENDING, Event.PROGRESS): State.RUNNING,
    (State.RUNNING, Event.PROGRESS): State.RUNNING,
    (State.PENDING, Event.SUCCESS): State.SUCCEEDED,
    (State.RUNNING, Event.SUCCESS): State.SUCCEEDED,
    (State.PENDING, Event.FAILURE): State.FAILED,
    (State.RUNNING, Event.FAILURE): State.FAILED,
    (State.PENDING, Event.CANCEL): State.CANCELLING,
    (State.RUNNING, Event.CANCEL): State.CANCELLING,
    (State.CANCELLING, Event.CANCEL): State.CANCELLING,
    (State.CANCELLING, Event.PROGRESS): State.CANCELLING,
    (State.CANCELLING, Event.SUCCESS): State.SUCCEEDED,
    (State.CANCELLING, Event.FAILURE): State.FAILED,
    (State.CANCELLING, Event.STOPPED): State.CANCELLED,
    (State.PENDING, Event.STOPPED): State.CANCELLED,
    (State.RUNNING, Event.STOPPED): State.CANCELLED,
    (State.RUNNING, Event.SETBACK): State.PENDING,
    (State.CANCELLING, Event.SETBACK): State.CANCELLING,
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_event_in_every_state_moves_or_is_refused(state: State, event: Event) -> None:
    if (state, event) in LEGAL:
        assert next_state(state, event) is LEGAL[state, event]
    else:
        with pytest.raises(IllegalMove) as caught:
            next_state(state, event)
        assert str(caught.value) == f"a job that is {state.value} cannot take a report of {event.value}"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("state", State)
def test_a_final_state_is_one_without_a_way_out(state: State) -> None:
    assert state.is_final == (not any(source is state for source, _ in MOVES))


def test_only_the_ends_are_final() -> None:
    assert {state for state in State if state.is_final} == {State.SUCCEEDED, State.FAILED, State.CANCELLED}


def test_only_what_runs_goes_back_to_pending() -> None:
    assert {source for (source, _), target in MOVES.items() if target is State.PENDING} == {State.RUNNING}


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MOVES[State.FAILED, Event.SUCCESS] = State.SUCCEEDED  # type: ignore[index]


@pytest.mark.parametrize(
    ("progress", "event"),
    [
        (Progress(), Event.PROGRESS),
        (WaitsAgain(), Event.SETBACK),
        (WaitsAgain(3, "why"), Event.SETBACK),
        (Progress(fraction=1.0, message="done"), Event.PROGRESS),
        (succeeded(), Event.SUCCESS),
        (failed("no"), Event.FAILURE),
        (failed_exit(1, ""), Event.FAILURE),
        (failed_exit(-9, ""), Event.FAILURE),
        (cancelled(), Event.STOPPED),
    ],
)
def test_the_returncode_alone_says_what_progress_is(progress: Progress | WaitsAgain, event: Event) -> None:
    assert event_of(progress) is event
