"""What one process is told of the runs of all, without asking any of them; and what a killed one leaves to be seen."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ensure
from tests.processes.conftest import MakeWorker
from tests.servers.server import eventually
from workqueue import Progress, WorkQueue
from workqueue.engines.host.picture import picture_of
from workqueue.naming import Naming
from workqueue.testing import ScriptedProgram

MakeQueue = Callable[..., WorkQueue]


def key_of(name: str) -> str:
    return Naming("program").key((name,))


def test_a_queue_tells_of_the_jobs_of_all_processes(
    make_worker: MakeWorker, make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    one, other = make_worker(max_running=1), make_worker(max_running=1)
    one.tell("ask", "a")
    program.wait_reached("gate")
    one.hear_fraction("a", 0.5)
    for n_ahead, (worker, key) in enumerate(((other, "b"), (one, "c")), 1):
        worker.tell("ask", key)
        worker.hear(key, lambda what, n_ahead=n_ahead: what[0] == n_ahead)
    queue = make_queue(program.path, max_running=1)
    assert queue.jobs() == []  # it has none, and has joined nobody
    runs = queue.jobs(everywhere=True)
    assert [(run.key, run.is_running, run.n_ahead) for run in runs] == [
        (key_of("a"), True, 0),
        (key_of("b"), False, 1),
        (key_of("c"), False, 2),
    ]
    assert runs[0].progress == Progress(fraction=0.5)
    assert (runs[0].process, runs[0].watchers) == (str(one.pid), None)
    shared = queue.statistics(everywhere=True).shared
    assert shared == (2, 1, 1, 2)
    assert queue.statistics().shared is None
    job = ensure(queue, "b")  # now it is a job of this process, too
    job.progress.subscribe(lambda _: None)
    assert [run.watchers for run in queue.jobs(everywhere=True)] == [None, 1, None]
    shared = queue.statistics(everywhere=True).shared
    assert shared is not None
    assert (shared.workers, shared.waiting) == (3, 2)
    program.release("gate", times=3)
    assert one.hear_end("a") == other.hear_end("b") == one.hear_end("c") == 0
    assert [end.key for end in queue.ends()] == [key_of("c"), key_of("b"), key_of("a")]
    assert [end.progress.returncode for end in queue.ends()] == [0, 0, 0]


def test_what_a_killed_process_ran_and_waited_for_is_not_seen_though_nobody_is_there_to_bury_it(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    one = make_worker(max_running=1)
    one.tell("ask", "a")
    program.wait_reached("gate")
    one.tell("ask", "b")
    one.hear("b", lambda what: what[0] == 1)
    picture = picture_of(tmp_path / "storage")
    assert (len(picture.running), len(picture.waiting), picture.processes) == (1, 1, 1)
    one.kill()
    # Its warden ends the program, and with it the lock of the key.
    picture = eventually(lambda: (seen := picture_of(tmp_path / "storage")).running == () and seen)
    assert (picture.waiting, picture.processes) == ((), None)


def test_a_program_that_outlives_its_process_is_seen(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    one = make_worker(max_running=1)
    one.tell("ask", "a")
    program.wait_reached("gate")
    one.hear_fraction("a", 0.5)
    warden = one.warden
    assert warden is not None
    os.kill(warden, signal.SIGSTOP)
    one.kill()
    os.kill(warden, signal.SIGKILL)
    [run] = picture_of(tmp_path / "storage").running
    assert (run.key, run.progress) == (key_of("a"), Progress(fraction=0.5))
    program.release("gate")
    assert eventually(lambda: picture_of(tmp_path / "storage").running == ())
    other = make_worker(max_running=1)
    other.tell("ask", "a")  # it removes what the dead ones left
    program.wait_reached("gate")
    program.release("gate")
    assert other.hear_end("a") == 0


def test_a_stopped_process_is_seen_and_keeps_nobody_waiting(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    one = make_worker(max_running=1)
    one.tell("ask", "a")
    program.wait_reached("gate")
    os.kill(one.pid, signal.SIGSTOP)
    try:
        [run] = picture_of(tmp_path / "storage").running
        assert run.process == str(one.pid)
    finally:
        os.kill(one.pid, signal.SIGCONT)
    program.release("gate")
    assert one.hear_end("a") == 0
