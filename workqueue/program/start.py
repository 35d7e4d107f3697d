"""5 start: a program's path and arguments -> a started process, or the reason why not."""

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from workqueue.errors import ProgramError
from workqueue.program.launcher import Launcher
from workqueue.program.limits import Limits

_NO_LIMITS: Final = Limits()


def start(
    program: Path,
    arguments: Sequence[str],
    *,
    limits: Limits = _NO_LIMITS,
    env: Mapping[str, str] = MappingProxyType({}),
    inherited: tuple[int, ...] = (),
) -> "subprocess.Popen[bytes]":
    """Start a program the way every job is: unread input, unbuffered pipes, a process group of its own.

    PYTHONUNBUFFERED is set since Python, like most runtimes, holds back what it prints to a pipe until 8 KiB have come
    together: a program that does so shows no progress until it ends.

    Args:
        program: its absolute path.
        arguments: what follows the path on its command line.
        limits: what it may use; its time is not kept here.
        env: what to add to its environment.
        inherited: the descriptors to pass on, besides stdin, stdout and stderr.

    Raises:
        ProgramError: it cannot start; the text names the program and the reason.
    """
    try:
        if limits.kept_by_kernel or limits.niceness:
            return _start_limited(program, arguments, limits, env, inherited)
        return _popen([str(program), *arguments], env, inherited)
    except OSError as err:
        raise ProgramError(f"Cannot start the program {program}: {_reason(program, err)}") from err


def _start_limited(
    program: Path, arguments: Sequence[str], limits: Limits, env: Mapping[str, str], inherited: tuple[int, ...]
) -> "subprocess.Popen[bytes]":
    with Launcher(limits) as launcher:
        popen = _popen(launcher.command(program, arguments), env, (*launcher.inherited, *inherited))
        try:
            launcher.check()
        except BaseException:
            with popen:
                popen.kill()
            raise
        return popen


def _popen(command: Sequence[str], env: Mapping[str, str], inherited: tuple[int, ...]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        process_group=0,
        pass_fds=inherited,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
    )


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
