"""The warden, told of real processes: killed, stopped, broken, and told when the kernel has no room for a message."""

import contextlib
import errno
import math
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ensure, write_program
from tests.servers.server import eventually
from workqueue import WorkQueue
from workqueue.program import helper, interpreter, warden
from workqueue.program.helper import END_SECONDS
from workqueue.program.warden import Guard, Warden
from workqueue.testing import ScriptedProgram

#: What sendmsg(2) may say of a socket to a process that is well, or stopped.
REFUSALS = (errno.ENOMEM, errno.ENOBUFS, errno.ETOOMANYREFS, errno.EAGAIN)


@pytest.fixture
def warden_() -> Iterator[Warden]:
    it = Warden()
    yield it
    it.close()


class Run:
    """A program of its own process group, and its directory, guarded."""

    def __init__(self, warden: Warden, directory: Path) -> None:
        self.directory = directory
        self.is_over = False
        directory.mkdir()
        self.guard = warden.guard(directory)
        self.guard.__enter__()
        self.process = subprocess.Popen(["sleep", "600"], process_group=0)
        self.guard.started(self.process.pid)

    def lose_owner(self) -> None:
        """Do what the kernel does when the owner dies."""
        helper.close_own(self.guard._channel)
        self.guard._channel = -1

    def end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.process.kill()
            self.process.wait()
            self.guard.__exit__(None, None, None)

    def wait_killed(self) -> None:
        assert self.process.wait(10) == -signal.SIGKILL
        eventually(lambda: not self.directory.exists())


@pytest.fixture
def make_run(warden_: Warden, tmp_path: Path) -> Iterator[Callable[[], Run]]:
    runs: list[Run] = []

    def make() -> Run:
        runs.append(Run(warden_, tmp_path / str(len(runs))))
        return runs[-1]

    yield make
    for run in runs:
        run.end()


MakeRun = Callable[[], Run]


def pace(guard: Guard) -> None:
    """Do what a reading thread does, until all is told."""
    while (seconds := guard.pace(time.monotonic())) is not None:
        threading.Event().wait(seconds)


def wait_hung_up(guard: Guard) -> None:
    """Until the other end of its channel is closed."""
    assert guard.channel is not None
    assert select.select([guard.channel], [], [], 10)[0]


def hung_up(guard: Guard) -> bool:
    """Whether the other end of its channel is closed by now."""
    return guard.channel is not None and bool(select.select([guard.channel], [], [], 0)[0])


def process_of(warden: Warden) -> int:
    assert warden._helper is not None
    return warden._helper.pid


def refuse(monkeypatch: pytest.MonkeyPatch, number: int, times: int) -> list[bytes]:
    """Let the kernel refuse the next messages; return those, as they come."""
    refused: list[bytes] = []
    really = socket.socket.sendmsg

    def sendmsg(it: socket.socket, buffers: list[bytes], *rest: Any) -> int:
        if len(refused) < times and buffers[0]:
            refused.append(buffers[0])
            raise OSError(number, os.strerror(number))
        return really(it, buffers, *rest)

    monkeypatch.setattr(socket.socket, "sendmsg", sendmsg)
    return refused


