"""Cancelling a job in each moment in which something else happens to it; each test stands in the window itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ensure, write_program
from workqueue import Job, Progress, State, WorkQueue
from workqueue.engines.base import Report, Task
from workqueue.engines.local.engine import LocalEngine
from workqueue.engines.local.run import LocalRun
from workqueue.engines.run import run_task
from workqueue.program.process import Process
from workqueue.testing import ScriptedProgram, collect

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture
def queue(make_queue: MakeQueue, program: ScriptedProgram) -> WorkQueue:
    return make_queue(program.path, max_running=1)


def last_of(job: Job) -> Progress:
    """Its end; it has ended once."""
    job.wait(10)
    ends = [progress for progress in collect(job) if progress.returncode is not None]
    assert len(ends) == 1
    return ends[0]


def only_job(queue: WorkQueue) -> Job:
    [job] = queue._registry.live()
    return job


def test_before_it_has_started(queue: WorkQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread has taken the task out of the line, and not yet reported that it runs."""
    run = LocalRun.run

    def cancel_first(self: LocalRun, report: Report | None = None, lock: int | None = None) -> Progress:
        only_job(queue).cancel()
        return run(self, report, lock)

    monkeypatch.setattr(LocalRun, "run", cancel_first)
    assert last_of(ensure(queue, "a")).returncode == -998
    assert program.runs == []


def test_while_its_process_starts(queue: WorkQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a process, and the engine does not know it yet."""

    def start_and_cancel(*arguments: object) -> Process:
        process = Process(*arguments)  # type: ignore[arg-type]
        only_job(queue).cancel()
        return process

    monkeypatch.setattr("workqueue.program.run.Process", start_and_cancel)
    assert last_of(ensure(queue, "a")).returncode == -998
    assert only_result_is_missing(queue)


def only_result_is_missing(queue: WorkQueue) -> bool:
    return not queue.destination_path_for_params(("a",)).exists()


def test_between_its_publication_and_its_end(
    queue: WorkQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is there, and nobody was told: it has succeeded, and who asks is answered with it."""
    answers: list[Job | None] = []

    def run_and_cancel(task: Task, *arguments: Any) -> Progress:
        outcome = run_task(task, *arguments)
        assert only_job(queue).cancel()
        answers.append(queue.ensure_run(("a",)))
        return outcome

    monkeypatch.setattr("workqueue.engines.local.run.run_task", run_and_cancel)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    program.release("gate")
    assert last_of(job) == Progress(fraction=1.0, returncode=0)
    assert answers == [None]


def test_between_its_failure_and_its_end(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program has failed by itself, and who cancelled is told "cancelled"; a new job waits for its end."""
    program = write_program(tmp_path / "missing", "exit 0")
    queue = make_queue(program, max_running=1)
    program.unlink()
    successors: list[Job] = []

    def run_and_cancel(task: Task, *arguments: Any) -> Progress:
        outcome = run_task(task, *arguments)
        if not successors:
            job = only_job(queue)
            job.cancel()
            successors.append(ensure(queue, "a"))
            assert successors[0] is not job
            assert successors[0].state is State.PENDING
        return outcome

    monkeypatch.setattr("workqueue.engines.local.run.run_task", run_and_cancel)
    assert last_of(ensure(queue, "a")).returncode == -998
    assert last_of(successors[0]).returncode == -999


def test_who_asks_before_it_was_taken_out_of_the_registry_gets_a_new_job(
    queue: WorkQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state says that it is being cancelled, and the registry still has it."""
    asked: list[Job] = []
    cancelled = queue._books.cancelled

    def ask_first(job: Job) -> None:
        asked.append(ensure(queue, "a"))
        cancelled(job)

    monkeypatch.setattr(queue._books, "cancelled", ask_first)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    job.cancel()
    assert asked[0] is not job
    assert queue.ensure_run(("a",)) is asked[0]
    assert last_of(job).returncode == -998
    program.wait_reached("gate")
    program.release("gate")
    assert last_of(asked[0]).returncode == 0


def test_a_waiting_job_that_closing_is_about_to_refuse(
    queue: WorkQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is closed, and the waiting jobs have not been told."""
    refuse_all = LocalEngine._refuse_all

    def cancel_first(self: LocalEngine) -> None:
        waiting.cancel()
        refuse_all(self)

    monkeypatch.setattr(LocalEngine, "_refuse_all", cancel_first)
    ensure(queue, "a")
    program.wait_reached("gate")
    waiting = ensure(queue, "b")
    queue.close(drain=0.0)
    assert last_of(waiting).returncode == -998


def test_a_running_job_that_closing_stops(
    queue: WorkQueue, program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stopped it first says why; the cancel makes it none the slower."""
    stop = LocalRun.stop

    def stop_then_cancel(self: LocalRun, grace: float, outcome: Progress) -> None:
        stop(self, grace, outcome)
        if outcome.returncode != -998:
            job.cancel()

    monkeypatch.setattr(LocalRun, "stop", stop_then_cancel)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    queue.close(drain=0.0)
    last = last_of(job)
    assert (last.returncode, last.error) == (-15, "The work queue was closed while this job ran.")
    assert job.state is State.FAILED
