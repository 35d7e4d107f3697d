"""4 host lead: the right to make a key's run, and the writing of its journal."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from workqueue.engines.host.places import END_AT, STATE_AT, write, write_start
from workqueue.engines.host.record import Times
from workqueue.progress import Progress, WaitsAgain
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import let_go, try_keep, unlock
from workqueue.system.own_files import open_file


class Lead:
    """The right to make a key's run, and its journal. Used by the thread that makes the run; closed by it.

    Args:
        path: the journal.
        fd: the same, open for reading, and locked; closed by this, unless it raises.
        has_own_lock: lock it in the way that a program cannot undo, too.

    Raises:
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path, fd: int, *, has_own_lock: bool = True) -> None:
        self._path = path
        self._run = ""
        self._times: Times | None = None
        self._is_said = True  # that the run begins
        #: The descriptor that is locked, for the program to inherit; nobody can write by it.
        self.fd = fd
        self._log = open_own(lambda: open_file(path, os.O_WRONLY))
        try:
            status = os.fstat(fd)
            if not os.path.samestat(os.fstat(self._log), status):
                raise OSError(errno.ESTALE, "Another file has taken its name")
            if has_own_lock and not try_keep(self._log):
                raise BlockingIOError(errno.EWOULDBLOCK, "Its program has unlocked it, and is still guarded")
            if status.st_size:
                os.ftruncate(self._log, 0)  # what a dead run said, or another program
        except BaseException:
            close_own(self._log)
            raise

    def start(self, times: Times | None = None) -> None:
        """Tell the others that the run begins, after one that died perhaps; and when, if that is known."""
        self._run, self._times = secrets.token_hex(8), times
        self._is_said = write_start(self._log, self._run, times)

    def report(self, report: Progress | WaitsAgain) -> None:
        """Tell the others where it stands, or how it ended."""
        is_end = isinstance(report, Progress) and report.returncode is not None
        if not self._is_said:  # what else is said of a run that nobody knows, nobody reads
            self._is_said = write_start(self._log, self._run, self._times)
        write(self._log, END_AT if is_end else STATE_AT, self._run, report)

    def close(self) -> None:
        """Let go of the key; others find what was written, or, without an end, may make the run themselves."""
        # While it is locked: the next leader must not find its own file removed.
        with contextlib.suppress(OSError):
            self._path.unlink()
        # Not only closed: a program that is just being started has a copy for a moment, a daemon that it left for ever.
        with contextlib.suppress(OSError):
            unlock(self.fd)
        let_go(self._log)
        close_own(self._log)
        close_own(self.fd)

    def __enter__(self) -> "Lead":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
