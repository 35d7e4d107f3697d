"""5 interpreter: the Python to run our own helpers with: isolated, and without site, so it is up in 10 ms."""

import errno
import os
import sys
from pathlib import Path


def interpreter() -> list[str]:
    """The beginning of the command line.

    Raises:
        OSError: there is none to be found.
    """
    # Isolated: the program's environment may hold PYTHON... variables that are meant for it.
    return [python(), "-I", "-S"]


def python() -> str:
    """The path of the Python that this process runs in.

    Raises:
        OSError: there is none to be found.
    """
    # A server that embeds Python, such as uWSGI, has its own name in sys.executable.
    if "py" in Path(sys.executable or "").name:
        return sys.executable
    path = Path(sys.exec_prefix, "bin", "python3")
    if not path.exists():
        raise OSError(errno.ENOENT, f"there is no Python interpreter in {sys.exec_prefix}", os.fspath(path))
    return str(path)
