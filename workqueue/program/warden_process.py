"""5 warden_process: the warden's side; a program of its own, of the standard library alone.

Its first argument is the socket over which its owner tells of runs: a line of JSON, the number of descriptors that
come with it and the run's directory. The descriptors are the warden's end of the run's channel, and the run's lock.
Over the channel come STARTED, with a descriptor for the program's process, and OVER. An end of file instead of OVER
says that the owner is dead.

Then all that is left of the run is killed: its process group, through the descriptor, which names that group and no
later one of its number (pidfd_send_signal(2), Linux 6.9); and whoever holds the run's lock, as /proc tells, which is
how a program is found whose owner died before it could say its number, and a descendant that left the group. The
lock's copy is closed last: to others the key is free when nothing of the run is left.

It ignores what is sent to all processes of a server that is to stop, and ends when its owner has gone and no run is
left. Nothing here waits for one run while another is to be killed.
"""

import array
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time

STARTED = b"P%d\n"
OVER = b"O\n"

#: PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h.
_TO_GROUP = 4

#: Between two looks at what is dying.
_LOOK_MILLISECONDS = 2

#: How long to wait for a process group where /proc does not tell its living from its dead.
_GROUP_SECONDS = 1.0

#: A process that waits for a broken disk cannot be killed; its run's lock stays locked by its own copy.
_GIVE_UP_SECONDS = 10.0

_MAX_DESCRIPTORS = 16


class Run:
    """One run that is guarded."""

    def __init__(self, directory: str, channel: int, lock: int | None) -> None:
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
        for fd in (self.pidfd, self.lock):
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
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            # The name in parentheses may hold anything, parentheses too.
            state, _, member_of = file.read().rpartition(")")[2].split()[:3]
            if int(member_of) == group and state not in "ZX":
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
                with open(f"/proc/{pid}/fdinfo/{name}") as file:
                    if any(line.startswith("lock:") and "FLOCK" in line and "WRITE" in line for line in file):
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


def remove(directory: str) -> None:
    """Remove a run's directory, also one whose program took its permissions away."""
    shutil.rmtree(directory, ignore_errors=True)
    if os.path.lexists(directory):
        with contextlib.suppress(OSError):
            os.chmod(directory, 0o700)
        for path, names, _ in os.walk(directory):
            for name in names:
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(path, name), 0o700)
        shutil.rmtree(directory, ignore_errors=True)


class Owner:
    """The socket over which the owner tells of new runs."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self._text = b""
        self._descriptors: list[int] = []

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
        return [self._run(line) for line in lines]

    def _run(self, line: bytes) -> Run:
        n_descriptors, directory = json.loads(line)
        # They arrive in the order of the lines, and no later than the line's first byte.
        channel, *lock = self._descriptors[:n_descriptors]
        del self._descriptors[:n_descriptors]
        return Run(directory, channel, lock[0] if lock else None)


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


if __name__ == "__main__":
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    guard(Owner(int(sys.argv[1])))
    # At once: an interpreter that cleans up takes longer than all of the above.
    os._exit(0)
