"""5 interpreter: which Python runs our own helpers, and a user's program that is a lone Python file.

`sys.executable` is what runs this process, which need not be Python: a frozen application (PyInstaller, py2app,
cx_Freeze, Nuitka) stands there itself, and so does a server that embeds Python (uWSGI). Started as a helper, either
would begin a second time, and so would its helper. uWSGI from PyPI says there which Python its environment was made of,
which lacks the packages that are installed in the environment.
"""

import errno
import os
import re
import sys
from collections.abc import Iterator
from typing import Final

#: What interpreters are called: python, python3, python3.11, python3.13t, python3-dbg, pypy3, macOS's Python, ...
_NAME: Final = re.compile(
    r"(python|pypy|graalpy)w?(\d+(\.\d+)?[dmt]*)?(-(dbg|debug|intel64|arm64|x86_64))?", re.IGNORECASE
)


class NoInterpreter(OSError):
    """There is no Python for our own helpers, nor for a program that is a lone Python file."""


def interpreter() -> list[str]:
    """The beginning of a helper's command line: an interpreter that is isolated, without site, and up in 10 ms.

    Raises:
        NoInterpreter: there is none to be found; the text says where it was looked for.
    """
    # Isolated: the server's environment may hold PYTHON... variables that are meant for something else.
    return [python(), "-I", "-S"]


def python() -> str:
    """The path of the interpreter that runs this process; of a frozen application, of the first python3 on PATH.

    Raises:
        NoInterpreter: there is none to be found; the text says where it was looked for.
    """
    for path in _candidates():
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 - for the launcher's and the warden's start
            return path
    places = "on PATH" if is_frozen() else f"in {sys.exec_prefix}/bin or on PATH"
    raise NoInterpreter(errno.ENOENT, f"there is no Python interpreter {places}; install python3")


def is_frozen() -> bool:
    """Whether this process is an application that holds its own Python, and nothing else can run with it."""
    # Nuitka says it in each module that it compiled, the others in sys.
    return bool(getattr(sys, "frozen", False)) or "__compiled__" in globals()


def helper_environment() -> dict[str, str]:
    """This process's environment, as it was before a frozen application made its own libraries the first to be found.

    Another Python does not start with those. PyInstaller keeps the value that was there.
    """
    environment = dict(os.environ)
    if is_frozen():
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH"):
            original = environment.pop(f"{name}_ORIG", None)
            environment.pop(name, None)
            if original is not None:
                environment[name] = original
    return environment


def _candidates() -> Iterator[str]:
    if not is_frozen():
        is_python = bool(sys.executable) and _NAME.fullmatch(os.path.basename(sys.executable))  # noqa: PTH119
        if is_python and not _is_outside_environment():
            yield sys.executable
        for name in (f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3"):
            yield os.path.join(sys.exec_prefix, "bin", name)  # noqa: PTH118
        if is_python:
            yield sys.executable
    import shutil  # noqa: PLC0415 - as in `environment`

    found = shutil.which("python3")
    if found and not (is_frozen() and _is_this_application(found)):
        yield found


def _is_outside_environment() -> bool:
    """Whether this process runs in a virtual environment, and `sys.executable` is the Python that it was made of."""
    directory = os.path.dirname(sys.executable)  # noqa: PTH120
    return sys.prefix != sys.base_prefix and directory == os.path.join(sys.base_exec_prefix, "bin")  # noqa: PTH118


def _is_this_application(path: str) -> bool:
    try:
        return os.path.samefile(path, sys.executable)  # noqa: PTH121
    except (OSError, TypeError):
        return False