def status_of(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")), 16)


def open_in(pid: int) -> set[str]:
    """What its descriptors are: the names of files, and the kinds of others."""
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(path.readlink().name.partition(":")[0])
    return found


def bits(*signums: int) -> int:
    return sum(1 << (signum - 1) for signum in signums)


def test_what_has_lost_its_owner_is_killed_and_its_directory_removed(make_run: MakeRun) -> None:
    run, other = make_run(), make_run()
    run.lose_owner()
    run.wait_killed()
    assert other.process.poll() is None


def test_what_is_over_is_left_alone(make_run: MakeRun, warden_: Warden) -> None:
    run = make_run()
    run.end()
    warden_.close()
    assert run.directory.exists()


@pytest.mark.parametrize("number", REFUSALS)
def test_a_run_that_cannot_be_told_of_costs_nobody_anything_and_is_told_of_later(
    number: int, make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    long = make_run()
    first = process_of(warden_)
    refused = refuse(monkeypatch, number, times=3)
    run, later = make_run(), make_run()
    assert len(refused) == 2
    assert run.guard.channel is None
    assert later.guard.channel is None
    assert warden_.unguarded == os.strerror(number)
    pace(run.guard)
    pace(later.guard)
    assert len(refused) == 3
    assert warden_.unguarded is None
    assert process_of(warden_) == first
    for each in (run, later, long):
        each.lose_owner()
        each.wait_killed()
    assert [record.message for record in caplog.records] == [
        f"cannot tell the warden of a program now: {os.strerror(number)}; trying again"
    ]


def test_a_number_that_cannot_be_told_is_told_later(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    refused = refuse(monkeypatch, errno.ETOOMANYREFS, times=2)
    run.guard._is_told = False
    run.guard.pace(time.monotonic())
    assert len(refused) == 1
    channel = run.guard.channel
    pace(run.guard)
    assert len(refused) == 2
    assert run.guard.channel == channel  # closed, it would have said that the owner is dead
    run.lose_owner()
    run.wait_killed()


@pytest.mark.parametrize("times", [2, 20])
def test_an_end_that_cannot_be_told_is_no_death(
    times: int, make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for one, it would remove the directory before its result is published."""
    run = make_run()
    refused = refuse(monkeypatch, errno.ENOMEM, times)
    run.end()
    assert len(refused) == min(times, 5)
    while len(refused) < times:
        warden_.tell(b"", [])
    make_run()
    assert warden_._unsaid == []
    warden_.close()
    assert run.directory.exists()


def test_an_end_that_could_never_be_told_is_no_death_either(
    make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    refuse(monkeypatch, errno.ENOMEM, times=1000)
    run.end()
    before = time.monotonic()
    warden_.close()
    assert time.monotonic() - before < END_SECONDS + 5
    assert run.directory.exists()


def test_a_warden_that_is_killed_is_replaced_and_told_of_what_runs(
    make_run: MakeRun, warden_: Warden, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [make_run() for _ in range(3)]
    first = process_of(warden_)
    eventually(lambda: warden_._helper is not None and warden_._helper.said())
    os.kill(first, signal.SIGKILL)
    for run in runs:
        while process_of(warden_) == first or hung_up(run.guard):
            wait_hung_up(run.guard)
            run.guard.renew()
            pace(run.guard)
    assert process_of(warden_) != first
    assert [record.message for record in caplog.records] == [
        "the warden of running programs has died (it was killed by signal 9); starting another"
    ]
    assert warden_.unguarded is None
    for run in runs:
        run.lose_owner()
        run.wait_killed()


@pytest.mark.parametrize("has_pidfds", [True, False])
def test_a_stopped_warden_holds_up_neither_starts_nor_the_end(
    make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch, has_pidfds: bool
) -> None:
    if not has_pidfds:  # as on macOS, or in a process that has no descriptor to spare
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    make_run().end()
    pid = process_of(warden_)
    os.kill(pid, signal.SIGSTOP)
    make_run().end()
    before = time.monotonic()
    warden_.close()
    assert time.monotonic() - before < END_SECONDS + 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_stopped_warden_whose_socket_is_full_holds_up_no_start(
    make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run()
    pid = process_of(warden_)
    os.kill(pid, signal.SIGSTOP)
    full = None
    while full is None:
        try:
            warden_.tell(b"0 " + b"61" * 10_000 + b"\n", [])
        except OSError as err:
            full = err.errno
    assert full == errno.EAGAIN
    run = make_run()
    assert run.guard.channel is None
    assert run.guard.pace(time.monotonic()) is not None
    os.kill(pid, signal.SIGCONT)


def test_a_default_timeout_of_sockets_is_not_waited_for(make_run: MakeRun, warden_: Warden) -> None:
    """A server sets it for its own clients; it made a send to a stopped warden wait that long."""
    make_run()
    pid = process_of(warden_)
    os.kill(pid, signal.SIGSTOP)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(60.0)
    try:
        with pytest.raises(BlockingIOError):  # noqa: PT012 - it takes some to fill it
            while True:
                warden_.tell(b"0 " + b"61" * 10_000 + b"\n", [])
    finally:
        socket.setdefaulttimeout(before)
        os.kill(pid, signal.SIGCONT)


CANNOT_RUN = "programs will outlive this process if it is killed: the warden, which would end them, cannot run"

BROKEN = {
    "exits": (
        "echo first >&2; echo 'cannot open libpython3.so' >&2; exit 127",
        "it exited with status 127: cannot open libpython3.so",
    ),
    "says nothing": ("exit 3", "it exited with status 3"),
    "is killed": ("kill -9 $$", "it was killed by signal 9"),
    "ends": ("echo usage; exit 0", "it ended: usage"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_interpreter_is_tried_some_times_told_of_once_and_costs_no_run_anything(
    how: str,
    make_run: MakeRun,
    warden_: Warden,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text, why = BROKEN[how]
    monkeypatch.setattr("workqueue.program.tries.FIRST_PAUSE_SECONDS", 0.01)
    path = write_program(tmp_path / "python3", f"echo >> '{tmp_path}/starts'; {text}")
    monkeypatch.setattr(sys, "executable", str(path))
    runs = [make_run(), make_run()]
    while any(run.guard.channel is not None or run.guard.pace(time.monotonic()) is not None for run in runs):
        for run in runs:
            if run.guard.channel is not None:
                wait_hung_up(run.guard)
                run.guard.renew()
            pace(run.guard)
    assert len((tmp_path / "starts").read_text().splitlines()) == 5
    assert warden_.unguarded == why
    assert [record.message for record in caplog.records] == [f"{CANNOT_RUN} ({why}); it is not tried again"]
    assert make_run().guard.channel is None
    assert all(run.process.poll() is None for run in runs)


def test_without_an_interpreter_it_is_given_up(
    warden_: Warden, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("workqueue.program.tries.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(interpreter, "_candidates", lambda: iter(()))
    while (seconds := warden_.tell(b"", [])) != math.inf:
        threading.Event().wait(seconds)
    assert warden_.unguarded is not None
    assert "there is no Python interpreter" in warden_.unguarded
    assert len(caplog.records) == 1


def test_without_its_source_it_is_given_up(warden_: Warden, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a frozen application that has bytecode alone."""
    monkeypatch.setattr("workqueue.program.tries.FIRST_PAUSE_SECONDS", 0.001)
    warden._source.cache_clear()
    monkeypatch.setattr(warden.warden_process.__spec__, "loader", object())
    while (seconds := warden_.tell(b"", [])) != math.inf:
        threading.Event().wait(seconds)
    assert warden_.unguarded is not None
    assert "include workqueue/program/warden_process.py in the application" in warden_.unguarded


def test_what_a_start_lacks_for_a_while_is_waited_for(
    make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without a process to spare, for as long as it takes to be given up otherwise."""
    failures = iter(range(7))
    really = warden.Helper

    def start(source: str) -> helper.Helper:
        if next(failures, None) is not None:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return really(source)

    monkeypatch.setattr(warden, "Helper", start)
    monkeypatch.setattr("workqueue.program.tries.FIRST_PAUSE_SECONDS", 0.001)
    run = make_run()
    assert warden_.unguarded is not None
    pace(run.guard)
    eventually(lambda: warden_.unguarded is None)
    run.lose_owner()
    run.wait_killed()


def test_a_message_that_was_cut_in_two_makes_another_warden_and_leaves_the_first_what_it_guards(
    make_run: MakeRun, warden_: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may take the beginning of a message alone, when there is no room for all of it."""
    run = make_run()
    first = process_of(warden_)
    really = helper.send
    cut = iter([1])

    def send(fd: int, data: bytes, descriptors: list[int]) -> int:
        return really(fd, data[: next(cut, len(data))], descriptors)

    monkeypatch.setattr(helper, "send", send)
    other = make_run()
    assert other.guard.channel is None
    pace(other.guard)
    assert process_of(warden_) != first
    for each in (run, other):
        each.lose_owner()
        each.wait_killed()


def test_a_warden_without_room_for_more_descriptors_keeps_those_it_has(make_run: MakeRun, warden_: Warden) -> None:
    runs = [make_run()]
    pid = process_of(warden_)
    eventually(lambda: warden_._helper is not None and warden_._helper.said())
    n_open = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (n_open, hard))
    runs.append(make_run())
    wait_hung_up(runs[1].guard)
    runs[1].guard.renew()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    pace(runs[1].guard)
    assert process_of(warden_) == pid
    for run in runs:
        run.lose_owner()
        run.wait_killed()


def test_its_signals_are_its_own(warden_: Warden) -> None:
    """Its parent may have them all blocked, and ignored: then it would neither see nor be killed by anything."""
    everything = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    before = signal.pthread_sigmask(signal.SIG_SETMASK, everything)
    usr1 = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        assert warden_.tell(b"", []) == 0.0
    finally:
        signal.signal(signal.SIGUSR1, usr1)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    pid = process_of(warden_)
    ignored = bits(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)
    eventually(lambda: (status_of(pid, "SigBlk"), status_of(pid, "SigIgn")) == (0, ignored))


def test_it_has_a_session_of_its_own_no_directory_and_no_descriptors(warden_: Warden, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert warden_.tell(b"", []) == 0.0
        pid = process_of(warden_)
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        # It has been told, and may still be loading its libraries.
        eventually(lambda: open_in(pid) <= {"socket", ""})


@pytest.mark.parametrize(
    "setting", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"}]
)
def test_any_name_of_a_directory_is_understood(
    setting: dict[str, str], make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff \xc3\xa9\n'"))
    run = Run(warden_ := Warden(), directory)
    run.lose_owner()
    run.wait_killed()
    run.end()
    warden_.close()


@pytest.mark.parametrize("is_reaped_by", ["the kernel", "a thread"])
def test_whoever_reaps_it_its_end_is_seen(is_reaped_by: str, tmp_path: Path) -> None:
    """In a process of its own: SIGCHLD is ignored, or a thread waits for all children, as a container's init does."""
    command = [sys.executable, "-c", _REAPED, is_reaped_by, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["replaced", "closed", "gone"]


_REAPED = """
import os, signal, sys, threading, time
from pathlib import Path
from workqueue.program.warden import Warden
if sys.argv[1] == "the kernel":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
else:
    def reap():
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.001)
    threading.Thread(target=reap, daemon=True).start()
import logging
logging.disable()
warden = Warden()
guard = warden.guard(Path(sys.argv[2], "a")).__enter__()
first = warden._helper.pid
os.kill(first, signal.SIGKILL)
os.read(guard.channel, 1)
guard.renew()
while guard.pace(time.monotonic()) is not None:
    time.sleep(0.001)
second = warden._helper.pid
print("replaced" if second != first else "not replaced")
os.kill(second, signal.SIGSTOP)
guard.__exit__(None, None, None)
warden.close()
print("closed")
try:
    os.kill(second, 0)
    print("still there")
except ProcessLookupError:
    print("gone")
"""


def test_one_refused_message_costs_no_job_anything(
    make_queue: Callable[..., WorkQueue], program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it ended the warden, and all starts waited until every program that ran had ended."""
    queue = make_queue(program.path, max_running=3)
    long = ensure(queue, "long")
    program.wait_reached("gate")
    refused = refuse(monkeypatch, errno.ENOMEM, times=1)
    ensure(queue, "hit")
    program.wait_reached("gate")
    assert len(refused) == 1
    ensure(queue, "later")
    program.wait_reached("gate")
    program.release("gate", 3)
    assert long.wait(10).returncode == 0


def test_a_job_that_could_not_be_told_of_is_told_of_while_it_runs(
    make_queue: Callable[..., WorkQueue], program: ScriptedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    really = Warden.tell

    def tell(it: Warden, line: bytes, descriptors: list[int]) -> float:
        seconds = really(it, line, descriptors)
        told.set()
        return seconds

    monkeypatch.setattr(Warden, "tell", tell)
    refuse(monkeypatch, errno.EAGAIN, times=2)
    job = ensure(make_queue(program.path), "a")
    program.wait_reached("gate")
    assert told.wait(10)
    program.release("gate")
    assert job.wait(10).returncode == 0


def test_a_queue_says_that_its_programs_are_unguarded_and_why(
    make_queue: Callable[..., WorkQueue], program: ScriptedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workqueue.program.tries.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sys, "executable", str(write_program(tmp_path / "python3", "echo no codecs; exit 1")))
    queue = make_queue(program.path)
    assert queue.statistics().unguarded is None
    job = ensure(queue, "a")
    program.wait_reached("gate")
    eventually(lambda: queue.statistics().unguarded == "it exited with status 1: no codecs")
    program.release("gate")
    assert job.wait(10).returncode == 0


def test_a_server_that_dies_of_a_broken_pipe_does_not_die_of_a_dead_warden() -> None:
    """Python ignores SIGPIPE when it starts; a server that embeds it, or a handler of its own, may not."""
    script = """
import os, signal
from workqueue.program.helper import send, socket_pair
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ours, theirs = socket_pair()
os.close(theirs)
try:
    send(ours, b"a", [])
except BrokenPipeError:
    print("alive")
"""
    assert subprocess.check_output([sys.executable, "-c", script]) == b"alive\n"
