"""Hooks are told what happens to jobs of real programs, and can harm nobody."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from workqueue import Hooks, JobSnapshot, State, WorkQueue
from workqueue.jobs.hooks import CLOSE_SECONDS
from workqueue.storage import DiskStorage
from workqueue.testing import ManualEngine, ScriptedProgram, output, say, wait

MakeQueue = Callable[..., WorkQueue]


class Diary(Hooks):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, JobSnapshot]] = []

    def queued(self, job: JobSnapshot) -> None:
        self.entries.append(("queued", job))

    def started(self, job: JobSnapshot) -> None:
        self.entries.append(("started", job))

    def progress(self, job: JobSnapshot) -> None:
        self.entries.append(("progress", job))

    def ended(self, job: JobSnapshot) -> None:
        self.entries.append(("ended", job))

    @property
    def moments(self) -> list[str]:
        return [moment for moment, _ in self.entries]


class Slow(Diary):
    """Stands still in `started` until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_in, self.may_go = threading.Event(), threading.Event()

    def started(self, job: JobSnapshot) -> None:
        super().started(job)
        self.is_in.set()
        assert self.may_go.wait(10)


class Broken(Hooks):
    """Raises."""

    def started(self, job: JobSnapshot) -> None:
        raise RuntimeError("broken hook")


@pytest.fixture
def program(tmp_path: Path) -> ScriptedProgram:
    """Says 0.5, waits at "gate", builds."""
    return ScriptedProgram(tmp_path / "program", say(0.5, "half"), wait("gate"), output(b"built"))


def test_a_hook_is_told_a_jobs_whole_life(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    diary = Diary()
    queue = make_queue(program.path, hooks=[diary])
    job = ensure(queue, "a")
    program.wait_reached("gate")
    program.release("gate")
    assert job.wait(10).returncode == 0
    queue.close()
    assert diary.moments == ["queued", "started", "progress", "ended"]
    assert [job.state for _, job in diary.entries] == [State.PENDING, State.RUNNING, State.RUNNING, State.SUCCEEDED]
    assert diary.entries[2][1].progress.message == "half"
    assert {entry.key for _, entry in diary.entries} == {job.key}
    first, *_, last = (entry for _, entry in diary.entries)
    assert first.queued_at == last.queued_at
    assert last.run_seconds > 0


def test_a_job_that_never_starts_is_told_as_queued_and_ended(engine: ManualEngine, tmp_path: Path) -> None:
    diary = Diary()
    with WorkQueue("program", storage_dir=tmp_path, engine=engine, hooks=[diary]) as queue:
        ensure(queue, "a").cancel()
    assert diary.moments == ["queued", "ended"]
    assert diary.entries[-1][1].state is State.CANCELLED


def test_what_was_built_meanwhile_was_never_queued(
    engine: ManualEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a caller's look at the results and its reservation: neither a hook nor the statistics know of it."""
    diary = Diary()
    looks = iter([False, True])
    monkeypatch.setattr(DiskStorage, "has", lambda *_: next(looks))
    with WorkQueue("program", storage_dir=tmp_path, engine=engine, hooks=[diary]) as queue:
        assert queue.ensure_run(("a",)) is None
        assert queue.statistics().succeeded == 0
    assert diary.moments == []


def test_a_hook_that_raises_is_logged_and_the_next_is_told(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary()
    queue = make_queue(write_program(tmp_path / "program", 'echo built >"$output"'), hooks=[Broken(), diary])
    job = ensure(queue, "a")
    assert job.wait(10).returncode == 0
    queue.close()
    assert diary.moments == ["queued", "started", "ended"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "a hook raised"
    assert record.key == job.key  # type: ignore[attr-defined]


def test_a_slow_hook_holds_nobody_up_and_is_told_the_latest_progress(engine: ManualEngine, tmp_path: Path) -> None:
    slow = Slow()
    with WorkQueue("program", storage_dir=tmp_path, engine=engine, hooks=[slow]) as queue:
        job = ensure(queue, "a")
        engine.start(job)
        assert slow.is_in.wait(10)
        for i in range(20):
            engine.progress(job, i / 20)
        engine.succeed(job)
        assert job.wait(10).returncode == 0  # told to all who watch, while the hook stands still
        slow.may_go.set()
    assert slow.moments == ["queued", "started", "progress", "ended"]
    assert slow.entries[2][1].progress.fraction == 0.95


def test_a_hook_that_is_far_too_slow_misses_some(
    engine: ManualEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("workqueue.jobs.hooks.MAX_UNTOLD", 3)
    slow = Slow()
    with WorkQueue("program", storage_dir=tmp_path, engine=engine, hooks=[slow]) as queue:
        job = ensure(queue, "first")
        engine.start(job)
        assert slow.is_in.wait(10)
        others = [ensure(queue, str(i)) for i in range(5)]
        for other in (job, *others):
            other.cancel()
            if other is job:
                engine.stop(job)
        slow.may_go.set()
    assert slow.moments == ["queued", "started", "queued", "queued", "queued"]
    assert "hooks are too slow: they were not told of 8 moments of jobs" in caplog.text


def test_closing_does_not_wait_for_a_hook_that_stands_still(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workqueue.jobs.hooks.CLOSE_SECONDS", 0.01)
    slow = Slow()
    queue = make_queue(write_program(tmp_path / "program", 'echo built >"$output"'), hooks=[slow])
    job = ensure(queue, "a")
    assert slow.is_in.wait(10)
    assert job.wait(10).returncode == 0
    queue.close()
    assert slow.moments == ["queued", "started"]
    slow.may_go.set()


def test_a_hook_may_close_the_queue(make_queue: MakeQueue, tmp_path: Path) -> None:
    closed = threading.Event()

    class Closing(Hooks):
        def ended(self, job: JobSnapshot) -> None:
            queue.close()
            closed.set()

    queue = make_queue(write_program(tmp_path / "program", 'echo built >"$output"'), hooks=[Closing()])
    ensure(queue, "a")
    assert closed.wait(10 + CLOSE_SECONDS)


def test_log_lines_have_the_key_of_their_job(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "workqueue")
    queue = make_queue(write_program(tmp_path / "program", 'echo junk; echo built >"$output"'))
    job = ensure(queue, "a")
    assert job.wait(10).returncode == 0
    lines = {record.getMessage(): getattr(record, "key", None) for record in caplog.records}
    assert set(lines.values()) == {job.key}
    assert any("has started" in line for line in lines)
    assert any("has ended: succeeded, after" in line for line in lines)
    assert any("invalid program" in line for line in lines)
