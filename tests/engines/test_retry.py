"""A program that exits with status 75 is run again after a while; meanwhile its job takes no place from others."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import Job, Progress, State, WorkQueue
from workqueue.engines.local.later import Later
from workqueue.program.retry import Retry, check_retry, why_it_waits
from workqueue.progress import failed_exit
from workqueue.streams import to_callback
from workqueue.testing import collect

MakeQueue = Callable[..., WorkQueue]

#: Fails for a while until there is the file that its first field names.
PROGRAM = """
echo 0.5
if [ -e "$1" ]; then echo built > "$output"; exit 0; fi
echo the server is being updated >&2
exit 75
"""

REASON = "Waits to be run again: the server is being updated"


def ensure(queue: WorkQueue, *fields: object) -> Job:
    job = queue.ensure_run(tuple(map(str, fields)))
    assert job is not None
    return job


def wait_until_it_rests(job: Job) -> None:
    """Until it was told that it waits to be run again."""
    rests = to_event(job, lambda progress: progress.message == REASON)
    assert rests.wait(20)


def to_event(job: Job, condition: Callable[[Progress], bool]) -> threading.Event:
    event = threading.Event()
    to_callback(job.progress, lambda progress: event.set() if condition(progress) else None)
    return event


def test_it_is_run_again_until_it_succeeds(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", PROGRAM), retries=1000, retry_delay=0.01)
    job = ensure(queue, tmp_path / "file")
    wait_until_it_rests(job)
    (tmp_path / "file").touch()
    assert job.wait(20) == Progress(fraction=1.0, returncode=0)


def test_its_watchers_are_told_why_it_waits(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", PROGRAM), retries=1, retry_delay=0.01)
    events = collect(ensure(queue, tmp_path / "file"))
    messages = [event.message for event in events]
    assert messages.count(REASON) == 1
    assert [event.fraction for event in events].count(0.5) == 2
    # As often as it may, and then it has failed as any other.
    assert events[-1] == failed_exit(75, "the server is being updated\n")


def test_without_retries_it_is_a_failure_like_others(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", PROGRAM))
    assert collect(ensure(queue, tmp_path / "file"))[-1] == failed_exit(75, "the server is being updated\n")


def test_while_it_waits_others_run_and_it_is_known_to_wait(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", PROGRAM)
    queue = make_queue(program, retries=1, retry_delay=3600.0, max_running=1)
    (tmp_path / "there").touch()
    job = ensure(queue, tmp_path / "file")
    wait_until_it_rests(job)
    assert job.state is State.PENDING
    assert job.current_progress == Progress(message=REASON)
    assert ensure(queue, tmp_path / "file") is job
    assert ensure(queue, tmp_path / "there").wait(20).returncode == 0
    assert queue.statistics().pending == 1


def test_it_can_be_cancelled_while_it_waits(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", PROGRAM)
    queue = make_queue(program, retries=1, retry_delay=3600.0)
    job = ensure(queue, tmp_path / "file")
    wait_until_it_rests(job)
    assert job.cancel()
    assert job.wait(20).returncode == -998
    (tmp_path / "file").touch()
    assert ensure(queue, tmp_path / "file").wait(20).returncode == 0


def test_a_queue_that_is_closed_does_not_wait_for_it(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", PROGRAM), retries=1, retry_delay=3600.0)
    job = ensure(queue, tmp_path / "file")
    wait_until_it_rests(job)
    queue.close()
    last = job.wait(0)
    assert last.returncode == -999
    assert last.error == "The work queue was closed before this job began."


def test_cancels_that_meet_its_end_are_heard(make_queue: MakeQueue, tmp_path: Path) -> None:
    """Wherever a cancel falls between an exit and the waiting, the job ends at once."""
    queue = make_queue(write_program(tmp_path / "program", "exit 75"), retries=1, retry_delay=3600.0)
    for i in range(30):
        job = ensure(queue, i)
        time.sleep(i * 0.0005)
        job.cancel()
        assert job.wait(20).returncode in (-998, 75)


def test_processes_that_share_a_storage_wait_for_it_together(make_queue: MakeQueue, tmp_path: Path) -> None:
    """Nobody else runs the key meanwhile: another queue is told the same, and the same end."""
    program = write_program(tmp_path / "program", f'echo run >> "{tmp_path}/runs"\n{PROGRAM}')
    one, two = (make_queue(program, retries=1000, retry_delay=0.2) for _ in range(2))
    first = ensure(one, tmp_path / "file")
    wait_until_it_rests(first)
    second = ensure(two, tmp_path / "file")
    wait_until_it_rests(second)
    assert second.state is State.PENDING
    (tmp_path / "file").touch()
    assert first.wait(20).returncode == second.wait(20).returncode == 0
    assert list((tmp_path / "storage" / ".jobs").glob("?" * 40)) == []


def test_another_queue_cancels_it_while_it_waits(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", PROGRAM)
    one, two = (make_queue(program, retries=1, retry_delay=3600.0) for _ in range(2))
    first = ensure(one, tmp_path / "file")
    wait_until_it_rests(first)
    second = ensure(two, tmp_path / "file")
    wait_until_it_rests(second)
    second.cancel()
    assert first.wait(20).returncode == second.wait(20).returncode == -998


@pytest.mark.parametrize(
    "retry",
    [
        Retry(-1),
        Retry(1.5),  # type: ignore[arg-type]
        Retry(True),
        Retry(1, -1.0),
        Retry(1, float("inf")),
        Retry(1, float("nan")),
    ],
)
def test_what_can_be_no_retry_is_refused(make_queue: MakeQueue, tmp_path: Path, retry: Retry) -> None:
    with pytest.raises(ValueError, match=r"retries must be a whole number|retry_delay must be a number of seconds"):
        check_retry(retry)
    with pytest.raises(ValueError, match="retr"):
        make_queue("/bin/sh", retries=retry.retries, retry_delay=retry.delay)


def test_the_reason_is_the_last_line_of_stderr_or_the_status() -> None:
    assert why_it_waits(failed_exit(75, "one\ntwo\n\n")) == "Waits to be run again: two"
    assert why_it_waits(failed_exit(75, "\n")) == "Waits to be run again: its program exited with status 75"
    assert len(why_it_waits(failed_exit(75, "x" * 1000))) < 300


def test_calls_come_when_they_are_due_in_their_order_and_what_raises_harms_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    later, called, done = Later(), [], threading.Event()

    def fail() -> None:
        raise LookupError("later")

    later.call(0.03, lambda: (called.append("second"), done.set()))
    later.call(0.01, fail)
    later.call(0.02, lambda: called.append("first"))
    later.call(3600.0, lambda: called.append("never"))
    assert done.wait(20)
    later.close()
    later.call(0.0, lambda: called.append("after the close"))
    assert called == ["first", "second"]
    assert "exception in workqueue" in caplog.text


def test_without_a_thread_to_wait_in_it_is_called_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    called: list[str] = []
    Later().call(3600.0, lambda: called.append("now"))
    assert called == ["now"]
