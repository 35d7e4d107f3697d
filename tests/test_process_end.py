"""A process that ends: by itself, and by a signal. Each test runs one, with real programs."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from tests.descendants import Descendants
from workqueue import WorkQueue
from workqueue.progress import succeeded
from workqueue.testing import ScriptedProgram

_FALLS_OFF = r"""
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from workqueue import WorkQueue
runs = threading.Event()
options = {"exit_drain": float(sys.argv[3])} if len(sys.argv) > 3 else {}
queue = WorkQueue(sys.argv[1], ThreadPoolExecutor(1), sys.argv[2], **options)
for i in range(3):
    job = queue.ensure_run((str(i),))
    job.progress.subscribe(lambda progress, i=i: os.write(1, f"{i} {progress.returncode}\n".encode()))
    job.progress.subscribe(lambda progress: progress.fraction == 0.5 and runs.set())
runs.wait()
print("falls off", flush=True)
"""

_SERVES = r"""
import os, signal, sys, time
from workqueue import WorkQueue
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2], max_running=1)
queue.handle_signals(drain=None if sys.argv[3] == "None" else float(sys.argv[3]))
jobs = [queue.ensure_run((str(i),)) for i in range(3)]
for i, job in enumerate(jobs):
    job.progress.subscribe(lambda progress, i=i: os.write(1, f"{i} {progress.returncode}\n".encode()))
print("serves", flush=True)
try:
    while True:
        time.sleep(0.05)  # not signal.pause: a signal that comes just before it is not seen until the next
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


class Child:
    """A script that runs and is read line by line; as a context manager it is over at the end."""

    def __init__(self, script: str, program: ScriptedProgram, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(program.path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error,ignore::DeprecationWarning"},
        )
        self.lines: list[str] = []

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_error: object) -> None:
        with self.process:
            self.process.kill()

    @property
    def ends(self) -> dict[str, str]:
        """Job -> its returncode, of those that it has told."""
        told = (line.split() for line in self.lines if line[:1].isdigit())
        return {job: returncode for job, returncode in told if returncode != "None"}

    def read_until(self, is_enough: Callable[[], bool]) -> None:
        """Read lines until this is true."""
        assert self.process.stdout is not None
        while not is_enough():
            line = self.process.stdout.readline()
            assert line, f"it ended after {self.lines}"
            self.lines.append(line)

    def status(self) -> int:
        """Its exit status, once all its lines were read."""
        assert self.process.stdout is not None
        # Not `communicate`, which passes over what was read with the last line.
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait(20)


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return str(tmp_path / "storage")


def said(lines: list[str]) -> list[str]:
    """What the log has told of the process's end."""
    return [line.strip() for line in lines if line.startswith("this process ends")]


def test_an_interpreter_that_ends_stops_what_runs_and_says_so(program: ScriptedProgram, storage: str) -> None:
    with Child(_FALLS_OFF, program, storage) as child:
        assert child.status() == 0
    assert child.ends == {"0": "-15", "1": "-999", "2": "-999"}
    assert [*Path(storage, ".tmp").iterdir()] == []
    advice = "WorkQueue(exit_drain=SECONDS) gives time to finish"
    assert said(child.lines) == [f"this process ends, and stops 1 running program (program); {advice}"]


@pytest.mark.parametrize(("drain", "how_long"), [("3600", "up to 3600 s"), ("inf", "as long as it takes")])
def test_an_interpreter_that_ends_gives_what_runs_its_time_and_what_waits_none(
    program: ScriptedProgram, storage: str, drain: str, how_long: str
) -> None:
    with Child(_FALLS_OFF, program, storage, drain) as child:
        child.read_until(lambda: len(child.ends) == 2 and bool(said(child.lines)))
        program.release("gate")
        assert child.status() == 0
    assert child.ends == {"0": "0", "1": "-999", "2": "-999"}
    assert len(program.runs) == 1
    [line] = said(child.lines)
    assert line == (
        "this process ends after 1 running program (program);"
        f" it waits {how_long}; press Ctrl-C (again) to stop that now"
    )


def test_no_program_gets_more_than_that(program: ScriptedProgram, storage: str) -> None:
    with Child(_FALLS_OFF, program, storage, "0.1") as child:
        assert child.status() == 0
    assert child.ends == {"0": "-15", "1": "-999", "2": "-999"}


def signalled(program: ScriptedProgram, storage: str, drain: float | None, signum: signal.Signals) -> Child:
    """A server that was sent a signal while one job ran and two waited, and has told the end of those."""
    child = Child(_SERVES, program, storage, str(drain))
    program.wait_reached("gate")
    child.read_until(lambda: "serves\n" in child.lines)
    child.process.send_signal(signum)
    child.read_until(lambda: len(child.ends) == 2)
    return child


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_first_and_then_does_what_it_does(
    program: ScriptedProgram, storage: str, signum: signal.Signals
) -> None:
    with signalled(program, storage, 60.0, signum) as child:
        program.release("gate")  # within its drain time
        status = child.status()
    assert child.ends == {"0": "0", "1": "-999", "2": "-999"}
    if signum is signal.SIGTERM:
        assert status == -signal.SIGTERM
    else:
        assert (status, child.lines[-1]) == (0, "interrupted")


