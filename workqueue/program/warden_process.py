"""5 warden_process: the warden's side; a program of its own, of the standard library alone, for any Python since 3.9.

Its stdin, stdout and stderr are one socket, over which its owner tells of runs: a line each, the number of descriptors
that come with it and, in hexadecimal digits, the run's directory: its name is bytes, whatever the locales of both. The
descriptors are the warden's end of the run's channel, and the run's lock. Over the channel come STARTED, with a
descriptor for the program's process, and OVER. An end of file instead of OVER says that the owner is dead.

Then all that is left of the run is killed: its process group, through the descriptor, which names that group and no
later one of its number (pidfd_send_signal(2), Linux 6.9); and whoever holds the run's lock, as /proc tells, which is
how a program is found whose owner died before it could say its number, and a descendant that left the group. The
lock's copy is closed last: to others the key is free when nothing of the run is left.

It ignores what is sent to all processes of a server that is to stop, and ends when its owner has gone and no run is
left. Nothing here waits for one run while another is to be killed. It says HEARD once it has heard of a run: the owner
looks for that when it has died, to tell a warden that was killed from one that cannot run. What it writes to stderr is
found there, too.
"""

# What this says of types is for who checks them: Python 3.9 could not evaluate it.
from __future__ import annotations

import array
import contextlib
import os
import resource
import select
import signal
import socket
import stat
import time

STARTED = b"P%d\n"
OVER = b"O\n"
HEARD = b"\0"

#: PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h.
_TO_GROUP = 4

#: Between two looks at what is dying.
_LOOK_MILLISECONDS = 2

#: How long to wait for a process group where /proc does not tell its living from its dead.
_GROUP_SECONDS = 1.0

#: A process that waits for a broken disk cannot be killed; its run's lock stays locked by its own copy.
_GIVE_UP_SECONDS = 10.0

_MAX_DESCRIPTORS = 16

#: How deep to go into a directory that a program made; each level takes a descriptor. A sweep comes for the rest.
_MAX_DEPTH = 40


class Run:
    """One run that is guarded."""

    def __init__(self, directory: bytes, channel: int, lock: int | None) -> None:
        self.directory = directory
        self.channel = socket.socket(fileno=channel)
        self.lock = lock
        self.pidfd: int | None = None
        self.pid: int | None = None
        self.dying_since: float | None = None
        self._text = b""

    def hear(self) -> bool:
        """Take what its owner says; return whether the run is over for us."""
        try:
            data, descriptors = receive(self.channel)
        except OSError:
            data, descriptors = b"", []
        for fd in descriptors:
            if self.pidfd is not None:
                os.close(self.pidfd)
            self.pidfd = fd
        if not data:
            self.dying_since = time.monotonic()
            return False
        self._text += data
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            if line == OVER.strip():
                return True
            self.pid = int(line[1:])
        return False

    def kill(self) -> bool:
        """Kill what is left; return whether it is gone, with the directory."""
        assert self.dying_since is not None
        seconds = time.monotonic() - self.dying_since
        is_group_left = self._kill_group()
        holders: list[int] = []
        if self.lock is not None:
            holders = lock_holders(self.lock)
            for pid in holders:
                kill_holder(pid, self.lock)
        is_left = bool(holders) or (is_group_left and seconds < _GROUP_SECONDS and may_live(self.pid))
        if is_left and seconds < _GIVE_UP_SECONDS:
            return False
        remove(self.directory)
        return True

    def _kill_group(self) -> bool:
        """Signal the process group; return whether there was anything to signal."""
        try:
            if self.pidfd is not None:
                signal_group(self.pidfd)
            elif self.pid is not None:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                return False
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Let go of everything; the lock is free then, if nobody else has a copy."""
        self.channel.close()
        writer = None
        if self.lock is not None and self.dying_since is not None:
            # Who waits for the lock is told when a writer closes the file, and our copy is for reading alone.
            with contextlib.suppress(OSError):
                writer = os.open(f"/proc/self/fd/{self.lock}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        for fd in (self.pidfd, self.lock, writer):
            if fd is not None:
                os.close(fd)


def receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Bytes, and the descriptors that came with them, which close on exec."""
    data, ancillary, _, _ = channel.recvmsg(65536, socket.CMSG_LEN(_MAX_DESCRIPTORS * 4), socket.MSG_DONTWAIT)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) // 4 * 4])
    return data, list(descriptors)


def signal_group(pidfd: int) -> None:
    """SIGKILL to the process group of this process, and to no other that has its number by now."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL, None, _TO_GROUP)
    except ProcessLookupError:
        raise
    except OSError:  # an older kernel
        with open(f"/proc/self/fdinfo/{pidfd}") as file:
            pid = next(int(line.split()[1]) for line in file if line.startswith("Pid:"))
        if pid <= 0:  # reaped, so that its number may be another's
            raise ProcessLookupError from None
        os.killpg(pid, signal.SIGKILL)


def may_live(group: int | None) -> bool:
    """Whether a process group has a member that has not ended; True where /proc cannot say.

    A group can be signalled for as long as it has members, and those who have ended are members until they are reaped,
    which a container's first process may never do.
    """
    try:
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return True
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything, parentheses too, in any encoding.
            state, _, member_of = file.read().rpartition(b")")[2].split()[:3]
            if int(member_of) == group and state not in (b"Z", b"X"):
                return True
    return not pids


def lock_holders(lock: int) -> list[int]:
    """The processes, but for this one, that hold a copy of this very locked descriptor; none where /proc cannot say.

    While we hold ours the lock is this run's: nobody who locked the same file later can be among them.
    """
    status = os.fstat(lock)
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    # Our parent is the owner, or who adopts the owner's orphans: not for us to kill.
    return [pid for pid in pids if pid not in (os.getpid(), os.getppid()) and holds(pid, status)]


def holds(pid: int, status: os.stat_result) -> bool:
    """Whether it holds the file with its lock; other processes read the file without holding the lock."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # another user's, or gone
        return False
    for name in names:
        with contextlib.suppress(OSError):
            there = os.stat(f"/proc/{pid}/fd/{name}")
            if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
                with open(f"/proc/{pid}/fdinfo/{name}", "rb") as file:
                    if any(line.startswith(b"lock:") and b"FLOCK" in line and b"WRITE" in line for line in file):
                        return True
    return False


