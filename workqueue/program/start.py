"""5 start: a program's path and arguments -> a started process, or the reason why not."""

import errno
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from workqueue.errors import ProgramError


def start(program: Path, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a program the way every job is: unread input, unbuffered pipes, a process group of its own.

    PYTHONUNBUFFERED is set since Python, like most runtimes, holds back what it prints to a pipe until 8 KiB have come
    together: a program that does so shows no progress until it ends.

    Raises:
        ProgramError: it cannot start; the text names the program and the reason.
    """
    try:
        return subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    except OSError as err:
        raise ProgramError(f"Cannot start the program {program}: {_reason(program, err)}") from err


def _reason(program: Path, err: OSError) -> str:
    """What the kernel meant: exec reports most causes with the same few numbers."""
    # os.path, since these methods of Path raise where a name is too long, or a directory on the way is closed to us.
    if os.path.isdir(program):  # noqa: PTH112
        return "it is a directory"
    exists = os.path.exists(program)  # noqa: PTH110
    if err.errno in (errno.ENOENT, errno.ENOTDIR) and not exists:
        return "there is no such file"
    if err.errno == errno.ENOEXEC:
        return "it neither begins with '#!' and an interpreter nor is it a binary of this machine"
    if err.errno == errno.EACCES and exists and not os.access(program, os.X_OK):
        return "it is not executable; chmod +x it"
    interpreter = _interpreter(program)
    if interpreter and err.errno in (errno.ENOENT, errno.EACCES):
        problem = "there is no such file" if err.errno == errno.ENOENT else "that cannot be executed"
        return f"its first line names the interpreter {interpreter}, and {problem}"
    return err.strerror or str(err)


def _interpreter(program: Path) -> str:
    """The path behind '#!', or an empty string."""
    try:
        with program.open("rb") as file:
            line = file.readline(256)
    except OSError:
        return ""
    if not line.startswith(b"#!"):
        return ""
    return os.fsdecode(line[2:].strip().split(b" ")[0])
