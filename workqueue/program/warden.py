"""5 warden: no program outlives the process that started it, however that dies.

A small process of ours, one for each queue, started with its first program. For each program it holds one end of a
socket pair, whose other end is held by the owner alone: when that closes without a word, the owner is dead. The warden
then kills the program's process group, removes the run's directory, and only then closes its copy of the run's lock.
See `warden_process` for its side.

It is told of a run before the program starts: there is no moment at which the owner's death leaves a program that
nobody knows of. The run's other end tells the owner in turn when the warden was killed; then another is started, and
told of all that run. Not PR_SET_PDEATHSIG, which fires when the thread ends that started the program, and not numbers
of processes, which are given to others: what is passed are descriptors.
"""

import contextlib
import json
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from workqueue.program import warden_process
from workqueue.program.interpreter import interpreter
from workqueue.system.descriptors import close_own, open_own

logger = logging.getLogger("workqueue")

_SCRIPT: Final = Path(warden_process.__file__)


class Warden:
    """Starts the process when it is needed, and again when it was killed. Callable from any thread."""

    def __init__(self) -> None:
        # Guards both below, and is held while the process is started: two threads must not start two.
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = -1

    def guard(self, directory: Path, lock: int | None = None) -> "Guard":
        """Guard one run, from before its program starts; a context for the thread that makes the run.

        Args:
            directory: what is removed when this process dies.
            lock: the descriptor that is locked for the run, to be kept until then; its program must inherit it.
        """
        return Guard(self, directory, lock)

    def close(self) -> None:
        """End the process, once nothing runs; a later run starts another."""
        with self._lock:
            self._end()

    def send(self, line: bytes, descriptors: list[int]) -> bool:
        """Pass it on, to a new process if need be; return whether there is one."""
        with self._lock:
            for _ in range(2):  # the first may find that it was killed
                try:
                    if self._process is None:
                        self._start()
                    _send(self._socket, line, descriptors)
                except (BrokenPipeError, ConnectionResetError):
                    self._end()
                except OSError as err:
                    logger.warning("cannot guard programs against this process's death: %s", err)
                    self._end()
                    return False
                else:
                    return True
        return False

    def _start(self) -> None:
        ours, theirs = _socket_pair()
        try:
            self._process = subprocess.Popen(
                [*interpreter(), str(_SCRIPT), str(theirs)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs,),
                cwd="/",  # it keeps no file system from being unmounted
                start_new_session=True,  # what a terminal sends to its foreground is not for it
            )
        except BaseException:
            close_own(ours)
            raise
        finally:
            os.close(theirs)
        self._socket = ours

    def _end(self) -> None:
        if self._process is None:
            return
        close_own(self._socket)
        # It ends by itself, when it has no run left to guard. It is killed already, or nothing runs.
        self._process.wait()
        self._process = None


class Guard:
    """What the warden knows of one run. Used by the thread that makes the run."""

    def __init__(self, warden: Warden, directory: Path, lock: int | None) -> None:
        self._warden = warden
        self._directory = directory
        self._lock = lock
        self._pidfd: int | None = None
        self._pid: int | None = None
        self._channel = -1

    @contextlib.contextmanager
    def inherited(self) -> Iterator[tuple[int, ...]]:
        """The descriptors that the program must inherit: while it lives, its key is locked, whoever else has died.

        A copy, for the moment of the start. The lock itself is closed in forked children, and where a server has
        replaced `subprocess` (gevent) the program begins as one.
        """
        if self._lock is None:
            yield ()
            return
        copy = os.dup(self._lock)
        try:
            yield (copy,)
        finally:
            os.close(copy)

    @property
    def channel(self) -> int | None:
        """A descriptor that becomes readable when the warden has died, until `renew`; None when there is none."""
        return None if self._channel < 0 else self._channel

    def started(self, pid: int) -> None:
        """The program runs: its number, which is its process group's too, and is not reaped before `over`."""
        self._pid = pid
        # What has no descriptors for processes (macOS) is told the number.
        with contextlib.suppress(AttributeError, OSError):
            self._pidfd = os.pidfd_open(pid)
        self._tell_pid()

    def renew(self) -> None:
        """The warden was killed: tell another."""
        logger.warning("the warden of running programs has died; starting another")
        close_own(self._channel)
        self._begin()
        self._tell_pid()

    def __enter__(self) -> "Guard":
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The program is dead, and what is left to do is its owner's."""
        if self._pidfd is not None:
            os.close(self._pidfd)
        if self._channel >= 0:
            with contextlib.suppress(OSError):  # it has been killed, and there is nothing to guard any more
                _send(self._channel, warden_process.OVER, [])
            close_own(self._channel)

    def _begin(self) -> None:
        self._channel, theirs = _socket_pair()
        descriptors = [theirs] if self._lock is None else [theirs, self._lock]
        line = json.dumps([len(descriptors), os.fspath(self._directory)]).encode() + b"\n"
        try:
            if not self._warden.send(line, descriptors):
                close_own(self._channel)
                self._channel = -1
        finally:
            os.close(theirs)

    def _tell_pid(self) -> None:
        if self._channel < 0 or self._pid is None:
            return
        with contextlib.suppress(OSError):  # it has been killed; the reading thread sees that, and renews
            descriptors = [] if self._pidfd is None else [self._pidfd]
            _send(self._channel, warden_process.STARTED % self._pid, descriptors)


def _socket_pair() -> tuple[int, int]:
    """Two ends: the first closes in forked children, the second is for the warden."""
    theirs = -1

    def open_ours() -> int:
        nonlocal theirs
        ours, other = socket.socketpair()
        theirs = other.detach()
        return ours.detach()

    return open_own(open_ours), theirs


def _send(fd: int, data: bytes, descriptors: list[int]) -> None:
    # A socket object of our own, over the same descriptor: this only lends it. Told what it is, it need not ask.
    lent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
    try:
        socket.send_fds(lent, [data], descriptors, getattr(socket, "MSG_NOSIGNAL", 0))
    finally:
        lent.detach()
