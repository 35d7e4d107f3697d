"""A process is read to its exit, not to the end of its pipes, and nothing of it outlives the reading."""

import errno
import os
import select
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import write_program
from workqueue.errors import ProgramError
from workqueue.program import reading as module
from workqueue.program.command import command_of
from workqueue.program.process import Process
from workqueue.program.start import start
from workqueue.system import wake_pipe

pidfd_open = os.pidfd_open  # before a test takes it away


class Recorder:
    """A sink that keeps all it is given."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""

    def stdout(self, data: bytes) -> None:
        self.out += data

    def stderr(self, data: bytes) -> None:
        self.err += data

    def pace(self, now: float) -> float | None:
        return None


def run(path: Path, text: str, sink: Recorder | None = None) -> int:
    return Process(start(command_of(write_program(path, text)), ["a"])).read_until_exit(sink or Recorder())


def is_gone(pid: int) -> bool:
    """Whether this process is dead, or dies of the signal it got; its new parent may still have to reap it."""
    try:
        fd = pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(5000))
    finally:
        os.close(fd)


@pytest.fixture(params=["pidfd", "without pidfd", "without waitid"])
def exits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The three ways to learn of an exit: Linux, older kernels and macOS, macOS before Python 3.13."""
    if request.param != "pidfd":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    if request.param == "without waitid":
        monkeypatch.delattr(os, "waitid", raising=False)
    return str(request.param)


def test_both_pipes_are_read_to_their_end(exits: str, tmp_path: Path) -> None:
    sink = Recorder()
    assert run(tmp_path / "program", "echo out; echo err >&2; exit 3", sink) == 3
    assert (sink.out, sink.err) == (b"out\n", b"err\n")


def test_a_signal_is_a_negative_status(exits: str, tmp_path: Path) -> None:
    assert run(tmp_path / "program", "kill -9 $$") == -signal.SIGKILL


def test_a_grandchild_that_holds_the_pipes_costs_a_short_grace_and_dies(exits: str, tmp_path: Path) -> None:
    sink = Recorder()
    begin = time.monotonic()
    assert run(tmp_path / "program", "sleep 1000 & echo $!", sink) == 0
    assert time.monotonic() - begin < 5
    assert is_gone(int(sink.out))


def test_while_a_grandchild_holds_the_pipes_the_reader_sleeps(tmp_path: Path) -> None:
    class Counting(Recorder):
        n_turns = 0

        def pace(self, now: float) -> float | None:
            self.n_turns += 1
            return None

    sink = Counting()
    assert run(tmp_path / "program", "sleep 1000 &", sink) == 0
    assert sink.n_turns < 100


def test_a_grandchild_that_never_stops_printing_is_not_waited_for(exits: str, tmp_path: Path) -> None:
    sink = Recorder()
    begin = time.monotonic()
    assert run(tmp_path / "program", 'sh -c "while :; do echo 0.5; done" & echo $!; exit 4', sink) == 4
    assert time.monotonic() - begin < 5
    pid = next(int(line) for line in sink.out.split() if line != b"0.5")
    assert is_gone(pid)


def test_what_comes_through_a_grandchild_soon_after_the_exit_is_still_read(exits: str, tmp_path: Path) -> None:
    """The grandchild prints once its parent is gone: it reads to the end of a pipe that only the parent holds."""
    sink = Recorder()
    os.mkfifo(tmp_path / "pipe")
    text = f'(read line < "{tmp_path}/pipe"; echo late) &\nexec 9> "{tmp_path}/pipe"\nexit 0'
    assert run(tmp_path / "program", text, sink) == 0
    assert sink.out == b"late\n"


