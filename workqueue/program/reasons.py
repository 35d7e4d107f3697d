"""5 reasons: why a program could not be started, in words: exec reports most causes with the same few numbers."""

import errno
import os
from pathlib import Path


def reason(program: Path, err: OSError) -> str:
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
