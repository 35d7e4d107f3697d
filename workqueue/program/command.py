"""5 command: a program, as its author names it -> the command line that runs it.

::

    "./process-docset.py"               a file that can be executed, or Python's source
    [sys.executable, "build.py"]        a command: what is run, and its first arguments

A queue keeps the command as plain strings. What they mean is found out by each start, on the machine that makes it: the
interpreter of a worker is not at the path of the web server's.
"""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from workqueue.errors import ProgramError
from workqueue.program.interpreter import python
from workqueue.program.reasons import reason

Program = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A path, or a command: a sequence of strings."""

Command = tuple[str, ...]
"""What is run, as an absolute path or a name to be looked for on PATH, and its first arguments."""


def command_of(program: Program | object) -> Command:
    """Take a program as a user of the library names it; a relative path is resolved against the current directory now.

    Raises:
        TypeError: it is neither a path nor a sequence of strings.
        ValueError: it is an empty sequence, or holds a NUL character.
    """
    if isinstance(program, str | os.PathLike):
        return (_checked(os.path.abspath(_text(program))),)  # noqa: PTH100 - Path.absolute leaves ".." where it is
    if isinstance(program, bytes | bytearray) or not isinstance(program, Sequence):
        raise TypeError(f"program must be a path or a sequence of strings; got {type(program).__name__}")
    if not program:
        raise ValueError("program must name what is to be run; got an empty sequence")
    first, *others = [_checked(_text(part)) for part in program]
    return (os.path.abspath(first) if "/" in first else first, *others)  # noqa: PTH100 - as above


def _text(part: str | os.PathLike[str]) -> str:
    text = os.fspath(part)
    if not isinstance(text, str):
        raise TypeError(f"program must be a path or a sequence of strings; it holds {type(text).__name__}")
    return text


def _checked(part: str) -> str:
    if "\0" in part:
        raise ValueError(f"program must not contain a NUL character; got {part!r}")
    return part


def path_of(command: Command) -> Path:
    """The file that a command is about, for people: the program itself, or what is run first."""
    return Path(command[0])


def name_of(command: Command) -> str:
    """What people call it: the name of the file that is run, or of the Python script that it is given."""
    return Path(next((part for part in command if part.endswith(".py")), command[0])).name


def resolved(command: Command, environment: Mapping[bytes, bytes]) -> list[str]:
    """The command line that can be executed on this machine, now.

    Python's source (``*.py``) that has no execute bit is run by this interpreter, if it is the whole command.

    Args:
        command: from `command_of`.
        environment: the program's, in whose PATH a name is looked for.

    Raises:
        OSError: there is no such program, or no interpreter.
    """
    first, *others = command
    if "/" not in first:
        path = environment.get(b"PATH", os.fsencode(os.defpath))
        found = shutil.which(first, path=os.fsdecode(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, f"there is no {first} on PATH", first)
        return [found, *others]
    if not others and first.endswith(".py") and os.path.isfile(first) and not os.access(first, os.X_OK):  # noqa: PTH113
        return [python(), first]
    return [first, *others]


def check_program(command: Command, environment: Mapping[bytes, bytes]) -> None:
    """Look whether there is such a program, before the first job does.

    Raises:
        ProgramError: there is none, or it can never be started; the text names it and says what to do.
    """
    try:
        first, *_ = resolved(command, environment)
    except OSError as err:
        raise ProgramError(f"Cannot start the program {command[0]}: {err.strerror}") from err
    # os.path, since these methods of Path raise where a name is too long, or a directory on the way is closed to us.
    if os.path.isfile(first) and os.access(first, os.X_OK):  # noqa: PTH113
        return
    number = errno.EACCES if os.path.exists(first) else errno.ENOENT  # noqa: PTH110
    raise ProgramError(f"Cannot start the program {first}: {reason(Path(first), OSError(number, os.strerror(number)))}")