def test_a_signal_gives_programs_what_the_interpreters_end_would(program: ScriptedProgram, storage: str) -> None:
    with signalled(program, storage, None, signal.SIGTERM) as child:
        assert child.status() == -signal.SIGTERM
    assert child.ends == {"0": "-15", "1": "-999", "2": "-999"}
    assert len(said(child.lines)) == 1
    assert "stops 1 running program (program); " in said(child.lines)[0]


def test_a_second_signal_is_in_a_hurry(program: ScriptedProgram, storage: str) -> None:
    with signalled(program, storage, 3600.0, signal.SIGTERM) as child:
        child.read_until(lambda: bool(said(child.lines)))
        child.process.send_signal(signal.SIGTERM)
        assert child.status() == -signal.SIGTERM
    assert child.ends == {"0": "-15", "1": "-999", "2": "-999"}
    assert len(said(child.lines)) == 1
    assert "it waits up to 3600 s; press Ctrl-C (again)" in said(child.lines)[0]
    assert list(Path(storage, ".tmp").iterdir()) == []


_WAITS = r"""
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from workqueue import WorkQueue
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
executor = ThreadPoolExecutor(2) if sys.argv[4] == "theirs" else None
queue = WorkQueue(sys.argv[1], executor, sys.argv[2], exit_drain=float(sys.argv[3]))
jobs = [queue.ensure_run((name, "secret")) for name in "ab"]
try:
    for job in jobs:
        job.progress.subscribe(lambda progress: os.write(1, f"at {progress.fraction}\n".encode()))
    os.write(1, b"waits\n")
    jobs[0].wait()
except KeyboardInterrupt:
    os.write(1, b"interrupted\n")
    raise
"""

