"""A child starts clean, whatever this process has."""

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import write_program
from workqueue.errors import ProgramError
from workqueue.program import launcher
from workqueue.program import spawn as module
from workqueue.program.child import Child
from workqueue.program.command import command_of
from workqueue.program.environment import make_environment
from workqueue.program.limits import Limits
from workqueue.program.start import start
from workqueue.system import descriptors

#: Two signals that the C library keeps to itself, which nothing in Python can set back.
C_LIBRARYS = 1 << 31 | 1 << 32


def end_of(child: Child) -> tuple[str, int | None]:
    """What it prints, and how it ends."""
    with open(child.stdout, closefd=False) as stdout:
        text = stdout.read()
    status = child.reap()
    child.close()
    return text, status


@pytest.fixture(params=[Limits(), Limits(niceness=1)], ids=["itself", "by the launcher"])
def limits(request: pytest.FixtureRequest) -> Limits:
    limits: Limits = request.param
    return limits


def test_no_signal_of_this_thread_is_blocked_or_ignored_in_it(limits: Limits, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "grep -E 'Sig(Blk|Ign)' /proc/self/status")
    told: list[str] = []

    def begin() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        told.append(end_of(start(command_of(program), [], limits=limits))[0])

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    blocked, ignored = (int(number, 16) for number in told[0].split()[1::2])
    assert blocked == 0
    assert ignored & ~C_LIBRARYS == 0


def test_a_signal_that_a_program_waits_for_reaches_it(limits: Limits, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "trap 'echo got it; exit 4' TERM; echo; while :; do sleep 0.01; done")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        child = start(command_of(program), [], limits=limits)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert os.read(child.stdout, 1) == b"\n"
    child.signal(signal.SIGTERM)
    assert end_of(child) == ("got it\n", 4)


def test_it_has_the_descriptors_that_are_meant_for_it_and_no_others(limits: Limits, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "ls -l /proc/$$/fd")
    with (tmp_path / "meant").open("w") as meant, (tmp_path / "not meant").open("w") as not_meant:
        for file in (meant, not_meant):
            os.set_inheritable(file.fileno(), file is not_meant)
        fd = meant.fileno()
        text, status = end_of(start(command_of(program), [], limits=limits, inherited=(fd,)))
    assert f" {fd} -> {tmp_path / 'meant'}\n" in text
    assert "not meant" not in text
    assert status == 0


def test_arguments_are_utf_8(limits: Limits, tmp_path: Path) -> None:
    name = os.fsdecode("Zürich ☃".encode())  # as Python has it where its file system is not UTF-8
    program = write_program(tmp_path / name, 'printf %s "$1" | od -An -tx1 | tr -d " \\n"')
    text, _ = end_of(start(command_of(program), ["Zürich ☃", "out"], limits=limits))
    assert bytes.fromhex(text).decode() == "Zürich ☃"


def test_what_the_file_system_named_is_named_so(tmp_path: Path) -> None:
    """A path that is no UTF-8 is what Python made of it, and becomes what it was."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    program = write_program(path, "echo started")
    assert end_of(start(command_of(program), [os.fsdecode(b"\xfe")])) == ("started\n", 0)


def test_where_there_is_no_dev_null_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "devnull", str(tmp_path / "null"))
    with pytest.raises(ProgramError, match="this system has no null device, which programs get as their stdin"):
        start(command_of(write_program(tmp_path / "program", "exit 0")), [])


def test_what_is_opened_for_one_that_cannot_start_is_closed(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(10):
        with pytest.raises(ProgramError):
            start(command_of(tmp_path / "missing"), [])
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.fixture
def no_standard_descriptors() -> Iterator[None]:
    """As of a daemon; a test's own are put back at the end."""
    kept = [descriptors.above_standard(os.dup(fd)) for fd in range(3)]
    for fd in range(3):
        os.close(fd)
    yield
    for fd, copy in enumerate(kept):
        os.dup2(copy, fd, inheritable=True)
        os.close(copy)


@pytest.mark.usefixtures("no_standard_descriptors")
def test_a_server_without_standard_descriptors_starts_programs_that_have_theirs(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "echo out; echo err >&2; read x && exit 1; exit 3")
    child = start(command_of(program), [])
    assert min(child.stdout, child.stderr) > 2
    assert os.read(child.stderr, 10) == b"err\n"
    assert end_of(child) == ("out\n", 3)


def test_where_nothing_tells_what_is_open_all_numbers_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise FileNotFoundError(path)

    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    monkeypatch.setattr(os, "listdir", refuse)
    found = descriptors.inheritable_descriptors()
    assert writer in found
    assert reader not in found
    for fd in (reader, writer):
        os.close(fd)


def test_text_is_encoded_whatever_the_locale() -> None:
    assert module.encoded("ü\udcff") == "ü".encode() + b"\xff"


def test_the_environment_is_all_that_it_is_given(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "env | grep -c .")
    environment = {b"PATH": os.environb[b"PATH"], b"ONE": b"1"}
    # A shell adds PWD, and some of them more; what is not there is the environment of this process.
    n_names = int(end_of(start(command_of(program), [], environment=environment))[0])
    assert 2 <= n_names <= 6 < len(make_environment({})) + 3


@pytest.mark.usefixtures("no_standard_descriptors")
def test_a_pipe_whose_number_cannot_be_another_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    n_open = len(list(Path("/dev/fd").iterdir()))
    with monkeypatch.context() as patch, contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        patch.setattr(os, "dup", refuse)
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            module._pipe(ours, theirs)
    assert len(list(Path("/dev/fd").iterdir())) == n_open


@pytest.mark.parametrize("call", ["read", "poll"])
def test_a_program_of_whose_start_nothing_can_be_read_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    program = write_program(tmp_path / "program", "exec sleep 1000")

    def refuse(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if call == "poll":
        poll = SimpleNamespace(register=lambda _: None, poll=refuse)
        monkeypatch.setattr(launcher, "make_poll", lambda: poll)
    else:
        monkeypatch.setattr(launcher, "os", SimpleNamespace(read=refuse, pipe=os.pipe, close=os.close))
    with pytest.raises(ProgramError, match="Cannot start the program"):
        start(command_of(program), ["a"], limits=Limits(niceness=1))
