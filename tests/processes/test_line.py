"""The one line of several processes, when one of them is killed or stopped, forks, or has its files taken away."""

import itertools
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.processes.conftest import MakeWorker
from tests.processes.worker import Worker
from tests.servers.server import eventually
from workqueue.testing import ScriptedProgram


def place(worker: Worker, key: str, n_ahead: int) -> None:
    """Wait until this is a key's place."""
    eventually(lambda: worker.said(key)[-1][0] == n_ahead)


def occupied(make_worker: MakeWorker, program: ScriptedProgram) -> tuple[Worker, Worker, Worker]:
    """Three processes: the first runs one program, and each of them has one more waiting: b, c, d."""
    one, other, third = (make_worker(max_running=1) for _ in range(3))
    one.tell("ask", "a")
    program.wait_reached("gate")
    for n_ahead, (worker, key) in enumerate(((one, "b"), (other, "c"), (third, "d")), 1):
        worker.tell("ask", key)
        worker.hear(key, lambda what, n_ahead=n_ahead: what[0] == n_ahead)
    return one, other, third


def test_a_killed_process_leaves_the_line_and_its_slot(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    one, other, third = occupied(make_worker, program)
    one.kill()
    program.wait_reached("gate")
    place(other, "c", 0)
    place(third, "d", 1)
    assert [run[0] for run in program.runs] == ["a", "c"]
    program.release("gate", times=2)
    assert other.hear_end("c") == third.hear_end("d") == 0
    assert not [path for path in (tmp_path / "storage" / ".tmp").iterdir() if path.is_file()]


def test_a_program_that_outlives_its_process_and_its_warden_keeps_its_slot_until_it_ends(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    one, other = make_worker(max_running=1), make_worker(max_running=1)
    one.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "b")
    other.hear("b", lambda what: what[0] == 1)
    warden = one.warden
    assert warden is not None
    os.kill(warden, signal.SIGSTOP)
    one.kill()
    os.kill(warden, signal.SIGKILL)
    time.sleep(1.5)  # of that long ago nothing tells any more; were it shorter, this would be easier to hold
    assert [run[0] for run in program.runs] == ["a"]
    program.release("gate")
    program.wait_reached("gate")
    assert [run[0] for run in program.runs] == ["a", "b"]
    program.release("gate", times=2)
    assert other.hear_end("b") == 0
    other.tell("ask", "a")  # it removes what the dead ones left
    assert other.hear_end("a") == 0


def test_what_runs_when_its_queue_is_closed_keeps_its_slot_until_it_ends(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    """The queue is closed by an observer of the run, which goes on."""
    one = make_worker(max_running=1)
    one.tell("close in observer", "a")
    program.wait_reached("gate")
    one.hear("a closed", bool)
    other = make_worker(max_running=1)
    other.tell("ask", "b")
    other.hear("b", lambda what: what[0] == 1)
    program.release("gate")
    program.wait_reached("gate")
    assert [run[0] for run in program.runs] == ["a", "b"]
    program.release("gate")
    assert other.hear_end("b") == 0


def test_what_a_killed_process_only_waited_for_is_out_at_once(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    one, other, third = occupied(make_worker, program)
    other.kill()
    place(third, "d", 2)
    program.release("gate", times=3)
    assert one.hear_end("a") == one.hear_end("b") == third.hear_end("d") == 0
    assert [run[0] for run in program.runs] == ["a", "b", "d"]


def test_a_stopped_process_holds_up_nobody_but_its_own(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    one, other, third = occupied(make_worker, program)
    os.kill(other.pid, signal.SIGSTOP)
    program.release("gate")
    program.wait_reached("gate")
    assert one.hear_end("a") == 0
    program.release("gate")  # now it would be the stopped one's turn
    program.wait_reached("gate")
    assert [run[0] for run in program.runs] == ["a", "b", "d"]
    program.release("gate")
    assert one.hear_end("b") == third.hear_end("d") == 0
    os.kill(other.pid, signal.SIGCONT)
    program.wait_reached("gate")
    program.release("gate")
    assert other.hear_end("c") == 0


def test_a_line_whose_files_are_removed_goes_on(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    workers = occupied(make_worker, program)
    shutil.rmtree(tmp_path / "storage" / ".jobs" / ".line")
    program.release("gate", times=4)
    assert workers[0].hear_end("a") == 0
    assert [worker.hear_end(key) for worker, key in zip(workers, "bcd", strict=True)] == [0] * 3
    assert sorted(run[0] for run in program.runs) == ["a", "b", "c", "d"]


def test_a_forked_childs_jobs_are_in_the_line(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    """It is another process there; and it keeps none of its parent's locks."""
    worker, other = make_worker(max_running=1), make_worker(max_running=1)
    worker.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "b")
    other.hear("b", lambda what: what[0] == 1)
    worker.tell("fork", "c")
    program.release("gate", times=3)
    assert worker.hear("c", lambda what: what[0] == "child")[1][3] == 0
    assert worker.hear_end("a") == other.hear_end("b") == 0
    assert len(program.runs) == 3


def test_a_key_that_waits_in_several_processes_has_one_place_and_runs_once(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    workers = [make_worker(max_running=1) for _ in range(3)]
    workers[0].tell("ask", "a")
    program.wait_reached("gate")
    for worker in workers:
        worker.tell("ask", "b")
        worker.hear("b", lambda what: what[0] == 1)
    workers[1].tell("ask", "c")
    workers[1].hear("c", lambda what: what[0] == 2)
    program.release("gate", times=3)
    assert [worker.hear_end("b") for worker in workers] == [0] * 3
    assert workers[1].hear_end("c") == 0
    assert [run[0] for run in program.runs] == ["a", "b", "c"]
    for worker in workers:
        places = [what[0] for what in worker.said("b")]
        assert places == sorted(places, reverse=True)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="there is no telling which descriptors are open")
def test_the_line_takes_a_few_descriptors_however_many_wait(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    one, other = make_worker(max_running=1), make_worker(max_running=1)
    one.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "b")
    other.hear("b", lambda what: what[0] == 1)
    names = map(str, itertools.count())

    def n_open() -> int:
        name = next(names)
        other.tell("descriptors", name)
        return int(other.hear(name, bool))

    n_before = n_open()
    for i in range(100):
        other.tell("ask", f"c{i}")
    other.hear("c99", bool)
    eventually(lambda: n_open() <= n_before)  # a thread that looks at another's file has it open for a moment
    other.kill()
    program.release("gate")
    assert one.hear_end("a") == 0
