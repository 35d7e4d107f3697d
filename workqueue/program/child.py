"""5 child: a program that was started, until it is reaped: its pipes, its exit, its process group.

An exit status is told once, to whoever waits for the child first. `Popen` says 0 when somebody else was faster, and a
program that failed would then be taken for one that succeeded. So a child is waited for here, and a status that is not
there is None.
"""

import contextlib
import os
import signal
import time
from typing import Final, Protocol

from workqueue.program.group import members, signal_group

#: How long the first process of a container waits for killed processes to end, to reap them.
_REAP_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.001


class Child(Protocol):
    """A started program. Used by the thread that reads it, but for `signal`, which any thread may call until `reap`."""

    pid: int
    """Its number, which is its process group's and its session's, too."""

    stdout: int
    """The descriptor to read its stdout from."""

    stderr: int
    """The descriptor to read its stderr from."""

    pidfd: int | None
    """Becomes readable when it has exited; None where the kernel has no such descriptors."""

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to all that is left of its group."""
        ...

    def has_exited(self) -> bool:
        """Whether it has, without reaping it; for a child without a `pidfd`."""
        ...

    def reap(self) -> int | None:
        """Wait for its exit; its status, negative for a signal, or None when that was lost. Called once."""
        ...

    def close(self) -> None:
        """Close the descriptors; the last thing done."""
        ...


class Spawned:
    """A child of this process; see `Child`.

    Args:
        pid: its number.
        stdout: the descriptor to read its stdout from, which belongs to this object from now on.
        stderr: the same for its stderr.
    """

    def __init__(self, pid: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self._is_reaped = False
        self._is_lost = False  # somebody else has reaped it, and its number may be another's
        self._status: int | None = None
        self.pidfd: int | None = None
        try:
            self.pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._is_reaped = self._is_lost = True
        except (AttributeError, OSError):  # macOS, or an old kernel
            pass

    def signal(self, signum: signal.Signals) -> None:
        """See `Child`."""
        if self.pidfd is not None or not self._is_lost:
            signal_group(self.pid, self.pidfd, signum)

    def has_exited(self) -> bool:
        """See `Child`."""
        if self._is_reaped:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            self._is_lost = True
            return True
        except AttributeError:  # macOS before Python 3.13: looking reaps, and a signal to the group may come too late
            return self._reap(os.WNOHANG)

    def reap(self) -> int | None:
        """See `Child`."""
        if not self._is_reaped:
            if os.getpid() == 1:
                self._reap_orphans()
            self._reap(0)
        return self._status

    def _reap(self, flags: int) -> bool:
        try:
            if self.pidfd is not None and hasattr(os, "P_PIDFD"):
                # By the descriptor: the number may be that of another child by now, if somebody else reaps children.
                result = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | flags)
                if result is None:
                    return False
                self._status = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
            else:
                pid, status = os.waitpid(self.pid, flags)
                if pid == 0:
                    return False
                self._status = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            self._is_lost = True
        self._is_reaped = True
        return True

    def _reap_orphans(self) -> None:
        """Reap those of the group that its death has made ours, as the first process of a container has to.

        Before the child itself: until then no other process can have the group's number.
        """
        deadline = time.monotonic() + _REAP_SECONDS
        while (left := [pid for pid in members(self.pid) if pid != self.pid]) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """See `Child`."""
        for fd in (self.stdout, self.stderr, self.pidfd):
            if fd is not None:
                os.close(fd)
