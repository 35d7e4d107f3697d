"""Jobs -> spans of OpenTelemetry, one for each job that has ended."""

from workqueue import Hooks, JobSnapshot, State
from workqueue.extras import Extra

with Extra("opentelemetry", __name__):
    from opentelemetry.context import Context
    from opentelemetry.trace import StatusCode, TracerProvider, get_tracer

_NANOSECONDS = 1_000_000_000


class TracingHooks(Hooks):
    """Makes a span of each job, with its wait and its run as events.

    ::

        queue = WorkQueue("./process-docset.py", storage_dir="databases", hooks=[TracingHooks()])

    A job answers many requests, so its span is the child of none of theirs; the attribute ``workqueue.key`` is what
    to look for. It holds none of the parameters.

    Args:
        tracer_provider: whose tracer makes the spans; None: the global one.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = get_tracer("workqueue", tracer_provider=tracer_provider)

    def ended(self, job: JobSnapshot) -> None:
        """Make the whole span now, with the times as they were."""
        queued_at = _nanoseconds(job.queued_at)
        started_at = _nanoseconds(job.queued_at + job.wait_seconds)
        ended_at = _nanoseconds(job.queued_at + job.wait_seconds + job.run_seconds)
        span = self._tracer.start_span(
            "workqueue.jobs.job",
            context=Context(),
            start_time=queued_at,
            attributes={"workqueue.key": job.key, "workqueue.state": job.state.value},
        )
        span.add_event("waited", {"workqueue.seconds": job.wait_seconds}, timestamp=started_at)
        if job.run_seconds:
            span.add_event("ran", {"workqueue.seconds": job.run_seconds}, timestamp=ended_at)
        if job.progress.returncode is not None:
            span.set_attribute("workqueue.returncode", job.progress.returncode)
        if job.state is State.FAILED:
            span.set_status(StatusCode.ERROR, job.progress.error)
        span.end(ended_at)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)
