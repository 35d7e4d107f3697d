"""4 cluster records: what stands in a cluster's log, its names, and its way to JSON and back; pure.

    s.job.KEY           what is to be run, and its turn. Put if there is none: that is single flight. Its sequence is
                        the run's number.
    s.own.TENANT.RUN    who has the run, that it waits again, or how it ended. Put if the last one is what I saw.
    p.RUN               what its program says. Put if the last of s.own.TENANT.RUN is my own claim: a late worker's is
                        refused.
    w.RUN.PROCESS       that a process watches it. Put if nobody has cancelled it.
    s.cancel.RUN        that it is to stop. Put by whoever leaves if nobody watches any more, or by whoever cancels.
    s.worker.ID         that a worker lives, and how much it can do. It goes if the worker does not put it again.
    s.failed.KEY        how a run of this key failed a while ago; null: not any more.

What is read is checked in form and in range: whoever can reach the server may have written it.
"""

import hashlib
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from workqueue.progress import Progress, WaitsAgain

#: Of the form of what is sent, so that processes of two releases tell each other's records apart.
WIRE: Final = 1

#: Everything that the view of a process is made of.
STATE: Final = "s.>"

_KEY: Final = re.compile("[0-9a-f]{40}")
_PROGRESS_FIELDS: Final = len(Progress._fields)


class State(Enum):
    """Where a run is."""

    WAIT = "wait"
    RUN = "run"
    END = "end"


class Job(NamedTuple):
    """A run that somebody wants."""

    tenant: str
    turn: int
    name: str
    """Of the program."""

    version: str
    """Which results of it."""

    storage: str
    """The identity of where its result goes."""

    task: str
    """All else, sealed; see `wire`."""

    wire: int = WIRE


class Own(NamedTuple):
    """Who has a run."""

    state: State
    worker: str = ""
    attempt: int = 0
    """How often it was begun."""

    lost: int = 0
    """How often whoever had it was lost."""

    outcome: Progress | None = None
    """Its last event, once it has ended."""

    last: int = 0
    """The sequence of its last p.RUN, once it has ended: what comes before the outcome."""


class Said(NamedTuple):
    """What an engine reported of a run, but for its end."""

    attempt: int
    number: int
    """Which report of that attempt: one that was sent twice, since its answer was lost, is told once."""

    report: Progress | WaitsAgain


class Beat(NamedTuple):
    """That a worker lives."""

    capacity: int
    """How many runs it takes at once."""

    lease: float
    """Seconds without a beat after which its runs are others' to make."""

    name: str
    version: str
    storage: str
    since: float
    """When it was started, in seconds since the epoch."""


class Failure(NamedTuple):
    """How a run failed, for those who ask again too soon."""

    at: float
    """In seconds since the epoch."""

    ttl: float
    outcome: Progress


def job_subject(key: str) -> str:
    """Of a job's record."""
    return f"s.job.{key}"


def own_subject(tenant: str, number: int | str) -> str:
    """Of the records of who has a run; "*" as the number: of all runs of a tenant."""
    return f"s.own.{tenant_token(tenant)}.{number}"


def encode_job(job: Job) -> list[object]:
    """To JSON."""
    return list(job)


def decode_job(value: Any) -> Job | None:
    """From JSON; None if it is none."""
    match value:
        case [
            str() as tenant,
            int() as turn,
            str() as name,
            str() as version,
            str() as storage,
            str() as task,
            int() as wire,
        ]:
            return Job(tenant, turn, name, version, storage, task, wire)
    return None


def encode_own(own: Own) -> list[object]:
    """To JSON."""
    return [own.state.value, own.worker, own.attempt, own.lost, own.outcome and list(own.outcome), own.last]


def decode_own(value: Any) -> Own | None:
    """From JSON; None if it is none."""
    match value:
        case [
            ("wait" | "run" | "end") as state,
            str() as worker,
            int() as attempt,
            int() as lost,
            outcome,
            int() as last,
        ]:
            progress = _decode_progress(outcome)
            if (state == "end") == (progress is not None and progress.returncode is not None):
                return Own(State(state), worker, attempt, lost, progress, last)
    return None


def encode_said(said: Said) -> list[object]:
    """To JSON."""
    kind = "w" if isinstance(said.report, WaitsAgain) else "p"
    return [said.attempt, said.number, kind, list(said.report)]


def decode_said(value: Any) -> Said | None:
    """From JSON; None if it is none."""
    match value:
        case [int() as attempt, int() as number, "w", [int() as n_ahead, (str() | None) as message]]:
            return Said(attempt, number, WaitsAgain(n_ahead, message))
        case [int() as attempt, int() as number, "p", fields]:
            progress = _decode_progress(fields)
            if progress is not None and progress.returncode is None:
                return Said(attempt, number, progress)
    return None


def decode_beat(value: Any) -> Beat | None:
    """From JSON; None if it is none."""
    match value:
        case [
            int() as capacity,
            (int() | float()) as lease,
            str() as name,
            str() as version,
            str() as storage,
            (int() | float()) as since,
        ] if lease > 0:
            return Beat(capacity, lease, name, version, storage, since)
    return None


def encode_failure(failure: Failure) -> list[object]:
    """To JSON."""
    return [failure.at, failure.ttl, list(failure.outcome)]


def decode_failure(value: Any) -> Failure | None:
    """From JSON; None if it is none."""
    match value:
        case [(int() | float()) as at, (int() | float()) as ttl, fields]:
            outcome = _decode_progress(fields)
            if outcome is not None and outcome.returncode:
                return Failure(at, ttl, outcome)
    return None


def is_key(text: str) -> bool:
    """Whether it can be the key of a run."""
    return _KEY.fullmatch(text) is not None


def number_of(text: str) -> int | None:
    """A run's number, as subjects have it; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() else None


def _decode_progress(fields: Any) -> Progress | None:
    if not isinstance(fields, Sequence) or len(fields) != _PROGRESS_FIELDS:
        return None
    match fields:
        case [
            int() as n_ahead,
            (int() | float()) as fraction,
            (str() | None) as message,
            (int() | None) as returncode,
            (str() | None) as error,
        ] if 0.0 <= fraction <= 1.0:
            return Progress(n_ahead, float(fraction), message, returncode, error)
    return None


def tenant_token(tenant: str) -> str:
    """A tenant may have any characters; a subject's token may not."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:16] if tenant else "-"
