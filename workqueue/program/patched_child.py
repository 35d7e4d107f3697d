"""5 patched_child: a child below a server that has replaced `subprocess`, such as gevent; see `spawn` and `child`."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from workqueue.program.group import signal_group

#: What its loop gets to tell of an exit that the kernel has told of already.
_STATUS_SECONDS = 5.0


class PatchedChild:
    """A child of the `Popen` that there is; see `workqueue.program.child.Child`.

    Args:
        command: an absolute path, and the arguments.
        environment: all of it.
        inherited: the descriptors to pass on.

    Raises:
        OSError: it cannot start.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[bytes, bytes], inherited: tuple[int, ...]) -> None:
        self._popen = subprocess.Popen(
            [part.encode("utf-8", "surrogateescape") for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=inherited,
            env=environment,
            preexec_fn=_reset_signals,  # noqa: PLW1509 - its children run Python between fork and exec in any case
        )
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self.pid = self._popen.pid
        self.stdout = self._popen.stdout.fileno()
        self.stderr = self._popen.stderr.fileno()
        self.pidfd: int | None = None
        with contextlib.suppress(AttributeError, OSError):
            self.pidfd = os.pidfd_open(self.pid)

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


def _reset_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):  # some belong to the C library
            signal.signal(signum, signal.SIG_DFL)
