"""Several processes with one storage act as one."""

from pathlib import Path

import pytest

from tests.processes.conftest import MakeWorker
from workqueue.testing import ScriptedProgram, exit_with, print_error, wait

#: For a process that gives its programs more time between SIGTERM and SIGKILL than a slow machine takes for a test.
PATIENT = "from workqueue.engines.local import engine; engine.TERMINATE_SECONDS = 600.0"


def left_in(storage: Path) -> list[str]:
    """What is in a storage besides results."""
    found = [path.name for name in (".jobs", ".tmp") for path in (storage / name).glob("*")]
    return sorted(name for name in found if name not in (".cancelled", ".ends", ".line"))


def test_one_program_runs_and_all_see_it(make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path) -> None:
    workers = [make_worker() for _ in range(4)]
    for worker in workers:
        worker.tell("ask", "a")
    program.wait_reached("gate")
    for worker in workers:
        worker.hear_fraction("a", 0.5)
    program.release("gate")
    assert [worker.hear_end("a") for worker in workers] == [0] * 4
    assert len(program.runs) == 1
    assert left_in(tmp_path / "storage") == []


def test_another_process_that_is_busy_shows_the_run_and_takes_no_slot_for_it(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    owner, busy = (make_worker(max_running=1, max_running_on_host=2) for _ in range(2))
    busy.tell("ask", "own")
    program.wait_reached("gate")
    owner.tell("ask", "a")
    program.wait_reached("gate")
    busy.tell("ask", "a")
    busy.hear_fraction("a", 0.5)
    program.release("gate", times=2)
    assert busy.hear_end("a") == busy.hear_end("own") == 0
    assert len(program.runs) == 2


def test_a_job_that_waits_shows_the_run_that_begins_elsewhere(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    busy, other = (make_worker(max_running=1, max_running_on_host=2) for _ in range(2))
    busy.tell("ask", "own")
    program.wait_reached("gate")
    busy.tell("ask", "a")
    busy.hear("a", lambda what: what[0] == 1)
    other.tell("ask", "a")
    program.wait_reached("gate")
    busy.hear_fraction("a", 0.5)
    program.release("gate", times=2)
    assert busy.hear_end("a") == other.hear_end("a") == 0
    assert len(program.runs) == 2


def test_one_thread_follows_any_number(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    owner, follower = make_worker(max_running=5), make_worker(max_running=1)
    keys = [str(i) for i in range(5)]
    for key in keys:
        owner.tell("ask", key)
        program.wait_reached("gate")
        follower.tell("ask", key)
        follower.hear_fraction(key, 0.5)
    follower.tell("threads", "threads")
    names = follower.hear("threads", bool)
    assert names.count("workqueue-follower") == 1
    assert not any(name.startswith("workqueue_") for name in names)
    program.release("gate", times=5)
    assert [follower.hear_end(key) for key in keys] == [0] * 5


def test_a_failure_is_told_to_all_and_remembered_by_all(make_worker: MakeWorker, tmp_path: Path) -> None:
    with ScriptedProgram(tmp_path / "failing", wait("gate"), print_error("no such set"), exit_with(3)) as failing:
        owner, other, late = (make_worker(failing.path, failure_ttl=60.0) for _ in range(3))
        owner.tell("ask", "a")
        failing.wait_reached("gate")
        other.tell("ask", "a")
        other.hear("a", lambda what: what[0] == 0)
        failing.release("gate")
        assert owner.hear_end("a") == other.hear_end("a") == 3
        late.tell("ask", "a")
        assert late.hear_end("a") == 3
        assert late.said("a")[-1][4] == "Exited with code 3\nstderr:\nno such set"
        assert len(failing.runs) == 1
        failing.release("gate")
        late.tell("refresh", "a")
        assert late.hear_end("a", after=1) == 3
        assert len(failing.runs) == 2


@pytest.mark.parametrize("who", ["owner", "follower"])
def test_a_cancel_in_any_process_is_for_all(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path, who: str
) -> None:
    workers = {name: make_worker(max_running=1, max_running_on_host=2) for name in ("owner", "follower", "busy")}
    workers["busy"].tell("ask", "own")
    program.wait_reached("gate")
    workers["owner"].tell("ask", "a")
    program.wait_reached("gate")
    for name in ("follower", "busy"):
        workers[name].tell("ask", "a")
        workers[name].hear_fraction("a", 0.5)
    workers[who].tell("cancel", "a")
    assert [worker.hear_end("a") for worker in workers.values()] == [-998] * 3
    program.release("gate")
    assert workers["busy"].hear_end("own") == 0
    assert left_in(tmp_path / "storage") == []


def test_a_cancel_ends_what_waits_in_another_process(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    one, other = (make_worker(max_running=1, max_running_on_host=2) for _ in range(2))
    for worker, key in ((one, "b"), (other, "c")):
        worker.tell("ask", key)
        program.wait_reached("gate")
    for worker in (one, other):
        worker.tell("ask", "a")
        worker.hear("a", lambda what: what[0] == 2)
    one.tell("cancel", "a")
    assert one.hear_end("a") == other.hear_end("a") == -998
    program.release("gate", times=2)
    assert one.hear_end("b") == other.hear_end("c") == 0


def test_who_asks_while_a_run_is_cancelled_gets_a_new_one_after_it(make_worker: MakeWorker, tmp_path: Path) -> None:
    """The program that is cancelled takes its time, and in another process somebody asks again meanwhile."""
    stubborn = tmp_path / "stubborn"
    log, gate = tmp_path / "log", tmp_path / "gate"
    stubborn.write_text(
        f"#!/bin/sh\nfor output; do :; done\ntrap '' TERM\necho begin >> '{log}'\necho 0.5\n"
        f"while [ ! -e '{gate}' ]; do sleep 0.01; done\necho built > \"$output\"\n"
        f"if [ $(wc -l < '{log}') = 1 ]; then exit 9; fi\n"
    )
    stubborn.chmod(0o755)
    owner, other = make_worker(stubborn), make_worker(stubborn)
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    owner.tell("cancel", "a")
    owner.tell("state", "a")
    owner.hear("a state", lambda what: what == "cancelling")
    other.tell("ask", "a")
    other.tell("state", "a")
    other.hear("a state", lambda what: what == "pending")
    gate.touch()
    assert owner.hear_end("a") == -998
    assert other.hear_end("a") == 0
    assert log.read_text() == "begin\n" * 2


@pytest.fixture
def stubborn(tmp_path: Path) -> Path:
    """A program that says when it is told to stop, and builds nevertheless when there is a gate of its run's number."""
    path = tmp_path / "stubborn"
    path.write_text(
        f"#!/bin/sh\nfor output; do :; done\ntrap 'echo 0.7' TERM\necho begin >> '{tmp_path}/log'\n"
        # Before it says that it runs, and may be told to stop: that would end what counts, too.
        f"gate='{tmp_path}/gate'$(($(wc -l < '{tmp_path}/log')))\necho 0.5\n"
        'while [ ! -e "$gate" ]; do sleep 0.01; done\necho built > "$output"\n'
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("refresh", [False, True])
def test_a_client_that_asks_where_a_run_is_made_while_another_process_cancels_it_does_not_join_it(
    make_worker: MakeWorker, stubborn: Path, tmp_path: Path, refresh: bool
) -> None:
    """And if it succeeds all the same, that is the answer, but to a refresh."""
    owner, other = (make_worker(stubborn, before=PATIENT) for _ in range(2))
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    other.tell("ask", "a")
    other.hear_fraction("a", 0.5)
    other.tell("cancel", "a")
    owner.hear_fraction("a", 0.7)
    for worker in (owner, other):
        worker.tell("refresh" if refresh else "ask", "a")
        worker.tell("state", "a")
        assert worker.hear("a state", bool) == "pending"
    (tmp_path / "gate1").touch()
    assert owner.hear_end("a") == other.hear_end("a") == 0
    n_said = {
        worker: next(i for i, what in enumerate(worker.said("a"), 1) if what[3] is not None)
        for worker in (owner, other)
    }
    if refresh:
        for worker in (owner, other):
            worker.hear_fraction("a", 0.5, after=n_said[worker])
        (tmp_path / "gate2").touch()
    for worker in (owner, other):
        assert worker.hear_end("a", after=n_said[worker]) == 0
    assert (tmp_path / "log").read_text() == "begin\n" * (2 if refresh else 1)


@pytest.mark.parametrize("how", ["cancel", "close", "drain"])
def test_what_waits_for_the_end_of_a_cancelled_run_ends_at_once(
    make_worker: MakeWorker, stubborn: Path, tmp_path: Path, how: str
) -> None:
    """It is another process's run, and takes its time; a cancel ends those that wait in all processes."""
    owner, other, third = (make_worker(stubborn, before=PATIENT) for _ in range(3))
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    owner.tell("cancel", "a")
    owner.hear_fraction("a", 0.7)
    for worker in (other, third):
        worker.tell("ask", "a")
        worker.tell("state", "a")
        assert worker.hear("a state", bool) == "pending"
    other.tell(how, "a")
    assert other.hear_end("a") == (-998 if how == "cancel" else -999)
    if how == "cancel":
        assert third.hear_end("a") == -998
    (tmp_path / "gate1").touch()
    assert owner.hear_end("a") == 0
    assert third.hear_end("a") == (-998 if how == "cancel" else 0)


def test_a_server_that_stops_leaves_its_run_to_those_who_watch(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    owner, other = make_worker(), make_worker()
    owner.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "a")
    other.hear_fraction("a", 0.5)
    owner.tell("close")
    owner.hear("", lambda what: what == "closed")
    program.wait_reached("gate")
    program.release("gate")
    assert owner.hear_end("a") == -15
    assert other.hear_end("a") == 0


def test_who_leaves_another_processs_run_lets_it_go_on(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    owner, other = make_worker(), make_worker()
    owner.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "a")
    other.hear_fraction("a", 0.5)
    other.tell("close")
    assert other.hear_end("a") == -999
    program.release("gate")
    assert owner.hear_end("a") == 0


def test_a_job_that_nobody_watches_here_is_left_to_those_elsewhere(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    """Its owner abandons it, and it begins anew where somebody watches it: it is not cancelled for him."""
    owner, other = make_worker(abandon_after=2.0), make_worker()
    owner.tell("ask and leave", "a")
    program.wait_reached("gate")
    other.tell("ask", "a")
    program.wait_reached("gate")
    program.release("gate")
    assert other.hear_end("a") == 0
    assert len(program.runs) == 2


def test_who_follows_a_run_that_nobody_else_watches_may_abandon_it_alone(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    owner, other = make_worker(), make_worker(abandon_after=0.05)
    owner.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask and leave", "a")
    other.tell("await nothing", "a")
    other.hear("a idle", lambda what: what is True)
    program.release("gate")
    assert owner.hear_end("a") == 0
    assert len(program.runs) == 1


def test_a_refresh_is_shared_and_built_again(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    one, other = make_worker(), make_worker()
    one.tell("ask", "a")
    program.wait_reached("gate")
    program.release("gate")
    assert one.hear_end("a") == 0
    other.tell("refresh", "a")
    program.wait_reached("gate")
    n_said = len(one.said("a"))
    one.tell("refresh", "a")
    one.hear_fraction("a", 0.5, after=n_said)
    program.release("gate")
    assert one.hear_end("a", after=n_said) == other.hear_end("a") == 0
    assert len(program.runs) == 2


def test_no_more_run_on_the_host_than_may(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    workers = [make_worker(max_running=2) for _ in range(3)]
    for i, worker in enumerate(workers):
        for j in range(2):
            worker.tell("ask", f"{i}{j}")
    program.wait_reached("gate")
    for n_running in range(2, 7):
        program.wait_reached("gate")
        assert len(program.runs) == n_running
        program.release("gate")
    program.release("gate")
    for i, worker in enumerate(workers):
        assert [worker.hear_end(f"{i}{j}") for j in range(2)] == [0, 0]


def test_what_waits_for_another_processs_run_can_be_cancelled(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    one, other = (make_worker(max_running_on_host=1) for _ in range(2))
    one.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "b")
    other.hear("b", lambda what: what[0] == 1)
    other.tell("cancel", "b")
    assert other.hear_end("b") == -998
    program.release("gate")
    assert one.hear_end("a") == 0


def test_a_forked_child_has_a_queue_of_its_own(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    """Forked while its parent runs the key: it follows that run, and its parent's threads are not missed."""
    worker = make_worker()
    worker.tell("ask", "other")
    program.wait_reached("gate")
    program.release("gate", times=2)
    worker.tell("fork", "a")
    assert worker.hear("a", lambda what: what[0] == "child")[1][3] == 0
    assert worker.hear_end("other") == 0
    assert [run[0] for run in program.runs] == ["other", "a"]


def test_an_end_needs_no_second_look(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    """Who asks for what has been built elsewhere is told so."""
    one, other = make_worker(), make_worker()
    one.tell("ask", "a")
    program.wait_reached("gate")
    program.release("gate")
    assert one.hear_end("a") == 0
    other.tell("ask", "a")
    other.hear("a", lambda what: what == "built")


def test_a_journal_that_cannot_be_is_told(make_worker: MakeWorker, tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / ".jobs").write_text("a file")
    worker = make_worker()
    worker.tell("ask", "a")
    assert worker.hear_end("a") == -999
    assert "Cannot make the directory .jobs" in worker.said("a")[-1][4]