#: Puts a process at the head of a terminal's foreground, as a shell does.
_IN_FOREGROUND = r"""
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Typed:
    """A script in the foreground of a terminal of its own, where somebody presses Ctrl-C; or is sent SIGINT, alone."""

    def __init__(self, script: str, *arguments: str, is_alone: bool = False) -> None:
        self._is_alone = is_alone
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_FOREGROUND, sys.executable, "-c", script, *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.text = ""

    def press_ctrl_c(self) -> None:
        if self._is_alone:
            self.process.send_signal(signal.SIGINT)
        else:
            os.write(self._ours, b"\x03")

    def read_until(self, text: str, times: int = 1) -> None:
        """Read on until it has printed this, so many times."""
        while self.text.count(text) < times:
            data = os.read(self._ours, 65536)
            assert data, self.text
            self.text += data.decode()

    def status(self) -> int:
        """Its exit status, once all was read."""
        with contextlib.suppress(OSError):  # Linux: the other end of the terminal was closed
            while data := os.read(self._ours, 65536):
                self.text += data.decode()
        return self.process.wait(timeout=20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def typed(program: ScriptedProgram, storage: str) -> Iterator[Callable[..., Typed]]:
    """Starts `_WAITS`; returns once two programs wait at their gates."""
    started: list[Typed] = []

    def start(drain: str, whose: str, *, is_alone: bool) -> Typed:
        started.append(Typed(_WAITS, str(program.path), storage, drain, whose, is_alone=is_alone))
        for _ in range(2):
            program.wait_reached("gate")
        # An interrupt may strike in the middle of a subscription, and does not in a test.
        started[-1].read_until("waits")
        started[-1].read_until("at 0.5", 2)
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


ALONE = pytest.mark.parametrize("is_alone", [False, True], ids=["terminal", "alone"])
WHOSE = pytest.mark.parametrize("whose", ["ours", "theirs"])


@ALONE
@WHOSE
def test_ctrl_c_ends_it_at_once(typed: Callable[..., Typed], whose: str, is_alone: bool) -> None:
    terminal = typed("0", whose, is_alone=is_alone)
    descendants = Descendants(terminal.process.pid)
    terminal.press_ctrl_c()
    assert terminal.status() == -signal.SIGINT
    assert "this process ends, and stops 2 running programs (2 x program); " in terminal.text
    assert "Exception ignored" not in terminal.text
    descendants.wait_gone()


@ALONE
@WHOSE
def test_ctrl_c_is_told_what_is_waited_for_and_a_second_one_stops_it(
    typed: Callable[..., Typed], whose: str, is_alone: bool
) -> None:
    terminal = typed("3600", whose, is_alone=is_alone)
    descendants = Descendants(terminal.process.pid)
    terminal.press_ctrl_c()
    terminal.read_until("to stop that now")
    assert terminal.process.poll() is None
    terminal.press_ctrl_c()
    assert terminal.status() == -signal.SIGINT
    assert terminal.text.count("this process ends") == 1
    assert "after 2 running programs (2 x program); it waits up to 3600 s; press Ctrl-C" in terminal.text
    assert "secret" not in terminal.text
    # The first one's traceback, and no other.
    assert terminal.text.count("Traceback") == 1
    assert "Exception ignored" not in terminal.text
    descendants.wait_gone()


def test_a_third_ctrl_c_does_not_wait_for_a_program_that_will_not_stop(tmp_path: Path, storage: str) -> None:
    """SIGTERM would be followed by SIGKILL after 5 seconds; the warden kills it at once."""
    stubborn = write_program(tmp_path / "stubborn", "trap '' TERM\necho 0.5\nwhile :; do sleep 0.05; done")
    terminal = Typed(_WAITS, str(stubborn), storage, "3600", "ours")
    try:
        terminal.read_until("waits")
        terminal.read_until("at 0.5", 2)
        descendants = Descendants(terminal.process.pid)
        terminal.press_ctrl_c()
        terminal.read_until("to stop that now")
        terminal.press_ctrl_c()
        with contextlib.suppress(OSError):  # it is gone
            while terminal.process.poll() is None:
                terminal.press_ctrl_c()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    terminal.process.wait(0.1)
        assert terminal.status() == -signal.SIGINT
        descendants.wait_gone()
    finally:
        terminal.close()


_FORKS = r"""
import os, sys
from workqueue import WorkQueue
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2])
job = queue.ensure_run(("a",))
pid = os.fork()
if pid == 0:
    sys.exit(7)  # as an interpreter ends, not with os._exit
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
job.wait()
"""


def test_a_forked_child_ends_without_waiting_for_its_parents_jobs(program: ScriptedProgram, storage: str) -> None:
    with Child(_FORKS, program, storage) as child:
        child.read_until(lambda: bool(child.lines))
        assert child.lines == ["child 7\n"]
        program.release("gate")
        assert child.status() == 0


_FORKS_IN_C = r"""
import ctypes, os, sys, threading
from workqueue import WorkQueue
from workqueue.engines.local import at_exit
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2])
job = queue.ensure_run(("a",))
runs = threading.Event()
job.progress.subscribe(lambda progress: progress.fraction == 0.5 and runs.set())
runs.wait()
pid = ctypes.PyDLL(None).fork()  # no hook of Python's is called, as in uWSGI
if pid == 0:
    at_exit._end_all()
    os._exit(7)
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
print("job", job.wait().returncode, flush=True)
"""


def test_a_child_forked_without_hooks_neither_awaits_nor_stops_its_parents_jobs(
    program: ScriptedProgram, storage: str
) -> None:
    with Child(_FORKS_IN_C, program, storage) as child:
        child.read_until(lambda: bool(child.lines))
        assert child.lines == ["child 7\n"]
        program.release("gate")
        assert child.status() == 0
    assert child.lines[-1] == "job 0"


_ENDS_WHEN_TOLD = r"""
import signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from workqueue import WorkQueue
from workqueue.streams import to_generator
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2], exit_drain=float(sys.argv[3]))
job = queue.ensure_run(("a",))
runs = threading.Event()
def read():
    for progress in to_generator(job.progress):
        if progress.fraction == 0.5:
            runs.set()
    print("its reader was told", progress.error, flush=True)
ThreadPoolExecutor(1).submit(read)  # a thread that the interpreter joins
runs.wait()
print("runs", flush=True)
if sys.argv[4] == "ends":
    sys.exit()
job.wait()
"""


def test_what_a_process_leaves_undone_is_begun_anew_by_one_that_follows_it(
    program: ScriptedProgram, storage: str, make_queue: Callable[..., WorkQueue]
) -> None:
    with Child(_ENDS_WHEN_TOLD, program, storage, "0", "waits") as child:
        program.wait_reached("gate")
        child.read_until(lambda: "runs\n" in child.lines)
        job = ensure(make_queue(program.path), "a")
        follows = threading.Event()
        job.progress.subscribe(lambda progress: follows.set() if progress.fraction == 0.5 else None)
        assert follows.wait(20)
        child.process.send_signal(signal.SIGINT)
        child.status()
        assert "its reader was told The work queue was closed while this job ran." in map(str.strip, child.lines)
        program.wait_reached("gate")
        program.release("gate")
        assert job.wait(20) == succeeded()
    assert len(program.runs) == 2


def test_a_process_that_only_follows_a_run_waits_for_nothing(
    program: ScriptedProgram, storage: str, make_queue: Callable[..., WorkQueue]
) -> None:
    job = ensure(make_queue(program.path), "a")
    program.wait_reached("gate")
    with Child(_ENDS_WHEN_TOLD, program, storage, "3600", "ends") as child:
        assert child.status() == 0
    assert "its reader was told The work queue was closed while this job ran." in map(str.strip, child.lines)
    assert said(child.lines) == []
    program.release("gate")
    assert job.wait(20) == succeeded()
    assert len(program.runs) == 1
