"""Owners, wardens and programs that are killed: nothing is lost, nothing is left."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes.conftest import MakeWorker
from tests.processes.test_sharing import left_in
from tests.servers.server import eventually
from workqueue.testing import ScriptedProgram


def is_alive(pid: int) -> bool:
    """Whether it runs; what has ended and is not reaped does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def ignored_by(pid: int) -> int:
    """The set of signals, as the kernel shows it."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("SigIgn:")), 16)


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """A program with a child in its group and one that has left the group; each notes its number."""
    path = tmp_path / "family"
    pids = tmp_path / "pids"
    path.write_text(
        f'#!/bin/sh\nfor output; do :; done\necho partial > "$output"\nchmod 500 "${{output%/*}}"\n'
        f"sleep 600 & echo $! >> '{pids}'\nsetsid sleep 600 & echo $! >> '{pids}'\necho $$ >> '{pids}'\n"
        "echo 0.5\nexec sleep 600\n"
    )
    path.chmod(0o755)
    return path


def pids_of(tmp_path: Path) -> list[int]:
    return [int(pid) for pid in (tmp_path / "pids").read_text().split()]


def test_the_successor_of_a_killed_owner_begins_and_all_others_see_it(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    owner, *others = (make_worker() for _ in range(3))
    owner.tell("ask", "a")
    program.wait_reached("gate")
    for other in others:
        other.tell("ask", "a")
        other.hear_fraction("a", 0.5)
    n_said = [len(other.said("a")) for other in others]
    owner.kill()
    program.wait_reached("gate")
    for other, n in zip(others, n_said, strict=True):
        other.hear_fraction("a", 0.5, after=n)
    program.release("gate")
    assert [other.hear_end("a") for other in others] == [0, 0]
    assert len(program.runs) == 2
    assert left_in(tmp_path / "storage") == []


def test_all_that_a_killed_owner_ran_is_dead_and_its_files_gone(
    make_worker: MakeWorker, family: Path, tmp_path: Path
) -> None:
    """A child in its process group, one in a session of its own, and a directory that it made read-only."""
    owner = make_worker(family)
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    warden = owner.warden
    assert warden is not None
    owner.kill()
    eventually(lambda: not any(map(is_alive, pids_of(tmp_path))))
    eventually(lambda: not is_alive(warden))
    eventually(lambda: not list((tmp_path / "storage" / ".tmp").iterdir()))


def test_a_killed_warden_is_replaced_while_the_program_runs(
    make_worker: MakeWorker, family: Path, tmp_path: Path
) -> None:
    owner = make_worker(family)
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    first = owner.warden
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: owner.warden not in (None, first))
    second = owner.warden
    assert second is not None
    # It has been told of what ran already.
    eventually(lambda: len(list(Path(f"/proc/{second}/fd").iterdir())) > 5)
    owner.kill()
    eventually(lambda: not any(map(is_alive, pids_of(tmp_path))))
    eventually(lambda: not list((tmp_path / "storage" / ".tmp").iterdir()))


def test_one_warden_serves_all_programs_and_ends_with_its_queue(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    owner = make_worker(max_running=2)
    assert owner.warden is None
    wardens = set()
    for key in ("a", "b", "c"):
        owner.tell("ask", key)
        program.wait_reached("gate")
        wardens.add(owner.warden)
        program.release("gate")
        assert owner.hear_end(key) == 0
    assert len(wardens) == 1
    owner.tell("close")
    owner.hear("", lambda what: what == "closed")
    assert owner.children() == {}


def test_a_warden_is_not_stopped_by_what_stops_a_server(make_worker: MakeWorker, program: ScriptedProgram) -> None:
    owner = make_worker()
    owner.tell("ask", "a")
    program.wait_reached("gate")
    warden = owner.warden
    assert warden is not None
    ignored = sum(1 << (signum - 1) for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    eventually(lambda: ignored_by(warden) & ignored == ignored)  # it takes its interpreter a moment to get there
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(warden, signum)
    program.release("gate")
    assert owner.hear_end("a") == 0
    assert owner.warden == warden


def test_a_stopped_warden_holds_up_neither_close_nor_the_end_of_the_interpreter(
    make_worker: MakeWorker, program: ScriptedProgram
) -> None:
    owner = make_worker()
    program.release("gate", 2)
    owner.tell("ask", "a")
    assert owner.hear_end("a") == 0
    warden = owner.warden
    assert warden is not None
    os.kill(warden, signal.SIGSTOP)
    owner.tell("ask", "b")
    assert owner.hear_end("b") == 0
    owner.tell("close")
    owner.hear("", lambda what: what == "closed")
    assert owner.children() == {}
    assert not is_alive(warden)


def test_owner_and_warden_killed_at_once_leave_a_program_that_keeps_its_key(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    """It has the lock: nobody starts a second one while it lives, and who comes after it removes what it left."""
    owner, other = make_worker(), make_worker()
    owner.tell("ask", "a")
    program.wait_reached("gate")
    other.tell("ask", "a")
    other.hear_fraction("a", 0.5)
    warden = owner.warden
    assert warden is not None
    os.kill(warden, signal.SIGSTOP)
    owner.kill()
    os.kill(warden, signal.SIGKILL)
    assert len(program.runs) == 1
    program.release("gate")
    program.wait_reached("gate")
    program.release("gate")
    assert other.hear_end("a") == 0
    assert len(program.runs) == 2
    assert left_in(tmp_path / "storage") == []


def test_a_killed_program_is_a_failure_that_all_are_told(make_worker: MakeWorker, family: Path, tmp_path: Path) -> None:
    owner, other = make_worker(family), make_worker(family)
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    other.tell("ask", "a")
    other.hear_fraction("a", 0.5)
    in_group, outside, leader = pids_of(tmp_path)
    os.kill(leader, signal.SIGKILL)
    assert owner.hear_end("a") == other.hear_end("a") == -9
    eventually(lambda: not is_alive(in_group))
    # What leaves its group lives on while its owner does, as it would without us; the key is free all the same.
    assert is_alive(outside)
    os.kill(outside, signal.SIGKILL)
    assert left_in(tmp_path / "storage") == []


def test_what_dead_processes_left_is_swept_at_start(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    living = make_worker()
    living.tell("ask", "alive")
    program.wait_reached("gate")
    n_alive = len(left_in(storage))
    (storage / ".jobs" / ("d" * 40)).write_text('"start"\n')
    (storage / ".tmp" / f"{'d' * 40}.0123456789abcdef").mkdir()
    assert len(left_in(storage)) == n_alive + 2
    make_worker()
    assert len(left_in(storage)) == n_alive
    program.release("gate")
    assert living.hear_end("alive") == 0


def test_a_forked_child_keeps_no_lock_of_its_dead_parent(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    try:
        owner = make_worker(pass_fds=(reader,))
        other = make_worker()
        owner.tell("ask", "a")
        program.wait_reached("gate")
        owner.tell("linger", str(reader))
        [_, child] = owner.hear(str(reader), lambda what: what[0] == "lingers")
        other.tell("ask", "a")
        other.hear_fraction("a", 0.5)
        owner.kill()
        program.wait_reached("gate")
        assert is_alive(child)
        program.release("gate")
        assert other.hear_end("a") == 0
    finally:
        os.close(writer)
        os.close(reader)
    eventually(lambda: not is_alive(child))
