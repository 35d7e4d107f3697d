"""3 everywhere: what an engine knows of other processes, and the jobs of this one -> all that wait, run and have ended.

An engine that knows of no others has the jobs of this process alone.
"""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from workqueue.errors import StorageError, reason_of
from workqueue.jobs.job import Job
from workqueue.jobs.lifecycle import State

if TYPE_CHECKING:  # an import of the package goes without the engines
    from workqueue.engines.base import Engine, Picture, SeenEnd, SeenRun, Shared
    from workqueue.engines.host.ends import Ends


def runs_everywhere(engine: "Engine", jobs: Iterable[Job]) -> "list[SeenRun]":
    """Those that run, those that wait, and those jobs of this process of which its engine does not know yet.

    Args:
        engine: where jobs run.
        jobs: those of this process.

    Raises:
        StorageError: what others say cannot be read.
    """
    picture = _picture(engine)
    others = [] if picture is None else [*picture.running, *picture.waiting]
    mine = {job.key: job for job in jobs}
    seen = [_with_own(run, mine.get(run.key)) for run in others]
    known = {run.key for run in others}
    own = [_seen(job) for key, job in mine.items() if key not in known]
    runs = [*seen, *own]
    return [run for run in runs if run.is_running] + [run for run in runs if not run.is_running]


def shared_everywhere(engine: "Engine", jobs: Iterable[Job]) -> "Shared | None":
    """How many run and wait; None where an engine that knows it cannot tell now.

    Raises:
        StorageError: what others say cannot be read.
    """
    from workqueue.engines.base import Shared  # noqa: PLC0415 - as above

    if hasattr(engine, "shared"):
        shared: Shared | None = engine.shared
        return shared
    picture = _picture(engine)
    if picture is None:
        states = [job.state for job in jobs]
        n_waiting = states.count(State.PENDING)
        return Shared(1, engine.max_running or 0, len(states) - n_waiting, n_waiting)
    return Shared(picture.processes or 1, picture.max_running or 0, len(picture.running), len(picture.waiting))


def ends_everywhere(engine: "Engine") -> "list[SeenEnd]":
    """How the last runs ended; none where an engine keeps none.

    Raises:
        StorageError: what others say cannot be read.
    """
    kept: Ends | None = getattr(engine, "ends", None)
    if kept is None:
        picture = _picture(engine)
        return [] if picture is None else list(picture.ends)
    try:
        return kept.read()
    except OSError as err:
        raise StorageError(f"Cannot read how the last runs ended: {reason_of(err)}") from err


def cancel_everywhere(engine: "Engine", key: str) -> bool:
    """Have other processes cancel a key's run, if there is one that is known.

    Raises:
        StorageError: they cannot be told, or what they say cannot be read.
    """
    from workqueue.engines.host.cancel import cancel_run  # noqa: PLC0415 - as above

    picture, journals = _picture(engine), getattr(engine, "journals", None)
    if picture is None or journals is None:
        return False
    for run in (*picture.running, *picture.waiting):
        if run.key == key:
            cancel_run(journals.directory.parent, run, getattr(engine, "notices", None))
            return True
    return False


def _picture(engine: "Engine") -> "Picture | None":
    take: Callable[[], Picture] | None = getattr(engine, "picture", None)
    return None if take is None else take()


def _with_own(run: "SeenRun", job: Job | None) -> "SeenRun":
    """With what is known of it as a job of this process."""
    if job is None:
        return run
    seen = _seen(job)
    run = run._replace(watchers=seen.watchers, queued_at=seen.queued_at if run.queued_at is None else run.queued_at)
    if run.is_running and seen.is_running and run.began_at is None:
        # Nobody has said when it began, nor, then, how far it is.
        return run._replace(progress=seen.progress, began_at=seen.began_at)
    return run


def _seen(job: Job) -> "SeenRun":
    from workqueue.engines.base import SeenRun  # noqa: PLC0415 - as above

    snapshot = job.snapshot()
    is_running = snapshot.state is not State.PENDING
    return SeenRun(
        key=job.key,
        tenant="",
        is_running=is_running,
        n_ahead=snapshot.progress.n_ahead_in_queue,
        progress=snapshot.progress,
        queued_at=snapshot.queued_at,
        began_at=snapshot.queued_at + snapshot.wait_seconds if is_running else None,
        process=str(os.getpid()) if is_running else "",
        watchers=snapshot.watchers,
    )
