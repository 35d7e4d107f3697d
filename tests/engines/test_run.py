"""One run, and every way it can end, mapped to the last event."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import Progress
from workqueue.engines import Task
from workqueue.engines.run import run_task
from workqueue.program.command import command_of
from workqueue.storage import DiskStorage, Workspace
from workqueue.storage.base import Form


class BrokenStorage(DiskStorage):
    """A storage with a bug."""

    @contextlib.contextmanager
    def workspace(self, key: str, suffix: str = "", form: Form = "file") -> Iterator[Workspace]:  # type: ignore[override]
        raise LookupError("a secret detail")
        yield


def test_a_run_reports_progress_and_returns_how_it_ended(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo 0.5; echo built > "$output"')
    told: list[Progress] = []
    storage = DiskStorage(tmp_path / "storage")
    outcome = run_task(Task("key", command_of(program), ("a",), storage), told.append, lambda _: None)
    assert (told, outcome) == ([Progress(fraction=0.5)], Progress(fraction=1.0, returncode=0))
    assert storage.has("key")


def test_a_result_tells_the_name_of_its_program_and_how_long_it_ran(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo built > "$output"')
    storage, key = DiskStorage(tmp_path / "storage"), "0" * 40
    began = time.monotonic()
    run_task(Task(key, command_of(program), (), storage, name="build"), lambda _: None, lambda _: None)
    info = storage.info(key)
    assert info is not None
    assert info.name == "build"
    assert info.seconds is not None
    assert 0.0 < info.seconds <= time.monotonic() - began


def test_the_workspace_is_gone_when_the_outcome_is_known(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "exit 3")
    storage = DiskStorage(tmp_path / "storage")
    assert run_task(Task("key", command_of(program), (), storage), lambda _: None, lambda _: None).returncode == 3
    assert list(tmp_path.glob("storage/.tmp/*")) == []


def test_a_bug_ends_the_run_and_is_logged_but_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = Task("key", command_of(tmp_path / "program"), ("a",), BrokenStorage(tmp_path))
    outcome = run_task(task, lambda _: None, lambda _: None)
    assert outcome == Progress(
        fraction=1.0, returncode=-999, error="Internal error in workqueue: LookupError; its log has the details"
    )
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [(logging.ERROR, True)]


def test_a_report_that_raises_ends_the_program_and_the_run(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "echo 0.5; exec sleep 1000")

    def report(progress: Progress) -> None:
        raise LookupError("report")

    outcome = run_task(
        Task("key", command_of(program), ("a",), DiskStorage(tmp_path / "storage")), report, lambda _: None
    )
    assert outcome.error == "Internal error in workqueue: LookupError; its log has the details"


def test_a_task_does_not_show_its_arguments(tmp_path: Path) -> None:
    """One of them may be a secret."""
    task = Task("key", ("/program",), ("secret",), DiskStorage(tmp_path))
    assert repr(task) == "Task(key='key', program='/program')"
