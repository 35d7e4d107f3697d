r"""What code written for overview-plugin-workqueue 1.0.1 relies on."""

import logging
import pathlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import OverviewViewParams, Progress, WorkQueue

PARAMS = OverviewViewParams("https://www.overviewdocs.com", "123", "token")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def last_event(tmp_path: Path, executor: ThreadPoolExecutor, text: str) -> Progress:
    """How 1.0.1's users ran a job."""
    work_queue = WorkQueue(write_program(tmp_path / "program", text), executor, tmp_path / "storage")
    job = work_queue.ensure_run(PARAMS)
    assert job is not None
    *before, last = work_queue.report_job_progress_until_completed(job)
    assert all(progress.returncode is None for progress in before)
    work_queue.close()  # which those users do not call: the interpreter's end does
    return last


def test_the_constructors_arguments_have_their_order(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    write_program(tmp_path / "program", "exit 0")
    work_queue = WorkQueue(tmp_path / "program", executor, tmp_path / "storage")
    assert work_queue.program_path == tmp_path / "program"
    assert work_queue.executor is executor
    assert work_queue.storage_dir == tmp_path / "storage"
    assert isinstance(work_queue.storage_dir, pathlib.Path)


def test_the_constructors_arguments_have_their_names(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    write_program(tmp_path / "program", "exit 0")
    work_queue = WorkQueue(program_path=tmp_path / "program", executor=executor, storage_dir=tmp_path / "storage")
    assert (work_queue.program_path, work_queue.storage_dir) == (tmp_path / "program", tmp_path / "storage")


def test_params_and_progress_have_their_fields() -> None:
    assert OverviewViewParams._fields == ("server", "document_set_id", "api_token")
    assert Progress()._asdict() == {
        "n_ahead_in_queue": 0,
        "fraction": 0.0,
        "message": None,
        "returncode": None,
        "error": None,
    }
    assert Progress(1, 0.5, "message", 2, "error").error == "error"


def test_a_program_is_given_the_three_parameters_and_its_output(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    text = 'echo "$# $1 $2 $3" > "$4"'
    assert last_event(tmp_path, executor, text) == Progress(fraction=1.0, returncode=0)
    [result] = [path for path in (tmp_path / "storage").iterdir() if path.is_file()]
    assert result.read_text() == "4 https://www.overviewdocs.com 123 token\n"


def test_the_finished_file_lies_at_the_destination_path_and_nothing_is_left_to_run(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    assert last_event(tmp_path, executor, "echo built > $output").returncode == 0
    work_queue = WorkQueue(tmp_path / "program", executor, tmp_path / "storage")
    assert work_queue.ensure_run(PARAMS) is None
    assert work_queue.destination_path_for_params(PARAMS).read_text() == "built\n"


def test_a_job_knows_its_params(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    work_queue = WorkQueue(write_program(tmp_path / "program", "exit 1"), executor, tmp_path / "storage")
    job = work_queue.ensure_run(PARAMS)
    assert job is not None
    assert job.params is PARAMS
    job.wait(10)
    work_queue.close()


@pytest.mark.parametrize(
    ("text", "returncode", "error"),
    [
        ("echo reason >&2; exit 1", 1, "Exited with code 1\nstderr:\nreason\n"),
        ("echo 0.5; exit 2", 2, "Exited with code 2\nstderr:\n"),
        ("kill -9 $$", -9, "Exited with code -9\nstderr:\n"),
    ],
)
def test_a_program_that_fails_ends_at_fraction_1_with_its_status_and_stderr(
    tmp_path: Path, executor: ThreadPoolExecutor, text: str, returncode: int, error: str
) -> None:
    assert last_event(tmp_path, executor, text) == Progress(0, 1.0, None, returncode, error)


def test_a_program_that_writes_nothing_has_no_exit_status_that_explains_it(
    tmp_path: Path, executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    last = last_event(tmp_path, executor, "exit 0")
    reason = "invalid program: it should have written to its output file"
    assert (last.fraction, last.returncode) == (1.0, -999)
    assert last.error == f"Exited with code -999\nstderr:\n{reason}"
    assert caplog.record_tuples == [("workqueue", logging.WARNING, reason)]


def test_a_program_that_deletes_its_output(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    last = last_event(tmp_path, executor, 'rm "$output"')
    assert last.returncode == -999
    assert "Failed to stat output file: [Errno 2] No such file or directory: '" in (last.error or "")


def test_a_program_that_cannot_start_has_no_exit_status(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    program = write_program(tmp_path / "missing", "exit 0")
    work_queue = WorkQueue(program, executor, tmp_path / "storage")
    program.unlink()
    job = work_queue.ensure_run(PARAMS)
    assert job is not None
    assert list(work_queue.report_job_progress_until_completed(job))[-1].returncode == -999
    work_queue.close()


def test_a_bad_line_is_logged_in_these_words(
    tmp_path: Path, executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """A tab is written as a backslash and a t, and the line as Python would write it."""
    assert last_event(tmp_path, executor, 'echo junk; echo built > "$output"').returncode == 0
    assert caplog.record_tuples == [
        ("workqueue", logging.WARNING, "invalid program: stdout must look like '0.25\\tmessage'; got 'junk'")
    ]


def test_progress_is_told_with_its_message(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    text = 'printf "0.25\\tmessage\\n"; echo built > "$output"'
    work_queue = WorkQueue(write_program(tmp_path / "program", text), executor, tmp_path / "storage")
    job = work_queue.ensure_run(PARAMS)
    assert job is not None
    job.wait(10)
    told: list[Progress] = []
    job.progress.subscribe(told.append)
    assert told[-2:] == [Progress(0, 0.25, "message"), Progress(0, 1.0, None, 0)]
    work_queue.close()
