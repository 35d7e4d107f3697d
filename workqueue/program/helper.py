"""5 helper: a Python process of ours behind a socket, which is told things and never waited for without a bound.

It needs no file: its source, had from the loader of its module, is an argument of the interpreter's, so it starts from
a zip as from a directory. One argument may have 128 KiB on Linux, and all of them 256 KiB on macOS. It is handed over
with the exec, where a pipe would have to be written to, and might be full before anybody reads.

Its stdin, stdout and stderr are the socket: that needs no /dev/null, and what an interpreter that cannot run it says is
there to be read when it has died.
"""

import array
import contextlib
import errno
import os
import signal
import socket
import subprocess
import time
from types import ModuleType
from typing import Final

from workqueue.program.interpreter import helper_environment, interpreter
from workqueue.system.descriptors import close_own, open_own

#: From the end of its socket to SIGKILL. It needs a hundredth of that, unless it is stopped: by a debugger, by SIGSTOP.
END_SECONDS: Final = 0.5

#: What SIGKILL takes at most, unless the kernel itself waits.
_KILL_SECONDS: Final = 5.0

#: What is kept of what it says.
_SAID_BYTES: Final = 16 * 1024

#: How much of its last line is shown.
_SHOWN_CHARACTERS: Final = 200


class Helper:
    """One process, until it has ended. Used by one thread at a time.

    Args:
        source: its program, in ASCII: what it is decoded with is up to the locale.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, source: str) -> None:
        self._said = b""
        self._began = time.monotonic()
        self._socket, theirs = socket_pair()
        try:
            self._popen = subprocess.Popen(
                [*interpreter(), "-c", source],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                cwd="/",  # it keeps no file system from being unmounted
                start_new_session=True,  # what a terminal sends to its foreground is not for it
                env=helper_environment(),
            )
        except BaseException:
            close_own(self._socket)
            raise
        finally:
            os.close(theirs)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    @property
    def lived_seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._began

    def send(self, data: bytes, descriptors: list[int]) -> None:
        """Tell it, without waiting for it.

        Raises:
            ConnectionError: it has died, or can be told nothing more.
            OSError: not now.
        """
        if send(self._socket, data, descriptors) < len(data):
            # What was begun cannot be taken back. Linux does not do that to messages as small as ours.
            raise ConnectionAbortedError(errno.ECONNABORTED, "a message was cut in two")

    def said(self) -> bytes:
        """The beginning of what it has said so far."""
        with contextlib.suppress(OSError):
            while data := _receive(self._socket):
                self._said = (self._said + data)[:_SAID_BYTES]
        return self._said

    def end(self) -> str:
        """Close its socket, which ends it, and kill it if that takes too long; return how it ended, in words.

        It is waited for END_SECONDS and what SIGKILL takes, no longer. Who else reaps this process's children (SIGCHLD
        ignored, a thread that waits for all) keeps its exit status from us; nothing else comes of that.
        """
        said = self.said().strip(b"\0\n ")
        close_own(self._socket)
        if not self._wait(END_SECONDS):
            self._kill()
            self._wait(_KILL_SECONDS)
        status = self._popen.returncode
        how = "it ended"
        if status:
            how = f"it was killed by signal {-status}" if status < 0 else f"it exited with status {status}"
        last_line = said.decode("utf-8", "backslashreplace").rpartition("\n")[2][:_SHOWN_CHARACTERS]
        return f"{how}: {last_line}" if last_line else how

    def _wait(self, seconds: float) -> bool:
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill(self) -> None:
        pidfd = None
        with contextlib.suppress(AttributeError, OSError):
            pidfd = os.pidfd_open(self._popen.pid)
        try:
            # In this order: what is still our child after it was opened is what was opened, and no later process that
            # got its number.
            if self._popen.poll() is not None:
                return
            if pidfd is None:
                self._popen.kill()
            else:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            if pidfd is not None:
                os.close(pidfd)


def source_of(module: ModuleType) -> str:
    """The source of a module, wherever it was loaded from.

    Raises:
        OSError: it came without; so do modules in some frozen applications.
    """
    try:
        assert module.__spec__ is not None
        source = module.__spec__.loader.get_source(module.__name__)  # type: ignore[union-attr]
    except (AttributeError, ImportError):
        source = None
    if not isinstance(source, str):
        name = module.__name__
        raise OSError(
            errno.ENOENT, f"there is no source of {name}; include {name.replace('.', '/')}.py in the application"
        )
    return source


def socket_pair() -> tuple[int, int]:
    """Two ends: the first closes in forked children, the second is for the helper.

    Raises:
        OSError: there is none to be had.
    """
    theirs: int

    def open_ours() -> int:
        nonlocal theirs
        ours, other = socket.socketpair()
        theirs = other.detach()
        return ours.detach()

    return open_own(open_ours), theirs


def send(fd: int, data: bytes, descriptors: list[int]) -> int:
    """Send bytes and descriptors over a socket, without waiting; return how many bytes were taken.

    Raises:
        ConnectionError: nobody has the other end any more.
        OSError: not now; BlockingIOError: it is full.
    """
    lent = _lend(fd)
    try:
        if socket.getdefaulttimeout() is not None:  # it would wait that long, whatever the flag says
            lent.settimeout(0.0)
        # Not `socket.send_fds`, which takes flags and passes none on.
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        return lent.sendmsg([data], rights, socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0))
    finally:
        lent.detach()


def _receive(fd: int) -> bytes:
    lent = _lend(fd)
    try:
        lent.settimeout(0.0)  # else gevent and eventlet wait, whatever the flag says
        return lent.recv(4096, socket.MSG_DONTWAIT)
    finally:
        lent.detach()


def _lend(fd: int) -> socket.socket:
    """A socket object of our own, over the same descriptor: told what it is, it need not ask."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
