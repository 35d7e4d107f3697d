"""A result that is old is served, and built again in the background."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from workqueue import WorkQueue
from workqueue.engines.base import Task
from workqueue.engines.run import run_task
from workqueue.program.command import command_of
from workqueue.progress import Progress, WaitsAgain
from workqueue.storage import DiskStorage
from workqueue.testing import ManualEngine

PARAMS = ("a",)
OLD_SECONDS = 7200.0

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture
def engine() -> ManualEngine:
    return ManualEngine()


@pytest.fixture
def make_queue(tmp_path: Path, engine: ManualEngine) -> Iterator[MakeQueue]:
    """Makes queues in which results are old after an hour."""
    queues = []

    def make(**options: object) -> WorkQueue:
        options = {"refresh_after": 3600.0, **options}
        queues.append(WorkQueue("program", storage_dir=tmp_path / "results", engine=engine, **options))  # type: ignore[arg-type]
        return queues[-1]

    yield make
    for queue in queues:
        queue.close(drain=0)


def build(queue: WorkQueue, engine: ManualEngine, data: bytes = b"first", age: float = OLD_SECONDS) -> Path:
    """Have a result of this age."""
    engine.succeed(ensure(queue, *PARAMS), data)
    path = queue.destination_path_for_params(PARAMS)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_what_is_not_old_is_served_and_nothing_else(make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue()
    build(queue, engine, age=3000.0)
    assert queue.ensure_run(PARAMS) is None
    assert queue.jobs() == []


def test_without_the_option_nothing_is_old(make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue(refresh_after=None)
    build(queue, engine, age=1e8)
    assert queue.ensure_run(PARAMS) is None
    assert queue.jobs() == []


def test_what_is_old_is_served_until_one_build_has_replaced_it(make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue()
    path = build(queue, engine)
    assert [queue.ensure_run(PARAMS) for _ in range(3)] == [None] * 3
    [job] = queue.jobs()
    assert path.read_bytes() == b"first"
    assert queue.ensure_run(PARAMS) is None
    joined = queue.ensure_run(PARAMS, refresh=True)
    assert joined is not None
    assert joined.key == job.key
    engine.succeed(joined, b"second")
    assert path.read_bytes() == b"second"
    assert queue.ensure_run(PARAMS) is None
    assert queue.jobs() == []


def test_a_build_that_fails_leaves_it_and_is_not_tried_again_at_once(
    make_queue: MakeQueue, engine: ManualEngine
) -> None:
    queue = make_queue()
    path = build(queue, engine)
    assert queue.ensure_run(PARAMS) is None
    job = queue.ensure_run(PARAMS, refresh=True)
    assert job is not None
    engine.start(job)
    engine.fail(job)
    assert queue.ensure_run(PARAMS) is None
    assert queue.jobs() == []
    assert path.read_bytes() == b"first"


def test_a_queue_that_is_full_or_closed_serves_it_all_the_same(make_queue: MakeQueue, engine: ManualEngine) -> None:
    build(make_queue(), engine)
    full, closed = make_queue(max_pending=0), make_queue()
    closed.close()
    for each in (full, closed):
        assert each.ensure_run(PARAMS) is None
        assert each.jobs() == []


def test_a_tenant_that_cannot_be_named_ends_no_request(
    make_queue: MakeQueue, engine: ManualEngine, caplog: pytest.LogCaptureFixture
) -> None:
    build(make_queue(), engine)

    def unknown(_: object) -> str:
        raise LookupError("who is that")

    assert make_queue(tenant=unknown).ensure_run(PARAMS) is None
    assert "cannot build an old result again" in caplog.text
    assert "who is that" in caplog.text


def test_it_is_wanted_though_nobody_watches(make_queue: MakeQueue, engine: ManualEngine) -> None:
    queue = make_queue(abandon_after=0.05)
    build(queue, engine)
    assert queue.ensure_run(PARAMS) is None
    [snapshot] = queue.jobs()
    assert snapshot.watchers == 1


def test_a_result_that_another_process_has_built_meanwhile_is_not_built_again(tmp_path: Path) -> None:
    """It looked, saw an old one, and its turn came when there was a new one."""
    program = write_program(tmp_path / "program", 'echo ran > "$output"')
    storage = DiskStorage(tmp_path / "results")
    key = "0" * 40
    reports: list[object] = []

    def report(told: "Progress | WaitsAgain") -> None:
        reports.append(told)

    def run(replaces: float | None) -> Progress:
        task = Task(key, command_of(program), (), storage, is_refresh=True, replaces=replaces)
        return run_task(task, report, lambda _: None)

    assert run(None).returncode == 0
    info = storage.info(key)
    assert info is not None
    assert run(info.published_at).returncode == 0
    again = storage.info(key)
    assert again is not None
    assert again.published_at > info.published_at
    assert run(info.published_at).returncode == 0
    assert storage.info(key) == again


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_what_is_no_age_is_refused(make_queue: MakeQueue, seconds: float) -> None:
    with pytest.raises(ValueError, match="refresh_after must be a number of seconds above 0"):
        make_queue(refresh_after=seconds)
