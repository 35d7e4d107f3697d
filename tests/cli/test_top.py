"""`workqueue top STORAGE` and `workqueue cancel STORAGE KEY`, over jobs of real queues in this and other processes."""

import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from tests.processes.conftest import make_worker  # noqa: F401 - a fixture
from tests.processes.worker import Worker
from tests.servers.server import eventually
from workqueue import OverviewViewParams, WorkQueue
from workqueue.cli import main
from workqueue.naming import Naming
from workqueue.progress import CANCELLED
from workqueue.testing import ScriptedProgram

MakeQueue = Callable[..., WorkQueue]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        status = main(list(map(str, arguments)))
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def busy(make_queue: MakeQueue, program: ScriptedProgram) -> WorkQueue:
    """Runs "secret-a" at 0.5; "secret-b" and "secret-c" wait."""
    queue = make_queue(program.path, max_running=1)
    job, *_ = (ensure(queue, f"secret-{name}") for name in "abc")
    program.wait_reached("gate")
    eventually(lambda: job.current_progress.fraction == 0.5)
    return queue


def key_of(queue: WorkQueue, name: str) -> str:
    return queue.key_for_params((f"secret-{name}",))


def test_top_shows_who_runs_who_waits_and_what_ended(run: Run, busy: WorkQueue, program: ScriptedProgram) -> None:
    a, b, c = (key_of(busy, name) for name in "abc")
    status, text, err = run("top", busy.storage_dir, "--once")
    assert (status, err) == (0, "")
    lines = text.splitlines()
    assert lines[0] == "1 process, 1 of 1 running, 2 waiting"
    assert lines[1].startswith(f"  {a[:8]}   50% [##########..........]  ")
    assert lines[1].endswith(f"process {os.getpid()}")
    assert [line.split("  ")[1:3] for line in lines[2:]] == [[b[:8], "1 ahead"], [c[:8], "2 ahead"]]
    status, out, err = run("top", busy.storage_dir, "--once", "--json")
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert (data["max_running"], data["processes"], data["ends"]) == (1, 1, [])
    [running] = data["running"]
    assert (running["key"], running["fraction"], running["process"]) == (a, 0.5, str(os.getpid()))
    assert running["queued_at"] <= running["began_at"] <= time.time()
    waiting = [(each["key"], each["n_ahead"], each["began_at"]) for each in data["waiting"]]
    assert waiting == [(b, 1, None), (c, 2, None)]
    assert "secret" not in text + out
    program.release("gate", times=3)
    eventually(lambda: len(busy.ends()) == 3)
    eventually(lambda: not busy.jobs(everywhere=True))
    lines = run("top", busy.storage_dir, "--once")[1].splitlines()
    for line, key in zip(lines[1:], (c, b, a), strict=True):
        assert re.fullmatch(rf"  {key[:8]}  built, \d+ s ago, after \d+ s", line)
    ends = json.loads(run("top", busy.storage_dir, "--once", "--json")[1])["ends"]
    assert [(end["key"], end["returncode"], end["error"]) for end in ends] == [(key, 0, None) for key in (c, b, a)]


def test_top_shows_why_a_run_failed_without_secrets_or_what_moves_a_cursor(
    run: Run, make_queue: MakeQueue, tmp_path: Path
) -> None:
    program = write_program(tmp_path / "program", "printf 'first\\n\\033[2Jcannot use %s\\n' $3 >&2; exit 3")
    queue = make_queue(program)
    job = queue.ensure_run(OverviewViewParams("http://localhost", "1", "hunter2hunter2"))
    assert job is not None
    job.wait(10)
    text = run("top", queue.storage_dir, "--once")[1]
    assert ": " in text
    assert text.splitlines()[-1].endswith("cannot use ...")
    assert "\033" not in text
    [end] = json.loads(run("top", queue.storage_dir, "--once", "--json")[1])["ends"]
    assert end["stderr"] == "first\n\033[2Jcannot use ...\n"
    assert end["returncode"] == 3


