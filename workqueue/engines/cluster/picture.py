"""4 cluster picture: what a cluster's log says at this moment, for people: workers, runs, the line.

It reads the log once, as any process does when it comes, and leaves. Nothing in it is secret: tasks are not opened.
"""

from typing import NamedTuple

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Access, Record
from workqueue.engines.cluster.log import Log
from workqueue.engines.cluster.records import Beat, Said, State
from workqueue.engines.cluster.view import Run, View
from workqueue.progress import Progress, WaitsAgain


class Picture(NamedTuple):
    """A cluster at one moment."""

    workers: dict[str, Beat]
    """By their names; of one that died a moment ago the sign is still there."""

    running: list[Run]
    """In the order in which they were asked for."""

    waiting: list[Run]
    """In the order of the line."""

    said: dict[int, Progress | WaitsAgain]
    """Where those that run stand, by number."""


async def look(name: str, access: Access) -> Picture:
    """Take it.

    Args:
        name: of the cluster.
        access: how to get to its servers.

    Raises:
        Unreachable, Unusable: see `Log.connect`.
    """
    log = Log(name, 1, access, _Nobody())
    await log.connect()
    try:
        return await _read(log)
    finally:
        await log.close()


class _Nobody:
    def missed(self) -> None:
        """What is read is read anew."""


async def _read(log: Log) -> Picture:
    view, workers = View(), {}
    async for record in log.after(records.STATE, 0):
        if (worker := _take(view, record)) is not None:
            workers[worker[0]] = worker[1]
    running = sorted(view.running.values(), key=lambda run: run.number)
    said = {}
    for run in running:
        last = records.decode_said((await log.last(f"p.{run.number}")).value)
        if isinstance(last, Said):
            said[run.number] = last.report
    return Picture(workers, running, view.waiting(), said)


def _take(view: View, record: Record) -> tuple[str, Beat] | None:
    """Take a record into the view; return a worker, if it is about one."""
    _, kind, name = record.subject.split(".", 2)
    if kind == "job" and (job := records.decode_job(record.value)) is not None:
        view.add(record.sequence, name, job)
    elif kind == "own" and (own := records.decode_own(record.value)) is not None:
        number = records.number_of(name.rpartition(".")[2])
        if number is not None and own.state is not State.END:
            view.own(number, record.sequence, own)
    elif kind == "worker" and (beat := records.decode_beat(record.value)) is not None:
        return name, beat
    return None