def kill_holder(pid: int, lock: int) -> None:
    """Kill a process, if it is still the one that holds the lock."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            if holds(pid, os.fstat(lock)):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def remove(directory: bytes) -> None:
    """Remove a run's directory, whatever its program took permissions from; no link is followed on the way."""
    parent, name = os.path.split(directory)
    with contextlib.suppress(OSError):
        fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_directory(fd, name, 0)
        finally:
            os.close(fd)


def remove_directory(parent: int, name: bytes, depth: int) -> None:
    """Remove what the open directory has under this name, itself a directory; what cannot be removed stays."""
    if depth < _MAX_DEPTH:
        with contextlib.suppress(OSError):
            fd = open_directory(parent, name)
            try:
                for inner in map(os.fsencode, os.listdir(fd)):
                    try:
                        os.unlink(inner, dir_fd=fd)
                    except OSError:
                        remove_directory(fd, inner, depth + 1)
            finally:
                os.close(fd)
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=parent)


def open_directory(parent: int, name: bytes) -> int:
    """Open a directory, with all permissions for us; never what a link names, which may be anybody's."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        grant(parent, name)
        fd = os.open(name, flags, dir_fd=parent)
    with contextlib.suppress(OSError):
        os.fchmod(fd, stat.S_IRWXU)
    return fd


def grant(parent: int, name: bytes) -> None:
    """Give us permissions for a directory that we cannot open."""
    if not hasattr(os, "O_PATH"):  # not Linux; there fchmodat(2) can be told not to follow a link
        os.chmod(name, stat.S_IRWXU, dir_fd=parent, follow_symlinks=False)
        return
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)  # what is open, wherever its name leads by now
    finally:
        os.close(fd)


class Owner:
    """The socket over which the owner tells of new runs."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self._text = b""
        self._descriptors: list[int] = []
        self._has_told = False

    def hear(self) -> list[Run] | None:
        """The runs it tells of; None when it has gone."""
        try:
            data, descriptors = receive(self.socket)
        except ConnectionError:
            return None
        if not data:
            return None
        self._text += data
        self._descriptors += descriptors
        *lines, self._text = self._text.split(b"\n")
        runs = [run for line in lines if (run := self._run(line)) is not None]
        if runs and not self._has_told:
            self._has_told = True
            with contextlib.suppress(OSError):
                self.socket.send(HEARD, socket.MSG_DONTWAIT)
        return runs

    def _run(self, line: bytes) -> Run | None:
        number, _, directory = line.decode("ascii").partition(" ")
        # They arrive in the order of the lines, and no later than the line's first byte.
        descriptors, self._descriptors = self._descriptors[: int(number)], self._descriptors[int(number) :]
        if len(descriptors) < int(number):
            # There is no room for more: the kernel has dropped them. The owner sees its channel end, and tries again.
            for fd in descriptors:
                os.close(fd)
            return None
        channel, *lock = descriptors
        return Run(bytes.fromhex(directory), channel, lock[0] if lock else None)


def guard(owner: Owner) -> None:
    """Guard runs until the owner has gone and none is left."""
    runs: dict[int, Run] = {}
    poll = select.poll()
    poll.register(owner.socket, select.POLLIN)
    has_owner = True
    while has_owner or runs:
        is_dying = any(run.dying_since is not None for run in runs.values())
        for fd, _ in poll.poll(_LOOK_MILLISECONDS if is_dying else None):
            if fd == owner.socket.fileno():
                told = owner.hear()
                if told is None:
                    has_owner = False
                    poll.unregister(fd)
                for run in told or ():
                    runs[run.channel.fileno()] = run
                    poll.register(run.channel, select.POLLIN)
            elif (run := runs[fd]).hear():
                poll.unregister(fd)
                runs.pop(fd).close()
            elif run.dying_since is not None:
                poll.unregister(fd)
        for fd, run in list(runs.items()):
            if run.dying_since is not None and run.kill():
                runs.pop(fd).close()


def set_signals() -> None:
    """Whatever the owner blocks and ignores: nothing; but what is sent to all of a server that is to stop."""
    # Python itself ignores these two, so that a write to who has gone is an error.
    ignored = {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    for signum in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):  # SIGKILL, SIGSTOP, and what the C library keeps for itself
            signal.signal(signum, signal.SIG_IGN if signum in ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def make_room() -> None:
    """Each run takes three descriptors; the limit that counts is the one that cannot be raised."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS has a lower one besides
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    set_signals()
    make_room()
    guard(Owner(0))
    # At once: an interpreter that cleans up takes longer than all of the above.
    os._exit(0)
