"""Calls to the kernel that fail on purpose: the Nth of a kind, once or from then on, in the process that asks for it.

Only the calls of the library's own modules fail, those that it makes through pathlib, shutil and the like included; so
the library knows nothing of this. What a kind of call is, and what it may fail with, is in KINDS.
"""

import errno
import fcntl
import os
import select
import shutil  # noqa: F401 - it looks at its import which of these calls the system has
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final, NamedTuple


class Kind(NamedTuple):
    """One kind of call."""

    owner: ModuleType | type
    names: tuple[str, ...]
    errors: tuple[int, ...]
    """What it may fail with."""


KINDS: Final = {
    "open": Kind(os, ("open",), (errno.EMFILE, errno.ENOSPC, errno.EACCES, errno.EIO, errno.ESTALE)),
    "read": Kind(os, ("read", "pread"), (errno.EIO, errno.ESTALE)),
    "write": Kind(os, ("write", "pwrite", "ftruncate"), (errno.ENOSPC, errno.EIO, errno.EDQUOT)),
    "fsync": Kind(os, ("fsync",), (errno.EIO, errno.ENOSPC)),
    "rename": Kind(os, ("rename", "replace", "link"), (errno.EIO, errno.ENOSPC, errno.EACCES)),
    "unlink": Kind(os, ("unlink", "remove"), (errno.EIO, errno.EACCES)),
    "rmdir": Kind(os, ("rmdir",), (errno.EIO, errno.EACCES)),
    "mkdir": Kind(os, ("mkdir",), (errno.ENOSPC, errno.EACCES, errno.EDQUOT)),
    "stat": Kind(os, ("stat", "lstat", "fstat"), (errno.EIO, errno.ESTALE, errno.ENOMEM)),
    "list": Kind(os, ("listdir", "scandir"), (errno.EIO, errno.EMFILE)),
    "attribute": Kind(os, ("utime", "chmod", "fchmod", "chown", "fchown"), (errno.EIO, errno.EPERM)),
    "descriptor": Kind(os, ("pipe", "dup", "set_blocking", "pidfd_open"), (errno.EMFILE, errno.ENFILE)),
    "spawn": Kind(os, ("posix_spawn",), (errno.EAGAIN, errno.ENOMEM)),
    "flock": Kind(fcntl, ("flock",), (errno.ENOLCK, errno.EIO)),
    "fcntl": Kind(fcntl, ("fcntl",), (errno.ENOLCK, errno.EINVAL)),
    "sendmsg": Kind(socket.socket, ("sendmsg",), (errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS)),
    "socketpair": Kind(socket, ("socketpair",), (errno.EMFILE, errno.ENOMEM)),
    "poll": Kind(select, ("poll",), (errno.ENOMEM,)),
    "inotify": Kind(os, (), (errno.ENOSPC, errno.EMFILE)),
    "warden": Kind(subprocess, ("_fork_exec",), (errno.EAGAIN, errno.ENOMEM)),
    "thread": Kind(threading.Thread, ("start",), (errno.EAGAIN,)),
}

#: Modules through which the library calls. What they do for anybody else is not its own.
_THROUGH: Final = frozenset(
    {"concurrent", "contextlib", "genericpath", "os", "pathlib", "posixpath", "shutil", "socket", "tempfile"}
)


class Injector:
    """Counts calls, and has some fail. Made once in a process; callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._is_armed = False
        self._kind = ""
        self._nth = 0
        self._errno = 0
        self._is_once = True
        self._counts: Counter[str] = Counter()
        self._places: list[str] = []

    def install(self) -> None:
        """Take the place of what the library calls. Not undone: it is for a process that does nothing else."""
        for name, kind in KINDS.items():
            for attribute in kind.names:
                if name != "poll" and hasattr(kind.owner, attribute):
                    setattr(kind.owner, attribute, self._failing(name, getattr(kind.owner, attribute)))
        if hasattr(select, "poll"):
            self._install_poll()
        self._install_inotify()

    def arm(self, kind: str, nth: int, number: int, *, is_once: bool) -> None:
        """Have the nth call of this kind from now on fail with this errno; and, unless once, all later ones.

        Args:
            kind: one of KINDS, or "" to count only.
            nth: 1: the next.
            number: the errno.
            is_once: whether later ones succeed.
        """
        with self._lock:
            self._kind, self._nth, self._errno, self._is_once = kind, nth, number, is_once
            self._counts.clear()
            self._places.clear()
            self._is_armed = True

    def disarm(self) -> tuple[list[str], dict[str, int]]:
        """Have no call fail any more; return where some did, and how many calls of each kind there were."""
        with self._lock:
            self._is_armed = False
            return list(self._places), dict(self._counts)

    def check(self, kind: str, path: object = None) -> None:
        """Count a call of this kind, and raise if it is to fail, unless somebody else than the library makes it."""
        if not self._is_armed or (frame := _caller(kind)) is None:
            return
        with self._lock:
            if not self._is_armed:
                return
            self._counts[kind] += 1
            n = self._counts[kind]
            if kind != self._kind or n < self._nth or (self._is_once and n > self._nth):
                return
            self._places.append(f"{_place(frame)} ({threading.current_thread().name})")
            number = self._errno
        if kind == "thread":
            raise RuntimeError("can't start new thread")
        if isinstance(path, str | bytes | Path):
            raise OSError(number, os.strerror(number), path)
        raise OSError(number, os.strerror(number))

    def _failing(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*args: Any, **kwargs: Any) -> Any:
            self.check(kind, args[0] if args else None)
            return call(*args, **kwargs)

        return failing

    def _install_poll(self) -> None:
        make, check = select.poll, self.check

        class Poll:
            def __init__(self) -> None:
                poll = make()
                self.register, self.unregister, self._poll = poll.register, poll.unregister, poll.poll

            def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
                check("poll")
                return self._poll(milliseconds)

        # Whoever else makes one gets its own: only calls out of the library are counted.
        select.poll = Poll  # type: ignore[misc, assignment]

    def _install_inotify(self) -> None:
        import ctypes

        from workqueue.engines.host import changes

        libc, check = changes._libc(), self.check

        class Failing:
            def __init__(self, call: Callable[..., int]) -> None:
                self._call = call

            def __call__(self, *args: object) -> int:
                try:
                    check("inotify")
                except OSError as err:
                    ctypes.set_errno(err.errno or 0)
                    return -1
                return self._call(*args)

        class LibC:
            def __getattr__(self, name: str) -> Failing:
                return Failing(getattr(libc, name))

        if libc is not None:
            failing = LibC()
            changes._libc = lambda: failing  # type: ignore[assignment, return-value]


def _caller(kind: str) -> FrameType | None:
    """The library's frame that makes this call, directly or through a module of the standard library; None: another."""
    # What else `subprocess` calls is its own: it forgets a child if the read of the child's pipe fails.
    through = {"subprocess"} if kind == "warden" else _THROUGH
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        package = name.partition(".")[0]
        if package == "workqueue":
            return frame
        if package not in through and name != __name__:
            return None
        frame = frame.f_back
    return None


def _place(frame: FrameType) -> str:
    name = frame.f_globals["__name__"].removeprefix("workqueue.")
    return f"{name}.{frame.f_code.co_name}:{frame.f_lineno}"
