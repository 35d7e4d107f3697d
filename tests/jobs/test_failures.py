"""FailureFiles that are remembered, and results that are built again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tests.conftest import ensure, write_program
from workqueue import Progress, WorkQueue
from workqueue.jobs.failures import _OURS, MAX_REMEMBERED, FailureFiles
from workqueue.progress import failed_exit
from workqueue.testing import ManualEngine, ScriptedProgram, collect, exit_with, print_error

MakeQueue = Callable[..., WorkQueue]


FAILURE = failed_exit(1, "why")


def test_a_failure_is_remembered_for_its_time_by_all(tmp_path: Path) -> None:
    now = [0.0]
    failures, others = (FailureFiles(10.0, tmp_path / "failed", lambda: now[0]) for _ in range(2))
    failures.remember("a", FAILURE)
    now[0] = 9.9
    assert failures.get("a") == others.get("a") == FAILURE
    now[0] = 10.0
    assert failures.get("a") is others.get("a") is None
    assert list((tmp_path / "failed").iterdir()) == []


def test_a_failure_is_forgotten_by_all(tmp_path: Path) -> None:
    failures, others = (FailureFiles(10.0, tmp_path) for _ in range(2))
    failures.remember("a", FAILURE)
    others.forget("a")
    assert failures.get("a") is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[1",
        b"[]",
        b"{}",
        b'["a", 1, "b"]',
        b"[" * 90_000,
        b'[99.0, null, "why"]',
        b'[99.0, true, "why"]',
        b'[99.0, 0, "why"]',
        b'[99.0, 256, "why"]',
        b"[99.0, 1, 7]",
        b'[true, 1, "why"]',
        b'[NaN, 1, "why"]',
        b'[101.0, 1, "why"]',
        b'[99.0, 1, "' + b"x" * 2**20 + b'"]',
    ],
    ids=range(15),
)
def test_a_file_that_is_no_failure_is_none(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(text)
    assert FailureFiles(10.0, tmp_path, lambda: 100.0).get("a") is None


def test_what_is_no_failure_of_ours_is_neither_counted_nor_removed(tmp_path: Path) -> None:
    failures = FailureFiles(10.0, tmp_path)
    for i in range(MAX_REMEMBERED):
        (tmp_path / f"note-{i}").touch()
    for i in range(MAX_REMEMBERED + 1):
        failures.remember(f"{i:040x}", FAILURE)
    assert len(list(tmp_path.glob("note-*"))) == MAX_REMEMBERED
    assert failures.get(f"{0:040x}") is None
    assert failures.get(f"{1:040x}") is not None


def test_a_disk_that_takes_no_failure_costs_no_more_than_that(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "failed").write_text("a file")
    FailureFiles(10.0, tmp_path / "failed").remember("a", FAILURE)
    assert "cannot remember a failure: " in caplog.text


@pytest.mark.parametrize("returncode", [0, -9, -15, -998, -999])
def test_only_an_exit_of_the_programs_own_is_remembered(returncode: int, tmp_path: Path) -> None:
    failures = FailureFiles(10.0, tmp_path)
    failures.remember("a", FAILURE._replace(returncode=returncode))
    assert list(tmp_path.iterdir()) == []
    assert failures.get("a") is None


@pytest.mark.parametrize("returncode", [1, 255])
def test_every_exit_status_of_a_failure_is_remembered(returncode: int, tmp_path: Path) -> None:
    failures = FailureFiles(10.0, tmp_path)
    failures.remember("a", FAILURE._replace(returncode=returncode))
    assert failures.get("a") == FAILURE._replace(returncode=returncode)


def test_what_is_half_written_has_a_name_by_which_it_is_found_when_its_writer_dies(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    replace = mocker.spy(Path, "replace")
    FailureFiles(10.0, tmp_path).remember(40 * "a", FAILURE)
    [path, _] = replace.call_args.args
    assert _OURS.fullmatch(path.name)


def test_no_more_are_remembered_than_there_is_room_for(tmp_path: Path) -> None:
    failures = FailureFiles(10.0, tmp_path)
    for i in range(MAX_REMEMBERED + 5):
        failures.remember(f"{i:040x}", FAILURE)
    assert failures.get(f"{4:040x}") is None
    assert failures.get(f"{5:040x}") is not None


def test_who_asks_again_is_told_of_the_failure_and_nothing_runs(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", print_error("no such set"), exit_with(3))
    queue = make_queue(program.path, failure_ttl=60.0)
    first = ensure(queue, "a")
    assert first.wait(10).returncode == 3
    again = ensure(queue, "a")
    assert collect(again)[-1].error == "Exited with code 3\nstderr:\nno such set"
    assert len(program.runs) == 1
    anew = queue.ensure_run(("a",), refresh=True)
    assert anew is not None
    assert anew is not first
    assert anew.wait(10).returncode == 3
    assert len(program.runs) == 2


def test_without_a_ttl_a_failure_runs_again(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", exit_with(3))
    queue = make_queue(program.path)
    for n in (1, 2):
        assert ensure(queue, "a").wait(10).returncode == 3
        assert len(program.runs) == n


def test_a_cancelled_job_and_a_killed_program_are_not_remembered(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", "kill -9 $$"), failure_ttl=60.0)
    first = ensure(queue, "a")
    assert first.wait(10).returncode == -9
    assert ensure(queue, "a") is not first


def test_a_failure_between_two_looks_is_told_and_not_run_again(
    engine: ManualEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails after a caller has found no failure, and before that caller reserves the key."""
    queue = WorkQueue("program", storage_dir=tmp_path, engine=engine, failure_ttl=60.0)
    first = ensure(queue, "a")
    engine.start(first)
    get = FailureFiles.get

    def get_then_fail(self: FailureFiles, key: str) -> Progress | None:
        found = get(self, key)
        if engine.tasks:
            monkeypatch.undo()
            engine.fail(first, 3, "no")
        return found

    monkeypatch.setattr(FailureFiles, "get", get_then_fail)
    again = ensure(queue, "a")
    assert again is not first
    assert again.wait(0) == failed_exit(3, "no")
    assert engine.tasks == []
    assert queue.jobs() == []


def test_the_old_result_serves_until_the_new_one_takes_its_place(queue: WorkQueue, engine: ManualEngine) -> None:
    first = ensure(queue, "a")
    engine.start(first)
    engine.succeed(first, b"old")
    path = queue.destination_path_for_params(("a",))
    second = queue.ensure_run(("a",), refresh=True)
    assert second is not None
    assert queue.ensure_run(("a",), refresh=True) is second
    assert queue.ensure_run(("a",)) is None
    engine.start(second)
    assert path.read_bytes() == b"old"
    engine.succeed(second, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("ttl", [-1.0, float("nan"), float("inf")])
def test_a_ttl_that_is_no_time_is_refused(ttl: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="failure_ttl must be a number of seconds"):
        WorkQueue("program", storage_dir=tmp_path, failure_ttl=ttl)
