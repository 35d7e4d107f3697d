"""5 adapted: a command in the place of this process, but for what it prints, which a sink takes.

For a program that is a wrapper around another one: the command has this process's stdin, group, directory and
environment, gets the signals that this process gets, once each, and this process ends as the command does.
"""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final

from workqueue.errors import ProgramError
from workqueue.program.popen_child import PopenChild
from workqueue.program.reading import Reading, Sink
from workqueue.program.witness import Witness
from workqueue.system.wake_pipe import WakePipe

#: What is sent to a process to make it end, or end soon, and so is meant for the command.
FORWARDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


class Adapted:
    """A command that is about to run. Used in the main thread of a process that does nothing else.

    Args:
        command: its name, looked for on PATH, or its path; and its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._popen: subprocess.Popen[bytes] | None = None
        # What came before there was anybody to send it to.
        self._early: list[int] = []

    def run(self, sink: Sink) -> int:
        """Feed the sink until the command has exited; return its exit status, negative for a signal.

        However this ends, by an error of the sink too: the command has ended. Of a grandchild that holds the pipes
        nobody waits for the end, as in a job.

        Raises:
            ProgramError: it cannot start; its `__cause__` is the OSError.
        """
        # A pipe that nobody writes to: `Reading` wants one, and Python's own handlers interrupt its wait.
        with contextlib.closing(WakePipe()) as wake, Witness() as self._witness, self._forwarding():
            with self._started() as popen, contextlib.closing(PopenChild(popen)) as child:
                try:
                    Reading(child, sink, wake, lambda: None, None).run()
                except BaseException:
                    popen.terminate()
                    raise
            return popen.returncode

    def _started(self) -> "subprocess.Popen[bytes]":
        # Ignored, as a parent may have left it, it would make the kernel forget the exit status.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            popen = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        except (OSError, ValueError) as err:
            reason = err.strerror if isinstance(err, OSError) else err
            raise ProgramError(f"Cannot start the command {self._command[0]}: {reason}") from err
        self._popen = popen
        for signum in self._early:
            self._send(popen, signum)
        return popen

    @contextlib.contextmanager
    def _forwarding(self) -> Iterator[None]:
        previous = {signum: signal.signal(signum, self._forward) for signum in FORWARDED if _is_heard(signum)}
        try:
            yield
        finally:
            for signum, handler in previous.items():
                signal.signal(signum, signal.SIG_DFL if handler is None else handler)

    def _forward(self, signum: int, _frame: FrameType | None) -> None:
        if self._popen is None:
            self._early.append(signum)
        elif self._popen.returncode is None and not self._witness.got(signum):
            self._send(self._popen, signum)

    def _send(self, popen: "subprocess.Popen[bytes]", signum: int) -> None:
        if popen.returncode is None:  # not reaped, so that its number is no other's
            # Not by its send_signal, which looks, and by looking reaps what `Reading` has yet to see.
            with contextlib.suppress(ProcessLookupError):
                os.kill(popen.pid, signum)


def _is_heard(signum: int) -> bool:
    """Whether it is not ignored, which the command would be too, as `nohup` wants it."""
    return signal.getsignal(signum) is not signal.SIG_IGN


def end_like(returncode: int) -> int:
    """End this process by the signal that ended a command; return the exit status for what cannot be done."""
    if returncode >= 0:
        return returncode
    # A core of this process would say nothing, and take the place of the command's.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError):  # SIGKILL and SIGSTOP have no handler
        signal.signal(-returncode, signal.SIG_DFL)
    os.kill(os.getpid(), -returncode)
    return 128 - returncode
