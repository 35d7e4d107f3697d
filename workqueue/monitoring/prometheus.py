"""Queues -> metrics for Prometheus, computed when they are scraped and at no other time."""

import contextlib
from collections.abc import Iterator, Mapping

from workqueue import Statistics, StorageError, WorkQueue
from workqueue.extras import Extra

with Extra("prometheus", __name__):
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
    from prometheus_client.registry import Collector


class WorkQueueCollector(Collector):
    """The statistics of one queue or several.

    ::

        prometheus_client.REGISTRY.register(WorkQueueCollector({"builds": queue}))

    One for all queues of a process, since a registry takes each metric from one collector alone. Callable from any
    thread. Each process counts its own jobs.

    Args:
        queues: name -> queue; the name is the label ``queue``.
        everywhere: have ``workqueue_jobs`` count the jobs of all processes that share a queue's line, pending and
            running. Each process then exports the same number, which is not to be added up; those that are being
            cancelled run until they have stopped. The other metrics are each process's own.
    """

    def __init__(self, queues: Mapping[str, WorkQueue], *, everywhere: bool = False) -> None:
        self._queues = dict(queues)
        self._everywhere = everywhere

    def collect(self) -> Iterator[Metric]:
        """The metrics at this moment."""
        jobs = GaugeMetricFamily("workqueue_jobs", "Jobs that live, by state", labels=("queue", "state"))
        ended = CounterMetricFamily("workqueue_jobs_ended", "Jobs that ended, by how", labels=("queue", "state"))
        watchers = GaugeMetricFamily("workqueue_watchers", "Observers and waiting threads", labels=("queue",))
        waits = SummaryMetricFamily("workqueue_job_wait_seconds", "From request to start or end", labels=("queue",))
        runs = SummaryMetricFamily("workqueue_job_run_seconds", "From start to end", labels=("queue",))
        guarded = GaugeMetricFamily("workqueue_guarded", "Whether programs die with their server", labels=("queue",))
        for name, queue in self._queues.items():
            statistics = queue.statistics()
            if self._everywhere:
                _add_shared(jobs, name, queue)
            else:
                _add_states(jobs, name, statistics, ("pending", "running", "cancelling"))
            _add_states(ended, name, statistics, ("succeeded", "failed", "cancelled"))
            watchers.add_metric((name,), statistics.watchers)
            n_ended = statistics.succeeded + statistics.failed + statistics.cancelled
            waits.add_metric((name,), n_ended, statistics.wait_seconds)
            runs.add_metric((name,), n_ended, statistics.run_seconds)
            guarded.add_metric((name,), float(statistics.unguarded is None))
        yield from (jobs, ended, watchers, waits, runs, guarded)


def _add_shared(family: GaugeMetricFamily, name: str, queue: WorkQueue) -> None:
    """What cannot be read now has no sample, as of a target that is down."""
    with contextlib.suppress(StorageError):
        shared = queue.statistics(everywhere=True).shared
        if shared is not None:
            family.add_metric((name, "pending"), shared.waiting)
            family.add_metric((name, "running"), shared.running)


def _add_states(
    family: GaugeMetricFamily | CounterMetricFamily, name: str, statistics: Statistics, states: tuple[str, ...]
) -> None:
    for state in states:
        family.add_metric((name, state), getattr(statistics, state))
