"""Which program builds which document set at this moment, and its end by SIGKILL, as a crash would be.

Each program leaves a file, named by its process number, that says which set it builds. A number says little: the kernel
gives it to another process as soon as the program was reaped. So a program counts only while the kernel says that the
process of that number is a child of this one, and it is signalled through a descriptor (pidfd_open(2)) of which the
same was asked. Where the kernel has no such descriptors, the question comes a moment before the signal.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: With the directory as $0, then: PROGRAM SERVER DOCUMENT_SET_ID API_TOKEN OUTPUT. The number stays that of the shell.
_SCRIPT: Final = 'echo "$3" > "$0/$$" && exec "$@"'


class Programs:
    """The programs of one queue. Callable from any thread.

    Args:
        directory: an empty one, where each leaves its file.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def command(self, program: Path) -> list[str]:
        """What a queue is to run, in place of the program itself."""
        return ["/bin/sh", "-c", _SCRIPT, str(self._directory), str(program)]

    def pid(self, set_id: str) -> int | None:
        """The number of the process that builds this set; None: none does, as far as can be told.

        Always None on macOS before Python 3.13, which lacks waitid(2).
        """
        return next(self._pids(set_id), None)

    def kill(self, set_id: str) -> bool:
        """Send SIGKILL to the program that builds this set; return whether there was one. It returns at once."""
        kills = [_kill(pid) for pid in self._pids(set_id)]
        return any(kills)

    def _pids(self, set_id: str) -> Iterator[int]:
        for path in self._directory.iterdir():
            pid = int(path.name)
            if not _is_running_child(pid):
                path.unlink(missing_ok=True)  # it has ended
            elif _said(path) == set_id:
                yield pid


def _said(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):  # another thread has seen its end meanwhile
        return path.read_text().strip()
    return ""


def _is_running_child(pid: int) -> bool:
    return hasattr(os, "waitid") and _is_still_running(os.P_PID, pid)


def _is_still_running(id_type: int, number: int) -> bool:
    """Whether it is a child of this process and has not exited; it is not reaped by this."""
    try:
        return os.waitid(id_type, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _kill(pid: int) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # macOS, or an old kernel
        is_running = _is_running_child(pid)
        if is_running:
            os.kill(pid, signal.SIGKILL)
        return is_running
    try:
        is_running = _is_still_running(os.P_PIDFD, pidfd)
        if is_running:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        return is_running
    finally:
        os.close(pidfd)
