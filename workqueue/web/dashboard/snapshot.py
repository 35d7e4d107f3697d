"""7 dashboard snapshot: the jobs that are there and those that have ended -> what the page is told; pure.

It has no parameters of a job, which may hold a secret. Of what a program wrote to stderr it has a line, since 200 may
be long: the page asks for the rest when somebody opens it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypedDict

from workqueue.progress import CANCELLED
from workqueue.web.dashboard.history import LENGTH, Span, history

if TYPE_CHECKING:  # an import of the applications goes without the engines
    from workqueue.engines.base import SeenEnd, SeenRun

#: How many jobs the page lists, those that run first. Of the others it is told how many there are.
MAX_JOBS: Final = 100

#: How many jobs that have ended the queue keeps at most; if there are as many, it has forgotten older ones.
MAX_ENDS: Final = 200

#: Characters of a message, and of the reason of a failure, that the page has in a line.
_MAX_TEXT: Final = 200


class JobRow(TypedDict):
    """A job that runs or waits."""

    key: str
    tenant: str
    is_running: bool
    n_ahead: int
    fraction: float
    message: str
    queued_at: float | None
    began_at: float | None
    process: str
    watchers: int | None


class EndRow(TypedDict):
    """A job that has ended."""

    key: str
    tenant: str
    outcome: str
    """"succeeded", "failed" or "cancelled"."""

    returncode: int | None
    reason: str
    """Why it has no result: the last line of stderr, or else the first of what its clients were told."""

    has_stderr: bool
    queued_at: float | None
    began_at: float | None
    ended_at: float


class HistoryRow(TypedDict):
    """See `workqueue.web.dashboard.history.History`."""

    end: float
    step: float
    running: list[int | None]
    waiting: list[int | None]


class Snapshot(TypedDict):
    """A queue at one moment."""

    running: int
    waiting: int
    max_running: int | None
    outcomes: dict[str, int]
    """How many of the jobs that have ended had which outcome."""

    known_since: float | None
    """Since when the jobs that have ended are known, if that is less than an hour."""

    jobs: list[JobRow]
    ends: list[EndRow]
    history: HistoryRow


def snapshot(jobs: "Sequence[SeenRun]", ends: "Sequence[SeenEnd]", max_running: int | None, now: float) -> Snapshot:
    """What the page is told.

    Args:
        jobs: that run or wait.
        ends: the newest first.
        max_running: how many run at once; None: not known.
        now: the time, in seconds since 1970.
    """
    ends = [end for end in ends if now - end.ended_at < LENGTH]
    known_since = ends[-1].ended_at if len(ends) >= MAX_ENDS else None
    n_running = sum(job.is_running for job in jobs)
    spans = [Span(job.queued_at, job.began_at, None) for job in jobs]
    spans += [Span(end.queued_at, end.began_at, end.ended_at) for end in ends]
    return {
        "running": n_running,
        "waiting": len(jobs) - n_running,
        "max_running": max_running,
        "outcomes": dict(Counter(map(outcome_of, ends))),
        "known_since": known_since,
        "jobs": [_job_row(job) for job in sorted(jobs, key=_place)[:MAX_JOBS]],
        "ends": [_end_row(end) for end in ends],
        "history": _history_row(spans, now, known_since),
    }


def outcome_of(end: "SeenEnd") -> str:
    """How a job ended, in a word."""
    if end.progress.returncode == 0:
        return "succeeded"
    return "cancelled" if end.progress.returncode == CANCELLED else "failed"


def _place(job: "SeenRun") -> tuple[bool, float]:
    # By when they began, not by how far they are: rows that change places cannot be read.
    return not job.is_running, (job.began_at or 0.0) if job.is_running else job.n_ahead


def _job_row(job: "SeenRun") -> JobRow:
    return {
        "key": job.key,
        "tenant": job.tenant,
        "is_running": job.is_running,
        "n_ahead": job.n_ahead,
        "fraction": job.progress.fraction,
        "message": _short(job.progress.message),
        "queued_at": job.queued_at,
        "began_at": job.began_at,
        "process": job.process,
        "watchers": job.watchers,
    }


def _end_row(end: "SeenEnd") -> EndRow:
    return {
        "key": end.key,
        "tenant": end.tenant,
        "outcome": outcome_of(end),
        "returncode": end.progress.returncode,
        "reason": _reason_of(end),
        "has_stderr": bool(end.stderr),
        "queued_at": end.queued_at,
        "began_at": end.began_at,
        "ended_at": end.ended_at,
    }


def _reason_of(end: "SeenEnd") -> str:
    # Of a traceback the last line says what it is about.
    *_, last = end.stderr.strip().splitlines() or [""]
    return _short(last.strip() or end.progress.error)


def _history_row(spans: list[Span], now: float, known_since: float | None) -> HistoryRow:
    found = history(spans, now, known_since or 0.0)
    return {"end": found.end, "step": found.step, "running": found.running, "waiting": found.waiting}


def _short(text: str | None) -> str:
    line = (text or "").partition("\n")[0]
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"
