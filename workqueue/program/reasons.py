"""5 reasons: why a program could not be started, in words: exec reports most causes with the same few numbers.

::

    ENOENT     there is no such file; or it is there, and its interpreter, or its loader, is not
    EACCES     no execute bit; a mount without exec; a directory on the way that is closed to us; the same of the
               interpreter
    ENOEXEC    no first line with an interpreter; a binary of another machine

So what the kernel meant is looked for, in files that are not trusted: a few bytes of each, and every look may fail.
"""

import errno
import os
import platform
from pathlib import Path
from typing import Final

#: What the kernel reads of a first line.
_FIRST_LINE_BYTES: Final = 256

#: How programs begin that this system cannot run, and in whose words.
_FOREIGN: Final = {
    b"\xef\xbb\xbf#!": "it begins with a byte order mark (BOM) in front of '#!'; save it as UTF-8 without one",
    b"MZ": "it is a program for Windows",
    b"\xcf\xfa\xed\xfe": "it is a program for macOS",
    b"\xca\xfe\xba\xbe": "it is a program for macOS, or Java's bytecode",
}
_ELF: Final = b"\x7fELF"

#: Of the header's e_machine, those that servers and small boards are (elf.h).
_MACHINES: Final = {3: "x86", 21: "PowerPC", 22: "S/390", 40: "ARM", 62: "x86_64", 183: "aarch64", 243: "RISC-V"}


def reason(program: Path, err: OSError) -> str:
    """What the kernel meant, and what to do.

    Args:
        program: its absolute path.
        err: what exec, or a look at the file, raised.
    """
    # os.path, since these methods of Path raise where a name is too long, or a directory on the way is closed to us.
    if os.path.isdir(program):  # noqa: PTH112
        return "it is a directory"
    if err.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
        # ENOENT also comes from a look that failed for another reason, in `check_program`.
        return _missing(program) or _closed(program) or _of_what_runs_it(program, err)
    if err.errno == errno.ENOEXEC:
        return _not_executable(_start_of(program))
    if err.errno == errno.ETXTBSY:
        return "it is open for writing; whoever writes it, an editor or an installer, must close it first"
    return err.strerror or str(err)


def _missing(program: Path) -> str:
    if os.path.exists(program):  # noqa: PTH110
        return ""
    # From the root on: behind the first that is closed nothing can be seen.
    for directory in reversed(program.parents):
        if os.path.isdir(directory) and not os.access(directory, os.X_OK):  # noqa: PTH112
            return f"the directory {directory} on its way is closed to this user, who needs execute permission on it"
    return "there is no such file"


def _closed(path: Path) -> str:
    """Why a file that is there may not be executed; empty if it may be, as far as can be told."""
    if _is_noexec(path):
        return (
            "it lies on a file system that is mounted noexec, from which nothing can be executed; move it to another,"
            " or name its interpreter in front of it, as in ['/bin/sh', PROGRAM]"
        )
    if not os.access(path, os.X_OK):
        return "it is not executable; chmod +x it"
    return ""


def _is_noexec(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    except (OSError, AttributeError):  # only some systems have the flag
        return False


def _of_what_runs_it(program: Path, err: OSError) -> str:
    """What is wrong with the interpreter, or the loader, of a program that may be executed."""
    start = _start_of(program)
    if start.startswith(_ELF) and err.errno == errno.ENOENT:
        return (
            f"it is a binary whose loader is missing ({err.strerror}); it may be built for another distribution, as one"
            " of glibc is for Alpine's musl"
        )
    interpreter = _interpreter(start)
    problem = _of_interpreter(interpreter, err) if interpreter else ""
    if not problem:
        return err.strerror or str(err)
    shown = interpreter if interpreter.isprintable() else repr(interpreter)
    return f"its first line names the interpreter {shown}, and {problem}"


def _of_interpreter(interpreter: str, err: OSError) -> str:
    path = Path(interpreter)
    problems = {
        "the carriage return is a part of that name: the lines end as on Windows; convert them with dos2unix": (
            interpreter.endswith("\r")
        ),
        f"that must be an absolute path, such as /usr/bin/env {interpreter}": not path.is_absolute(),
        "that is a directory": os.path.isdir(path),  # noqa: PTH112
        (missing := _missing(path)): bool(missing),
        "that lies on a file system that is mounted noexec, from which nothing can be executed": _is_noexec(path),
        "that cannot be executed": not os.access(path, os.X_OK),
        "that has no interpreter, or loader, itself": err.errno == errno.ENOENT,
    }
    return next((words for words, is_so in problems.items() if is_so), "")


def _not_executable(start: bytes) -> str:
    for beginning, words in _FOREIGN.items():
        if start.startswith(beginning):
            return words
    if start.startswith(_ELF) and len(start) >= 20:
        number = int.from_bytes(start[18:20], "big" if start[5] == 2 else "little")
        machine = _MACHINES.get(number, f"another machine (number {number} of elf.h)")
        return f"it is a binary for {machine}, which this machine ({platform.machine()}) cannot run, or a broken one"
    return "it neither begins with '#!' and an interpreter nor is it a binary of this machine"


def _start_of(program: Path) -> bytes:
    """Its first bytes; none of a program that may be executed and not read."""
    try:
        with program.open("rb") as file:
            return file.read(_FIRST_LINE_BYTES)
    except OSError:
        return b""


def _interpreter(start: bytes) -> str:
    """The path behind '#!', as the kernel takes it; or an empty string."""
    if not start.startswith(b"#!"):
        return ""
    line = start[2:].partition(b"\n")[0].strip(b" \t")
    return os.fsdecode(line.replace(b"\t", b" ").partition(b" ")[0])
