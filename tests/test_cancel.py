"""Cancelling jobs of real programs: what waits, what runs, and who asks again."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from workqueue import Job, QueueFull, State, WorkQueue
from workqueue.engines.base import Task
from workqueue.engines.run import run_task
from workqueue.program.command import command_of
from workqueue.storage import DiskStorage
from workqueue.testing import ManualEngine, ScriptedProgram, collect

MakeQueue = Callable[..., WorkQueue]


def running(queue: WorkQueue, program: ScriptedProgram, *arguments: str) -> Job:
    job = ensure(queue, *arguments)
    program.wait_reached("gate")
    return job


def test_a_running_program_is_stopped_and_its_job_says_cancelled(
    make_queue: MakeQueue, program: ScriptedProgram, tmp_path: Path
) -> None:
    job = running(make_queue(program.path), program, "a")
    assert job.cancel()
    last = job.wait(10)
    assert (last.returncode, last.error, job.state) == (-998, "The job was cancelled.", State.CANCELLED)
    assert collect(job)[-1] == last
    assert list((tmp_path / "storage").glob("[!.]*")) == []


def test_a_waiting_job_ends_before_cancel_returns_and_never_runs(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=1)
    first = running(queue, program, "first")
    second, third = ensure(queue, "second"), ensure(queue, "third")
    assert third.current_progress.n_ahead_in_queue == 2
    assert second.cancel()
    assert second.wait(0).returncode == -998
    assert third.current_progress.n_ahead_in_queue == 1
    program.release("gate", times=2)
    assert [first.wait(10).returncode, third.wait(10).returncode] == [0, 0]
    assert [arguments[0] for arguments in program.runs] == ["first", "third"]


def test_a_program_that_ignores_sigterm_is_killed(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workqueue.engines.local.engine.TERMINATE_SECONDS", 0.05)
    program = write_program(tmp_path / "stubborn", "trap '' TERM; echo 0.5; while :; do sleep 60; done")
    job = ensure(make_queue(program), "a")
    half = threading.Event()
    job.progress.subscribe(lambda progress: progress.fraction == 0.5 and half.set())
    assert half.wait(10)
    job.cancel()
    assert job.wait(10).returncode == -998


def test_who_asks_while_it_is_being_cancelled_gets_a_new_job_that_begins_after_its_end(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    program = write_program(
        tmp_path / "program",
        f"echo begin >>{log}; trap 'sleep 0.2; echo end >>{log}; exit 1' TERM; first=no;"
        f" [ -e {tmp_path}/again ] || {{ first=yes; : >{tmp_path}/again; }}; echo 0.5;"
        f" [ $first = no ] || while :; do sleep 0.01; done;"
        f' echo built >"$output"; echo end >>{log}',
    )
    queue = make_queue(program, max_running=2)  # there is room for both
    first = ensure(queue, "a")
    half = threading.Event()
    first.progress.subscribe(lambda progress: progress.fraction == 0.5 and half.set())
    assert half.wait(10)
    first.cancel()
    second = ensure(queue, "a")
    assert second is not first
    assert queue.ensure_run(("a",)) is second
    assert second.wait(10).returncode == 0
    assert first.wait(0).returncode == -998
    assert log.read_text().split() == ["begin", "end", "begin", "end"]


def test_a_successor_finds_what_a_job_built_that_was_cancelled_too_late(queue: WorkQueue, engine: ManualEngine) -> None:
    first = ensure(queue, "a")
    engine.start(first)
    first.cancel()
    second = ensure(queue, "a")
    [_, task] = engine.tasks
    engine.succeed(first)
    assert first.state is State.SUCCEEDED
    assert run_task(task, lambda _: None, lambda _: None).returncode == 0  # "program" does not even exist
    engine.succeed(second)


def test_a_refresh_runs_though_the_result_is_there(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo new >"$output"')
    storage = DiskStorage(tmp_path / "storage")
    task = Task("key", command_of(program), (), storage, is_refresh=True)
    for _ in range(2):
        assert run_task(task, lambda _: None, lambda _: None).returncode == 0
    storage.path("key").unlink()
    storage.path("key").write_text("old")
    assert run_task(task, lambda _: None, lambda _: None).returncode == 0
    assert storage.path("key").read_text() == "new\n"


def test_a_job_that_ended_cannot_be_cancelled(make_queue: MakeQueue, tmp_path: Path) -> None:
    job = ensure(make_queue(write_program(tmp_path / "program", 'echo built >"$output"')), "a")
    assert job.wait(10).returncode == 0
    assert not job.cancel()
    assert job.state is State.SUCCEEDED


def test_a_program_that_builds_when_it_is_told_to_stop_has_built(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(
        tmp_path / "program", "trap 'echo built >\"$output\"; exit 0' TERM; echo 0.5; while :; do sleep 0.01; done"
    )
    job = ensure(make_queue(program), "a")
    half = threading.Event()
    job.progress.subscribe(lambda progress: progress.fraction == 0.5 and half.set())
    assert half.wait(10)
    job.cancel()
    assert job.wait(10).returncode == 0


def test_a_job_being_cancelled_keeps_its_place_among_those_there_may_be(engine: ManualEngine, tmp_path: Path) -> None:
    queue = WorkQueue("program", storage_dir=tmp_path, engine=engine, max_pending=1)
    first = ensure(queue, "a")
    engine.start(first)
    first.cancel()
    with pytest.raises(QueueFull):
        queue.ensure_run(("b",))
    engine.stop(first)
    assert ensure(queue, "b").cancel()


def test_many_threads_cancel_one_job_and_it_ends_once(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    job = running(make_queue(program.path), program, "a")
    barrier = threading.Barrier(8)

    def cancel() -> None:
        barrier.wait(10)
        job.cancel()

    threads = [threading.Thread(target=cancel) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [progress.returncode for progress in collect(job) if progress.returncode is not None] == [-998]


def test_an_observer_may_cancel_the_job_that_tells_it(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    job.progress.subscribe(lambda progress: progress.fraction == 0.5 and job.cancel())
    assert job.wait(10).returncode == -998


def test_bursts_of_asking_and_cancelling_leave_nothing(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo 0.5; echo built >"$output"')
    queue = make_queue(program, max_running=2)
    barrier = threading.Barrier(4)
    ended: list[int | None] = []

    def ask_and_cancel(n: int) -> None:
        barrier.wait(10)
        for i in range(25):
            job = queue.ensure_run((str((i * n) % 7),), refresh=True)
            assert job is not None
            if (i + n) % 2:
                job.cancel()
            ended.append(job.wait(20).returncode)

    threads = [threading.Thread(target=ask_and_cancel, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 100
    assert set(ended) <= {0, -998}
    assert queue.jobs() == []


def test_a_job_is_cancelled_by_its_key(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    assert queue.cancel(job.key)
    assert job.wait(10).returncode == -998
    assert not queue.cancel(job.key)
    assert not queue.cancel("none of ours")


def test_a_job_of_another_process_is_cancelled_by_its_key(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    """Whether it runs or waits. Two queues of one storage are as two processes to each other."""
    theirs, ours = make_queue(program.path, max_running=1), make_queue(program.path, max_running=1)
    first = running(theirs, program, "first")
    second = ensure(theirs, "second")
    assert [run.key for run in ours.jobs(everywhere=True)] == [first.key, second.key]
    for job in (second, first):
        assert ours.cancel(job.key)
        assert job.wait(10).returncode == -998
    assert not ours.cancel(first.key)
    assert [arguments[0] for arguments in program.runs] == ["first"]


def test_who_cancels_by_a_key_and_asks_again_has_a_new_job(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    """What a process tells the others of a cancel is no news to itself: its next job of the key is another."""
    theirs, ours = make_queue(program.path), make_queue(program.path)
    for _ in range(5):
        job = running(theirs, program, "first")
        assert ours.cancel(job.key)
        again = ensure(ours, "first")
        assert job.wait(10).returncode == -998
        program.wait_reached("gate")
        assert again.cancel()
        assert again.wait(10).returncode == -998
    assert len(program.runs) == 10
