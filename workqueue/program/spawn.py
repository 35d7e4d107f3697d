"""5 spawn: a command line -> a child that starts clean, whatever this process happens to be.

What a process has, its children have: blocked and ignored signals, a terminal, descriptors that do not close on exec.
A web server's process is full of these. A child from here has no signal blocked and none ignored; a session of its own,
so that it can neither read from the server's terminal nor be stopped by it; and no descriptors but those that it is
given.

posix_spawn(3) does all that in the child, at the price of a plain fork and exec. `subprocess` cannot: it has no way to
reset signals but `preexec_fn`, Python code in a forked child of a process with threads, which can deadlock on any lock
that another thread held. Where a server has replaced `subprocess` (gevent), its children are forked like that anyway,
and only its own loop can wait for them: there the replacement is used.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from workqueue.program.child import Child, Spawned
from workqueue.program.popen_child import PopenChild
from workqueue.system.descriptors import above_standard, inheritable_descriptors

#: The standard descriptors are given to a child as stdin, stdout and stderr.
_STDIN, _STDOUT, _STDERR = 0, 1, 2

#: All but those that nobody can handle.
_SIGNALS: Final = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def spawn(command: Sequence[str], environment: Mapping[bytes, bytes], inherited: tuple[int, ...] = ()) -> Child:
    """Start a child with nothing to read, and pipes for what it writes. Callable from any thread.

    Args:
        command: an absolute path, and the arguments.
        environment: all of it.
        inherited: descriptors to pass on, besides stdin, stdout and stderr; each keeps its number.

    Raises:
        OSError: it cannot start, with the errno of its exec; or there is no descriptor to spare.
    """
    if subprocess.Popen.__module__ != "subprocess":
        return PopenChild(_popen(command, environment, inherited))
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        # Opened here, where it is known what is missing: a chroot may have no /dev.
        null = _opened(theirs, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        stdout, stdout_writer = _pipe(ours, theirs)
        stderr, stderr_writer = _pipe(ours, theirs)
        path, *_ = arguments = [encoded(part) for part in command]
        pid = os.posix_spawn(
            path,
            arguments,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, _STDIN),
                (os.POSIX_SPAWN_DUP2, stdout_writer, _STDOUT),
                (os.POSIX_SPAWN_DUP2, stderr_writer, _STDERR),
                # To itself: in the child alone it does not close on exec any more (POSIX.1-2024, dup2).
                *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in inherited),
                # Python's own close on exec (PEP 446); those of C libraries may not.
                *((os.POSIX_SPAWN_CLOSE, fd) for fd in inheritable_descriptors() if fd not in inherited),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=_SIGNALS,
        )
        ours.pop_all()
    return Spawned(pid, stdout, stderr)


def _popen(
    command: Sequence[str], environment: Mapping[bytes, bytes], inherited: tuple[int, ...]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [encoded(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        pass_fds=inherited,
        env=environment,
        preexec_fn=_reset_signals,  # noqa: PLW1509 - such a child runs Python between fork and exec in any case
    )


def _reset_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signum in _SIGNALS:
        with contextlib.suppress(OSError, ValueError):  # some belong to the C library
            signal.signal(signum, signal.SIG_DFL)


def encoded(part: str) -> bytes:
    """An argument or a path in UTF-8, whatever the locale; what came from the file system as it was there."""
    return part.encode("utf-8", "surrogateescape")


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    reader, writer = os.pipe()
    try:
        reader = _opened(ours, reader)
    except BaseException:
        os.close(writer)
        raise
    return reader, _opened(theirs, writer)


def _opened(stack: contextlib.ExitStack, fd: int) -> int:
    """Have it closed; where the server has closed its own standard descriptors, one that is none of these."""
    fd = above_standard(fd)
    stack.callback(os.close, fd)
    return fd
