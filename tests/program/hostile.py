"""What a server's process may be when a program is started in it; run as a program, it becomes such a process.

::

    python -m tests.program.hostile "signals blocked" COMMAND ARG...

Each condition is what exec keeps, so COMMAND has it from its first line on.
"""

import os
import pty
import resource
import signal
import sys
from collections.abc import Callable, Sequence

#: Every signal but those that nobody can block or ignore.
SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def ignore_sigchld() -> None:
    """As the usual advice against zombies has it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def ignore_signals() -> None:
    """As nohup, and a shell for what it puts into the background; and more of them."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(signum, signal.SIG_IGN)


def block_signals() -> None:
    """As the request threads of uWSGI and mod_wsgi."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def use_no_utf8() -> None:
    """As an embedding server, and cron."""
    os.environ.update(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="utf-8")


def lower_priority() -> None:
    """As a server that is to let others go first."""
    os.nice(5)


def have_few_descriptors() -> None:
    """As a careful administrator."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def leave_descriptors_open() -> None:
    """As a C library that knows nothing of close-on-exec."""
    for fd in os.pipe():
        os.set_inheritable(fd, True)


def have_no_standard_descriptors() -> None:
    """As a daemon of the old school; what it prints to goes to a number above."""
    for fd in (0, 2):
        os.close(fd)


#: By name; a terminal is had by `run_below` itself.
CONDITIONS: dict[str, Callable[[], None]] = {
    "SIGCHLD ignored": ignore_sigchld,
    "signals ignored": ignore_signals,
    "signals blocked": block_signals,
    "a terminal": lambda: None,
    "no UTF-8": use_no_utf8,
    "nice": lower_priority,
    "64 descriptors": have_few_descriptors,
    "descriptors open": leave_descriptors_open,
    "no stdin, no stderr": have_no_standard_descriptors,
}


def become(condition: str, command: Sequence[str]) -> None:
    """Be such a process, and exec the command."""
    CONDITIONS[condition]()
    os.execvp(command[0], command)


def main(condition: str, *command: str) -> int:
    """Become it, or be the parent of a process whose controlling terminal is one of our own; return its exit status."""
    if condition != "a terminal":
        become(condition, command)
    pid, terminal = pty.fork()
    if pid == 0:
        become(condition, command)
    try:
        while data := os.read(terminal, 4096):
            os.write(1, data)
    except OSError:  # Linux says so of a terminal whose last user has gone
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
