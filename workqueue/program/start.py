"""5 start: a command and its arguments -> a started child, or the reason why not."""

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from workqueue.errors import ProgramError
from workqueue.program.child import Child
from workqueue.program.command import Command, resolved
from workqueue.program.environment import make_environment
from workqueue.program.interpreter import NoInterpreter
from workqueue.program.launcher import Launcher
from workqueue.program.limits import Limits
from workqueue.program.reasons import reason
from workqueue.program.spawn import spawn

_NO_LIMITS: Final = Limits()


def start(
    command: Command,
    arguments: Sequence[str],
    *,
    limits: Limits = _NO_LIMITS,
    environment: Mapping[bytes, bytes] | None = None,
    inherited: tuple[int, ...] = (),
) -> Child:
    """Start a program the way every job is: clean, with nothing to read, in a session of its own; see `spawn`.

    Args:
        command: from `command_of`.
        arguments: what follows the command on its command line.
        limits: what it may use; its time is not kept here.
        environment: all of it; None: this process's, as `make_environment` passes it on.
        inherited: the descriptors to pass on, besides stdin, stdout and stderr.

    Raises:
        ProgramError: it cannot start; the text names the program and the reason.
    """
    environment = make_environment({}) if environment is None else environment
    program = Path(command[0])
    try:
        line = resolved(command, environment)
        program = Path(line[0])
        if limits.kept_by_kernel or limits.niceness:
            return _start_limited([*line, *arguments], limits, environment, inherited)
        return spawn([*line, *arguments], environment, inherited)
    except OSError as err:
        raise ProgramError(f"Cannot start the program {program}: {_reason(program, err)}") from err


def _start_limited(
    line: Sequence[str], limits: Limits, environment: Mapping[bytes, bytes], inherited: tuple[int, ...]
) -> Child:
    with Launcher(limits) as launcher:
        child = spawn(launcher.command(line), environment, (*launcher.inherited, *inherited))
        try:
            launcher.check()
        except BaseException:
            child.signal(signal.SIGKILL)  # it may be that we cannot read how it went, and it runs
            child.reap()
            child.close()
            raise
        return child


def _reason(program: Path, err: OSError) -> str:
    if isinstance(err, NoInterpreter):  # ours: the program's own is not to blame
        return str(err.strerror)
    if err.filename == os.devnull:
        return f"this system has no null device, which programs get as their stdin ({err.strerror})"
    if err.errno in (errno.EMFILE, errno.ENFILE):
        return f"there is no descriptor to spare for its pipes ({err.strerror})"
    return reason(program, err)
