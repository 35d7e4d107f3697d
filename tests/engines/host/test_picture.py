"""The picture of a storage's processes: what it tells of real runs, from files alone, of which it changes none."""

import contextlib
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from tests.servers.server import eventually
from workqueue import OverviewViewParams, WorkQueue
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.line.record import tenant_of
from workqueue.engines.host.picture import Pictures, picture_of
from workqueue.engines.host.record import Times
from workqueue.errors import StorageError
from workqueue.progress import CANCELLED, Progress, WaitsAgain
from workqueue.testing import ScriptedProgram

MakeQueue = Callable[..., WorkQueue]

KEY = "a" * 40


def tree(directory: Path) -> dict[str, tuple[int, int, int]]:
    """All there is below, and when it was changed."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def test_it_tells_who_runs_who_waits_and_how_runs_ended(
    make_queue: MakeQueue, program: ScriptedProgram, tmp_path: Path
) -> None:
    began = time.time()
    queue = make_queue(program.path, max_running=1, tenant=lambda params: params[0])
    jobs = [ensure(queue, name) for name in "abc"]
    program.wait_reached("gate")
    eventually(lambda: jobs[0].current_progress.fraction == 0.5)
    picture = picture_of(queue.storage_dir)
    assert (picture.max_running, picture.processes, picture.ends) == (1, 1, ())
    [run] = picture.running
    assert (run.key, run.is_running, run.n_ahead, run.process) == (jobs[0].key, True, 0, str(os.getpid()))
    assert run.tenant == tenant_of("a")
    assert run.progress == Progress(fraction=0.5)
    assert run.queued_at is not None
    assert run.began_at is not None
    assert began - 0.2 <= run.queued_at <= run.began_at <= time.time()
    assert [(seen.key, seen.n_ahead, seen.is_running, seen.began_at, seen.process) for seen in picture.waiting] == [
        (jobs[1].key, 1, False, None, ""),
        (jobs[2].key, 2, False, None, ""),
    ]
    assert all(seen.queued_at is not None and began - 0.2 <= seen.queued_at for seen in picture.waiting)
    jobs[2].cancel()
    program.release("gate", times=2)
    assert [job.wait(10).returncode for job in jobs] == [0, 0, CANCELLED]
    picture = picture_of(queue.storage_dir)
    assert [end.key for end in picture.ends] == [jobs[1].key, jobs[0].key]
    for end, job in zip(picture.ends, (jobs[1], jobs[0]), strict=True):
        assert end.progress == job.wait()
        assert end.queued_at is not None
        assert end.began_at is not None
        assert end.queued_at <= end.began_at <= end.ended_at
        assert end.queued_at == pytest.approx(job.snapshot().queued_at, abs=0.2)
    queue.close()
    picture = picture_of(queue.storage_dir)
    assert (picture.running, picture.waiting, picture.processes) == ((), (), None)
    assert len(picture.ends) == 2
    assert tmp_path / "storage" == queue.storage_dir


def test_it_changes_nothing(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=1)
    jobs = [ensure(queue, name) for name in "ab"]
    program.wait_reached("gate")
    eventually(lambda: jobs[0].current_progress.fraction == 0.5)
    before = tree(queue.storage_dir)
    for pictures in (Pictures(queue.storage_dir / ".jobs"), Pictures(queue.storage_dir / ".jobs")):
        assert pictures.take() == pictures.take()
        assert len(pictures.take().waiting) == 1
    assert tree(queue.storage_dir) == before


def test_where_nothing_ever_ran_nothing_is_made(tmp_path: Path) -> None:
    picture = picture_of(tmp_path / "storage")
    assert (picture.running, picture.waiting, picture.ends, picture.max_running) == ((), (), (), None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".jobs", ".jobs/.ends", ".jobs/.ends-before", ".jobs/.line"])
def test_what_is_of_another_kind_is_told_with_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("itself") if "ends" in name else path.write_text("")
    with pytest.raises(StorageError, match=rf"Cannot read {tmp_path}/\.jobs.*, where processes say what they run: "):
        picture_of(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / ".jobs").mkdir(mode=0)
    try:
        with pytest.raises(StorageError, match=r"Cannot read .*\.jobs.*: Permission denied"):
            picture_of(tmp_path)
    finally:
        (tmp_path / ".jobs").chmod(0o700)


def test_a_failed_run_tells_its_stderr_without_its_secrets(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo "cannot use $3" >&2; exit 3')
    queue = make_queue(program)
    job = queue.ensure_run(OverviewViewParams("http://localhost", "1", "hunter2hunter2"))
    assert job is not None
    assert job.wait(10).returncode == 3
    [end] = picture_of(queue.storage_dir).ends
    assert end.progress == job.wait()
    assert end.stderr == "cannot use ...\n"
    for path in queue.storage_dir.rglob("*"):
        if stat.S_ISREG(path.lstat().st_mode):
            assert b"hunter2" not in path.read_bytes()


def test_a_run_that_is_stopped_has_ended_as_cancelled(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path)
    job = ensure(queue, "a")
    program.wait_reached("gate")
    job.cancel()
    job.wait(10)
    assert [end.progress.returncode for end in picture_of(queue.storage_dir).ends] == [CANCELLED]


def test_a_run_that_is_to_be_run_again_waits_behind_the_line_and_ends_once(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    program = write_program(tmp_path / "program", "echo busy >&2; exit 75")
    queue = make_queue(program, retries=3, retry_delay=3600)
    job = ensure(queue, "a")
    eventually(lambda: (job.current_progress.message or "").startswith("Waits to be run again"))
    picture = picture_of(queue.storage_dir)
    assert picture.running == picture.ends == ()
    [run] = picture.waiting
    assert run.key == job.key
    assert run.progress.message == job.current_progress.message
    assert run.queued_at is not None
    job.cancel()
    assert job.wait(10).returncode == CANCELLED
    picture = picture_of(queue.storage_dir)
    assert picture.waiting == ()
    assert [end.progress.returncode for end in picture.ends] == [CANCELLED]


def test_what_was_built_already_is_no_run_that_ended(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=1)
    other = make_queue(program.path, max_running=1)
    jobs = ensure(queue, "a"), ensure(other, "a")
    program.wait_reached("gate")
    program.release("gate")
    assert [job.wait(10).returncode for job in jobs] == [0, 0]
    assert len(picture_of(queue.storage_dir).ends) == 1


def test_runs_of_an_executor_without_a_line_are_seen(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    with ThreadPoolExecutor(1) as executor, contextlib.closing(make_queue(program.path, executor=executor)) as queue:
        job, waiting = ensure(queue, "a"), ensure(queue, "b")
        program.wait_reached("gate")
        picture = picture_of(queue.storage_dir)
        assert [(run.key, run.process) for run in picture.running] == [(job.key, "")]
        assert (picture.waiting, picture.processes, picture.max_running) == ((), None, None)
        # A process's own are known to itself.
        seen = queue.jobs(everywhere=True)
        assert [(run.key, run.is_running) for run in seen] == [(job.key, True), (waiting.key, False)]
        program.release("gate", times=2)
        waiting.wait(10)


def test_a_journal_of_a_process_that_knows_of_no_times_is_read(tmp_path: Path) -> None:
    journals = Journals(tmp_path / ".jobs")
    journals.prepare()
    lead = journals.lead(KEY)
    assert lead is not None
    with lead:
        assert picture_of(tmp_path).running == ()  # it looks whether there is something to run
        lead.start()
        [run] = picture_of(tmp_path).running
        assert (run.queued_at, run.began_at, run.process) == (None, None, "")
        lead.start(Times(1000.25, 2000.5))
        lead.report(Progress(fraction=0.5, message="half"))
        [run] = picture_of(tmp_path).running
        assert (run.queued_at, run.began_at, run.progress) == (1000.25, 2000.5, Progress(0, 0.5, "half"))
        lead.report(WaitsAgain(3, "later"))
        [run] = picture_of(tmp_path).waiting
        assert (run.n_ahead, run.progress.message) == (3, "later")
    assert picture_of(tmp_path).running == ()


def test_times_that_cannot_be_cost_nothing_else(tmp_path: Path) -> None:
    journals = Journals(tmp_path / ".jobs")
    journals.prepare()
    lead = journals.lead(KEY)
    assert lead is not None
    with lead:
        for times in (Times(-1e300, 1.0), Times(float("nan"), 1.0), Times(1e12, 1e12)):
            lead.start(times)
            [run] = picture_of(tmp_path).running
            assert (run.queued_at, run.began_at) == (None, None)