def test_top_of_a_storage_that_nobody_uses(run: Run, tmp_path: Path) -> None:
    assert run("top", tmp_path, "--once") == (0, "0 running, 0 waiting\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("top", "--once"), ("cancel", "a", "--yes")])
def test_what_is_no_storage_of_this_host_is_told(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    name, *rest = command
    for storage, why in (
        (tmp_path / "nowhere", "there is no directory"),
        ("s3://bucket/prefix", "name the directory that the server gives its ObjectStorage"),
    ):
        status, out, err = run(name, storage, *rest)
        assert (status, out) == (2, "")
        assert why in err


def test_top_wants_a_storage_or_a_cluster(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKQUEUE_NATS_URL", raising=False)
    status, _, err = run("top", "--once")
    assert (status, "name a STORAGE" in err) == (2, True)
    status, _, err = run("top", tmp_path, "--nats", "nats://127.0.0.1:1")
    assert (status, "not both" in err) == (2, True)
    monkeypatch.setenv("WORKQUEUE_NATS_URL", "nats://127.0.0.1:1")
    assert run("top", tmp_path, "--once")[0] == 0


def test_only_so_many_that_wait_are_shown_to_people(run: Run, make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=1)
    for number in range(30):
        ensure(queue, str(number))
    text = run("top", queue.storage_dir, "--once")[1]
    assert "  ... and 9 more" in text
    assert len(json.loads(run("top", queue.storage_dir, "--once", "--json")[1])["waiting"]) == 29


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: object, env: dict[str, str] | None = None) -> None:
        self.ours, theirs = pty.openpty()
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workqueue", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": path, "TERM": "xterm", "COLUMNS": "100", "LINES": "40", **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, word: str) -> str:
        while word not in self.text:
            data = os.read(self.ours, 4096)  # raises, or is empty, when the command has ended
            assert data, self.text
            self.text += data.decode(errors="replace")
        return self.text

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_top_is_drawn_anew_on_a_terminal(busy: WorkQueue, program: ScriptedProgram) -> None:
    with Terminal("top", busy.storage_dir) as terminal:
        terminal.read_until("2 waiting")
        terminal.read_until(key_of(busy, "c")[:8])
        assert "━" in terminal.text
        program.release("gate")
        terminal.read_until("1 waiting")
        terminal.read_until("built")
        assert "\033[1A" in terminal.text  # the cursor goes up: nothing is scrolled
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_until("Interrupted.")
        assert terminal.process.wait() == 130


def test_cancel_stops_a_job_of_another_process(
    run: Run,
    make_worker: Callable[..., Worker],  # noqa: F811 - the fixture
    program: ScriptedProgram,
    tmp_path: Path,
) -> None:
    worker, other = make_worker(max_running=1), make_worker(max_running=1)
    worker.tell("ask", "a")
    program.wait_reached("gate")
    worker.hear_fraction("a", 0.5)
    other.tell("ask", "b")
    other.hear("b", lambda what: what[0] == 1)
    a, b = (Naming("program").key((name,)) for name in "ab")
    storage = tmp_path / "storage"
    assert run("cancel", storage, b, "--yes") == (0, f"{b}\n", "")
    assert other.hear_end("b") == CANCELLED
    assert run("cancel", storage, a[:10], "--yes") == (0, f"{a}\n", "")
    assert worker.hear_end("a") == CANCELLED
    status, out, err = run("cancel", storage, a, "--yes")
    assert (status, out) == (1, "")
    assert f"has a key that begins with {a}" in err
    worker.tell("ask", "a")  # a new one
    program.wait_reached("gate")
    program.release("gate")
    assert worker.hear_end("a", after=3) == 0


def test_a_beginning_that_several_keys_have_cancels_nothing(
    run: Run, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=1)
    # Of 17 keys two begin alike.
    keys = sorted(ensure(queue, str(number)).key for number in range(17))
    first = next(one[0] for one, other in itertools.pairwise(keys) if one[0] == other[0])
    status, out, err = run("cancel", queue.storage_dir, first, "--yes")
    assert (status, out) == (2, "")
    assert {line.strip() for line in err.splitlines()[1:]} == {key for key in keys if key.startswith(first)}
    assert len(queue.jobs(everywhere=True)) == 17


def test_where_nobody_can_answer_nothing_is_cancelled(
    run: Run, busy: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115, PTH123 - closed below
    status, out, err = run("cancel", busy.storage_dir, key_of(busy, "a"))
    sys.stdin.close()
    assert (status, out) == (2, "")
    assert "add --yes" in err
    assert len(busy.jobs()) == 3


def test_an_empty_key_is_refused(run: Run, busy: WorkQueue) -> None:
    with pytest.raises(SystemExit) as exit_of:
        run("cancel", busy.storage_dir, "", "--yes")
    assert exit_of.value.code == 2
    assert len(busy.jobs()) == 3


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_it_asks(busy: WorkQueue, answer: str, status: int) -> None:
    key = key_of(busy, "a")
    job = busy.live_job(("secret-a",))
    assert job is not None
    with Terminal("cancel", busy.storage_dir, key[:12]) as terminal:
        assert f"Cancel the job {key}, which has done 50%, for everybody" in terminal.read_until("[y/N]")
        assert not job.state.is_final
        os.write(terminal.ours, answer.encode())
        terminal.read_until(f"\r\n{key}\r\n" if status == 0 else "Nothing was cancelled.")
        assert terminal.process.wait() == status
    if status == 0:
        assert job.wait(10).returncode == CANCELLED
    else:
        assert job.state.value == "running"
