"""Records to JSON and back; and that nothing that is read can hurt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.engines.cluster import records
from workqueue.engines.cluster.records import Beat, Failure, Job, Own, Said, State
from workqueue.progress import Progress, WaitsAgain, cancelled, failed, succeeded

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner)
)


def travelled(value: object) -> Any:
    return json.loads(json.dumps(value))


def test_a_job() -> None:
    job = Job("tenant", 3, "program", "1.0", "s3://bucket", "task")
    assert records.decode_job(travelled(records.encode_job(job))) == job


@pytest.mark.parametrize(
    "own",
    [
        Own(State.WAIT, "", 2, 1),
        Own(State.RUN, "worker", 1),
        Own(State.END, "worker", 1, 0, succeeded(), 17),
        Own(State.END, outcome=cancelled()),
    ],
)
def test_who_has_a_run(own: Own) -> None:
    assert records.decode_own(travelled(records.encode_own(own))) == own


@pytest.mark.parametrize("report", [Progress(fraction=0.5, message="half"), Progress(), WaitsAgain(2, "later")])
def test_what_is_said_of_a_run(report: Progress | WaitsAgain) -> None:
    said = Said(2, 7, report)
    assert records.decode_said(travelled(records.encode_said(said))) == said


def test_a_beat() -> None:
    beat = Beat(2, 15.0, "program", "", "s3://bucket", 12.5)
    assert records.decode_beat(travelled(list(beat))) == beat


def test_a_failure() -> None:
    failure = Failure(100.0, 60.0, failed("no", 3))
    assert records.decode_failure(travelled(records.encode_failure(failure))) == failure


@pytest.mark.parametrize(
    ("decode", "value"),
    [
        (records.decode_own, ["end", "w", 1, 0, None, 0]),
        (records.decode_own, ["run", "w", 1, 0, list(succeeded()), 0]),
        (records.decode_own, ["gone", "w", 1, 0, None, 0]),
        (records.decode_own, ["end", "w", 1, 0, [0, 0.5, None, None, None], 0]),
        (records.decode_said, [1, 1, "p", list(succeeded())]),
        (records.decode_said, [1, 1, "p", [0, 1.5, None, None, None]]),
        (records.decode_said, [1, 1, "p", [0, float("nan"), None, None, None]]),
        (records.decode_beat, [2, 0, "program", "", "", 0]),
        (records.decode_beat, [2, -1.0, "program", "", "", 0]),
        (records.decode_failure, [0, 1, list(succeeded())]),
        (records.decode_job, ["tenant", 3, "program"]),
    ],
)
def test_what_cannot_be_is_none(decode: Any, value: object) -> None:
    assert decode(value) is None


@given(_VALUES)
def test_anything_may_be_read(value: object) -> None:
    for decode in (
        records.decode_job,
        records.decode_own,
        records.decode_said,
        records.decode_beat,
        records.decode_failure,
    ):
        decode(value)


def test_a_subjects_token_holds_any_tenant() -> None:
    subjects = {records.own_subject(tenant, 1) for tenant in ("", "-", "a.b", "a b", "*", ">", "\0", "ü" * 1000)}
    assert len(subjects) == 8
    for subject in subjects:
        assert subject.isascii()
        assert subject.count(".") == 3
        assert not {"*", ">", " ", "\0"} & set(subject)


@pytest.mark.parametrize(("text", "number"), [("17", 17), ("", None), ("-1", None), ("x", None), ("٣", None)])
def test_a_runs_number(text: str, number: int | None) -> None:
    assert records.number_of(text) == number
