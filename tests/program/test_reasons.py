"""Why a program cannot be started: the cause that a person can mend, not the kernel's number for it."""

import contextlib
import errno
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import InOwnMounts
from workqueue.errors import ProgramError
from workqueue.program import reasons
from workqueue.program.command import command_of
from workqueue.program.limits import Limits
from workqueue.program.reasons import reason
from workqueue.program.start import start

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="it is about Linux's binaries")

BOM = "it begins with a byte order mark (BOM) in front of '#!'; save it as UTF-8 without one"
NEITHER = "it neither begins with '#!' and an interpreter nor is it a binary of this machine"


def make(path: Path, content: bytes | str, mode: int = 0o755) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


@pytest.fixture(params=[Limits(), Limits(niceness=1)], ids=["at once", "by the launcher"])
def told(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """The reason why a program cannot be started, in either way to start one."""

    def fail(program: Path) -> str:
        with pytest.raises(ProgramError) as failed:
            start(command_of(program), [], limits=request.param)
        return str(failed.value).removeprefix(f"Cannot start the program {program}: ")

    return fail


Told = Callable[[Path], str]


def test_lines_that_end_as_on_windows(told: Told, tmp_path: Path) -> None:
    program = make(tmp_path / "program", "#!/bin/sh\r\necho 0.5\r\n")
    assert told(program) == (
        "its first line names the interpreter '/bin/sh\\r', and the carriage return is a part of that name:"
        " the lines end as on Windows; convert them with dos2unix"
    )


def test_an_interpreter_without_a_path(told: Told, tmp_path: Path) -> None:
    program = make(tmp_path / "program", "#! python3-nowhere -u\n")
    assert told(program) == (
        "its first line names the interpreter python3-nowhere, and that must be an absolute path,"
        " such as /usr/bin/env python3-nowhere"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("#!{}/none", "there is no such file"),
        ("#!\t{}/none\t-u", "there is no such file"),
        ("#!{}/file/none", "there is no such file"),
        ("#!{}", "that is a directory"),
        ("#!{}/file", "that cannot be executed"),
        ("#!{}/broken", "that has no interpreter, or loader, itself"),
    ],
)
def test_an_interpreter_that_cannot_be_run(told: Told, tmp_path: Path, line: str, problem: str) -> None:
    directory = tmp_path / "i"
    if " " in str(directory):
        pytest.skip("'#!' takes no path with blanks in it")
    directory.mkdir()
    make(directory / "file", "", 0o644)
    make(directory / "broken", f"#!{directory}/none\n")
    program = make(tmp_path / "program", line.format(directory) + "\n")
    name = re.split("[\t ]", line.format(directory)[2:].strip())[0]
    assert told(program) == f"its first line names the interpreter {name}, and {problem}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", NEITHER),
        (b"echo 0.5\n", NEITHER),
        (b"#!\n", NEITHER),
        (b"\xef\xbb\xbf#!/bin/sh\n", BOM),
        (b"MZ\x90\0", "it is a program for Windows"),
        (b"\x7fELF", NEITHER),
    ],
)
def test_what_is_no_program_of_this_machine(told: Told, tmp_path: Path, content: bytes, words: str) -> None:
    if sys.platform != "linux" and words == NEITHER:
        pytest.skip("other systems have other words for it")
    assert told(make(tmp_path / "program", content)) == words


@only_linux
@pytest.mark.parametrize(
    ("order", "number", "name"),
    [
        *(("little", 3, "x86"), ("little", 40, "ARM"), ("little", 62, "x86_64"), ("little", 183, "aarch64")),
        *(("little", 243, "RISC-V"), ("big", 21, "PowerPC"), ("big", 22, "S/390")),
        ("little", 4711, "another machine (number 4711 of elf.h)"),
    ],
)
def test_a_binary_of_another_machine(told: Told, tmp_path: Path, order: str, number: int, name: str) -> None:
    header = bytearray(b"\x7fELF" + bytes(60))
    header[4:7] = bytes([2, 2 if order == "big" else 1, 1])
    header[18:20] = number.to_bytes(2, "big" if order == "big" else "little")
    assert told(make(tmp_path / "program", bytes(header))) == (
        f"it is a binary for {name}, which this machine ({platform.machine()}) cannot run, or a broken one"
    )


