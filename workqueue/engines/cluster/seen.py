"""4 cluster seen: what one process has heard of all runs, as plain data for people."""

from workqueue.engines.base import Picture, SeenRun
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.records import tenant_token
from workqueue.engines.cluster.view import Run
from workqueue.progress import Progress


def picture_of(member: Member) -> Picture:
    """All runs that live, as far as is known. For the loop's thread.

    Where a run stands, and since when, is told to those alone that watch it; how runs ended, nobody keeps.
    """
    view = member.shown
    running = [_seen(run, 0) for run in sorted(view.running.values(), key=lambda run: run.own_sequence)]
    waiting = [_seen(run, n_ahead) for n_ahead, run in enumerate(view.waiting(), len(running))]
    return Picture(member.capacity, tuple(running), tuple(waiting), (), member.n_workers if member.is_up else None)


def _seen(run: Run, n_ahead: int) -> SeenRun:
    progress = Progress(n_ahead_in_queue=n_ahead)
    tenant = tenant_token(run.tenant) if run.tenant else ""
    return SeenRun(run.key, tenant, run.is_running, n_ahead, progress, process=run.own.worker)
