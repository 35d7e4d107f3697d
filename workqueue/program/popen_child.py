"""5 popen_child: a child that was started by `subprocess`, or by what a server has put in its place; see `child`."""

import contextlib
import os
import signal
import subprocess
from typing import Final

from workqueue.program.group import signal_group

#: What a loop that reaps children (gevent) gets to tell of an exit that the kernel has told of already.
_STATUS_SECONDS: Final = 5.0


class PopenChild:
    """See `workqueue.program.child.Child`.

    Args:
        popen: a process of a group of its own, whose stdout and stderr are pipes.
    """

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self.pid = popen.pid
        self.stdout = popen.stdout.fileno()
        self.stderr = popen.stderr.fileno()
        self.pidfd: int | None = None
        with contextlib.suppress(AttributeError, OSError):
            self.pidfd = os.pidfd_open(popen.pid)

    def signal(self, signum: signal.Signals) -> None:
        """See `Child`."""
        if self._popen.returncode is None or self.pidfd is not None:
            signal_group(self.pid, self.pidfd, signum)

    def has_exited(self) -> bool:
        """See `Child`."""
        return self._popen.poll() is not None

    def reap(self) -> int | None:
        """See `Child`."""
        try:
            return self._popen.wait(_STATUS_SECONDS)
        except (ChildProcessError, subprocess.TimeoutExpired):  # somebody else has reaped it
            return None

    def close(self) -> None:
        """See `Child`."""
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