@only_linux
def test_a_binary_whose_loader_is_missing(told: Told, tmp_path: Path) -> None:
    """As of another distribution; the kernel says only that there is no such file."""
    broken, n_loaders = re.subn(rb"/ld-([^\0/]+\0)", rb"/no-\1", Path("/bin/sh").read_bytes())
    assert n_loaders
    assert told(make(tmp_path / "program", broken)).startswith(
        f"it is a binary whose loader is missing ({os.strerror(errno.ENOENT)}); it may be built for another distrib"
    )


@only_linux
def test_a_program_that_somebody_still_writes(told: Told, tmp_path: Path) -> None:
    program = make(tmp_path / "program", Path("/bin/sh").read_bytes())
    with program.open("r+b"):
        assert told(program).startswith("it is open for writing; whoever writes it")


def test_a_program_without_execute_permission(told: Told, tmp_path: Path) -> None:
    assert told(make(tmp_path / "program", "#!/bin/sh\n", 0o644)) == "it is not executable; chmod +x it"


CLOSED = """
import errno, os, sys
from pathlib import Path
from workqueue.program.reasons import reason
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    os.execv(sys.argv[1], [sys.argv[1]])
except OSError as err:
    print(reason(Path(sys.argv[1]), err))
"""


def told_to_an_ordinary_user(program: Path) -> str:
    """The reason for somebody who is not root, and may not do everything."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", CLOSED, program], env=environment, capture_output=True, check=True, text=True
    ).stdout.strip()


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    """A directory that every user can come to."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == os.geteuid() and not directory.stat().st_mode & 0o001:
            directory.chmod(directory.stat().st_mode | 0o011)
    return tmp_path


def test_a_directory_on_the_way_that_is_closed(open_to_all: Path) -> None:
    closed = open_to_all / "closed"
    (closed / "below").mkdir(parents=True)
    make(closed / "below" / "program", "#!/bin/sh\n")
    closed.chmod(0o600)
    with contextlib.ExitStack() as stack:
        stack.callback(closed.chmod, 0o700)
        words = f"the directory {closed} on its way is closed to this user, who needs execute permission on it"
        assert told_to_an_ordinary_user(closed / "below" / "program") == words
        if " " not in str(closed):
            program = make(open_to_all / "program", f"#!{closed}/below/program\n")
            told = told_to_an_ordinary_user(program)
            assert told == f"its first line names the interpreter {closed}/below/program, and {words}"


NOEXEC = """
import subprocess, sys
from pathlib import Path
from workqueue.errors import ProgramError
from workqueue.program.command import command_of
from workqueue.program.limits import Limits
from workqueue.program.start import start
mounted, elsewhere = map(Path, sys.argv[1:])
subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", mounted], check=True)
for path, text in ((mounted / "program", "#!/bin/sh\\n"), (elsewhere / "program", f"#!{mounted}/program\\n")):
    path.write_text(text)
    path.chmod(0o755)
    for limits in (Limits(), Limits(niceness=1)):
        try:
            start(command_of(path), [], limits=limits)
        except ProgramError as err:
            print(err)
"""


def test_a_file_system_that_is_mounted_noexec(in_own_mounts: InOwnMounts, tmp_path: Path) -> None:
    mounted, elsewhere = (tmp_path / name for name in ("mounted", "elsewhere"))
    mounted.mkdir()
    elsewhere.mkdir()
    own = "it lies on a file system that is mounted noexec, from which nothing can be executed; move it to another, or"
    of_interpreter = (
        f"its first line names the interpreter {mounted}/program, and that lies on a file system that is mounted"
        " noexec, from which nothing can be executed"
    )
    lines = in_own_mounts(sys.executable, "-c", NOEXEC, mounted, elsewhere).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"Cannot start the program {mounted}/program: {own}") for line in lines[:2])
    if " " not in str(tmp_path):
        assert lines[2:] == [f"Cannot start the program {elsewhere}/program: {of_interpreter}"] * 2


def test_what_has_no_words_of_ours_has_the_systems(tmp_path: Path) -> None:
    program = make(tmp_path / "program", "#!/bin/sh\n")
    for number in (errno.E2BIG, errno.EAGAIN, errno.ENOMEM, errno.EACCES):
        assert reason(program, OSError(number, os.strerror(number))) == os.strerror(number)


def test_a_system_that_does_not_tell_noexec_is_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(reasons.os, "ST_NOEXEC", raising=False)
    program = make(tmp_path / "program", "#!/bin/sh\n", 0o644)
    assert reason(program, OSError(errno.EACCES, "no")) == "it is not executable; chmod +x it"
