"""What Prometheus and OpenTelemetry are told of jobs of real programs, by their own libraries."""

from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry, generate_latest

from tests.conftest import ensure, write_program
from workqueue import WorkQueue
from workqueue.monitoring.opentelemetry import TracingHooks
from workqueue.monitoring.prometheus import WorkQueueCollector
from workqueue.testing import ScriptedProgram, output, wait

MakeQueue = Callable[..., WorkQueue]


def test_prometheus_is_told_the_statistics_of_each_queue(make_queue: MakeQueue, tmp_path: Path) -> None:
    gate = ScriptedProgram(tmp_path / "gate", wait("gate"), output(b"built"))
    queue = make_queue(gate.path, max_running=1)
    other = make_queue("/bin/sh", storage_dir=tmp_path / "other")
    registry = CollectorRegistry()
    registry.register(WorkQueueCollector({"builds": queue, "other": other}))
    job, waiting = ensure(queue, "a"), ensure(queue, "b")
    gate.wait_reached("gate")
    job.progress.subscribe(lambda _: None)
    text = generate_latest(registry).decode()
    assert 'workqueue_jobs{queue="builds",state="running"} 1.0' in text
    assert 'workqueue_jobs{queue="builds",state="pending"} 1.0' in text
    assert 'workqueue_jobs{queue="other",state="running"} 0.0' in text
    assert 'workqueue_watchers{queue="builds"} 1.0' in text
    assert 'workqueue_guarded{queue="builds"} 1.0' in text
    waiting.cancel()
    gate.release("gate")
    job.wait(10)
    text = generate_latest(registry).decode()
    assert 'workqueue_jobs_ended_total{queue="builds",state="succeeded"} 1.0' in text
    assert 'workqueue_jobs_ended_total{queue="builds",state="cancelled"} 1.0' in text
    assert 'workqueue_job_run_seconds_count{queue="builds"} 2.0' in text
    assert registry.get_sample_value("workqueue_job_run_seconds_sum", {"queue": "builds"}) == pytest.approx(
        queue.statistics().run_seconds
    )


def test_prometheus_is_told_of_the_jobs_of_all_processes_where_that_is_wanted(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    """Two queues over one storage are to each other as two processes."""
    queue, other = (make_queue(program.path, max_running=1) for _ in range(2))
    jobs = [ensure(queue, "a"), ensure(other, "b"), ensure(other, "c")]
    program.wait_reached("gate")
    registry = CollectorRegistry()
    registry.register(WorkQueueCollector({"builds": queue}, everywhere=True))

    def exported(state: str) -> float | None:
        return registry.get_sample_value("workqueue_jobs", {"queue": "builds", "state": state})

    assert (exported("running"), exported("pending"), exported("cancelling")) == (1, 2, None)
    program.release("gate", times=3)
    for job in jobs:
        job.wait(10)
    assert (exported("running"), exported("pending")) == (0, 0)
    text = generate_latest(registry).decode()
    assert 'workqueue_jobs_ended_total{queue="builds",state="succeeded"} 1.0' in text  # its own
    # What cannot be read has no sample, and costs no other.
    (queue.storage_dir / ".jobs" / ".ends").unlink()
    (queue.storage_dir / ".jobs" / ".ends").mkdir()
    assert exported("running") is None
    assert 'workqueue_jobs_ended_total{queue="builds",state="succeeded"} 1.0' in generate_latest(registry).decode()


def test_a_job_that_ended_is_a_span(make_queue: MakeQueue, tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    program = write_program(tmp_path / "program", '[ "$1" = good ] || exit 3; echo built >"$output"')
    queue = make_queue(program, max_running=1, hooks=[TracingHooks(provider)])
    jobs = [ensure(queue, name) for name in ("good", "bad")]
    snapshots = []
    for job in jobs:
        job.wait(10)
        snapshots.append(job.snapshot())
    queue.close()
    provider.shutdown()
    spans = exporter.get_finished_spans()
    assert [span.attributes["workqueue.key"] for span in spans if span.attributes] == [job.key for job in jobs]
    for span, snapshot in zip(spans, snapshots, strict=True):
        assert span.parent is None
        assert [event.name for event in span.events] == ["waited", "ran"]
        assert span.start_time == int(snapshot.queued_at * 1e9)
        assert span.end_time == span.events[1].timestamp >= span.events[0].timestamp >= span.start_time
    good, bad = spans
    assert good.status.status_code is StatusCode.UNSET
    assert bad.status.status_code is StatusCode.ERROR
    assert bad.status.description is not None
    assert "Exited with code 3" in bad.status.description
    assert dict(bad.attributes or {})["workqueue.returncode"] == 3