def test_a_program_that_closes_its_pipes_is_waited_for(exits: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    done: list[int] = []
    text = f'exec >&- 2>&-; read line < "{tmp_path}/gate"; exit 5'
    thread = threading.Thread(target=lambda: done.append(run(tmp_path / "program", text)))
    thread.start()
    (tmp_path / "gate").write_bytes(b"\n")
    thread.join(10)
    assert done == [5]


def test_a_program_without_output_is_waited_for(exits: str, tmp_path: Path) -> None:
    assert run(tmp_path / "program", "sleep 0.15; exit 6") == 6


def test_a_sink_that_raises_ends_the_program(exits: str, tmp_path: Path) -> None:
    class Failing(Recorder):
        def stdout(self, data: bytes) -> None:
            raise LookupError("sink")

    program = write_program(tmp_path / "program", "echo 0.5; exec sleep 1000")
    child = start(command_of(program), ["a"])
    with pytest.raises(LookupError, match="sink"):
        Process(child).read_until_exit(Failing())
    assert child.reap() == -signal.SIGKILL  # once more, what it was then
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(child.stdout)


def test_a_signal_after_the_end_goes_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(start(command_of(write_program(tmp_path / "program", "exit 0")), ["a"]))
    assert process.read_until_exit(Recorder()) == 0
    monkeypatch.setattr(os, "killpg", lambda *args: pytest.fail("the number may be another's by now"))
    process.stop(0.0)
    process.stop(10.0)


def test_a_program_is_stopped_as_soon_as_it_is_read(tmp_path: Path) -> None:
    process = Process(start(command_of(write_program(tmp_path / "program", "exec sleep 1000")), ["a"]))
    process.stop(10.0)
    assert process.read_until_exit(Recorder()) == -signal.SIGTERM


def test_who_ignores_sigterm_is_killed_after_its_grace_and_sooner_for_who_asks_again(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "trap '' TERM; echo; while :; do sleep 1000; done")

    class Stopping(Recorder):
        def stdout(self, data: bytes) -> None:
            process.stop(1000.0)
            process.stop(0.1)
            process.stop(1000.0)  # does not put it off

    process = Process(start(command_of(program), ["a"]))
    assert process.read_until_exit(Stopping()) == -signal.SIGKILL
    assert not process.timed_out


class RefusingWrites:
    """In place of `os`, in what wakes the reading thread: nothing can be written."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, fd: int, data: bytes) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_who_ignores_sigterm_is_killed_though_the_reading_thread_cannot_be_woken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path / "program", "trap '' TERM; echo; while :; do sleep 1000; done")

    class Stopping(Recorder):
        def stdout(self, data: bytes) -> None:
            process.stop(1000.0)
            threading.Timer(0.3, process.stop, (0.1,)).start()  # while it waits, without the pipe

    drain, drained = wake_pipe.WakePipe.drain, list[bool]()

    def noted(self: wake_pipe.WakePipe) -> bool:
        drained.append(can_wake := drain(self))
        return can_wake

    process = Process(start(command_of(program), ["a"]))
    monkeypatch.setattr(wake_pipe, "os", RefusingWrites())
    monkeypatch.setattr(wake_pipe.WakePipe, "drain", noted)
    assert process.read_until_exit(Stopping()) == -signal.SIGKILL
    assert drained == [False]  # it is not read again and again until then


@pytest.mark.parametrize("call", ["read", "poll"])
def test_a_program_that_cannot_be_read_any_more_is_killed_and_the_reason_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*args: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    class Refusing(Recorder):
        def stdout(self, data: bytes) -> None:
            if call == "poll":
                reading._poll.poll = refuse  # type: ignore[assignment, method-assign]
            else:
                monkeypatch.setattr(module, "os", SimpleNamespace(read=refuse))

    child = start(command_of(write_program(tmp_path / "program", "echo a; sleep 0.1; echo b; exec sleep 1000")), ["a"])
    process = Process(child)
    reading = module.Reading(child, Refusing(), process._wake, lambda: None, None)
    monkeypatch.setattr("workqueue.program.process.Reading", lambda *_: reading)
    with pytest.raises(ProgramError, match=f"Cannot read what the program says: {os.strerror(errno.EIO)}"):
        process.read_until_exit(Recorder())
    assert child.reap() == -signal.SIGKILL


def test_no_grace_is_no_sigterm(tmp_path: Path) -> None:
    process = Process(
        start(command_of(write_program(tmp_path / "program", "trap 'exit 3' TERM; sleep 1000 & wait")), ["a"])
    )
    process.stop(0.0)
    assert process.read_until_exit(Recorder()) == -signal.SIGKILL


def test_a_program_that_floods_is_stopped_too(tmp_path: Path) -> None:
    class Stopping(Recorder):
        def stdout(self, data: bytes) -> None:
            process.stop(0.05)

    process = Process(start(command_of(write_program(tmp_path / "program", "trap '' TERM; exec yes")), ["a"]))
    assert process.read_until_exit(Stopping()) == -signal.SIGKILL


def test_many_threads_stop_a_program_while_it_exits_and_nothing_leaks(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "exit 0")
    for _ in range(20):
        process = Process(start(command_of(program), ["a"]))
        threads = [threading.Thread(target=process.stop, args=(10.0,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert process.read_until_exit(Recorder()) in (0, -signal.SIGTERM)
        for thread in threads:
            thread.join(10)


def test_a_program_without_a_descriptor_to_watch_it_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start(command_of(write_program(tmp_path / "program", "exec sleep 1000")), ["a"])

    def refuse() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pipe", refuse)
        with pytest.raises(ProgramError, match="Cannot watch the program: Too many open files"):
            Process(child)
    assert child.reap() == -signal.SIGKILL


def test_a_time_limit_stops_what_does_not_end(tmp_path: Path) -> None:
    process = Process(start(command_of(write_program(tmp_path / "program", "exec sleep 1000")), ["a"]))
    assert process.read_until_exit(Recorder(), time_limit=0.1) == -signal.SIGTERM
    assert process.timed_out


def test_a_time_limit_lets_alone_what_ends(tmp_path: Path) -> None:
    process = Process(start(command_of(write_program(tmp_path / "program", "exit 0")), ["a"]))
    assert process.read_until_exit(Recorder(), time_limit=60.0) == 0
    assert not process.timed_out


def test_a_signal_reaches_the_whole_group(tmp_path: Path) -> None:
    reached = threading.Event()

    class Waiting(Recorder):
        def stdout(self, data: bytes) -> None:
            super().stdout(data)
            if self.out.endswith(b"\n"):
                reached.set()

    sink = Waiting()
    process = Process(start(command_of(write_program(tmp_path / "program", "sleep 1000 & echo $!; wait")), ["a"]))
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(process.read_until_exit(sink)))
    thread.start()
    assert reached.wait(10)
    process.stop(10.0)
    thread.join(10)
    assert status == [-signal.SIGTERM]
    assert is_gone(int(sink.out))


def test_a_group_that_is_gone_or_has_only_zombies_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS says of the latter that it is not permitted."""
    process = Process(start(command_of(write_program(tmp_path / "program", "exit 0")), ["a"]))
    killpg = os.killpg

    def refuse(pid: int, signum: int) -> None:
        killpg(pid, signum)
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "killpg", refuse)
    process.stop(10.0)
    assert process.read_until_exit(Recorder()) in (0, -signal.SIGTERM)


def test_the_sink_is_called_when_it_said_that_something_is_due(tmp_path: Path) -> None:
    """A program that says nothing must not keep back what waits for its moment."""

    class Paced(Recorder):
        n_calls = 0

        def pace(self, now: float) -> float | None:
            self.n_calls += 1
            if self.n_calls == 4:
                (tmp_path / "gate").write_bytes(b"\n")
            return 0.001 if self.n_calls < 4 else None

    os.mkfifo(tmp_path / "gate")
    sink = Paced()
    assert run(tmp_path / "program", f'read line < "{tmp_path}/gate"', sink) == 0
    assert sink.n_calls >= 4


def test_waits_are_rounded_up_to_milliseconds() -> None:
    assert module._milliseconds([None, None]) is None
    assert module._milliseconds([None, 0.0001, 3.0]) == 1
    assert module._milliseconds([0.0]) == 0
