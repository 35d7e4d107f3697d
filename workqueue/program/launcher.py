"""5 launcher: limits -> a command that takes them on and becomes the program.

They must be set between fork and exec. `preexec_fn` would run Python in a forked child of a process with threads, which
can deadlock on any lock that another thread held (the subprocess module's documentation warns of it); prlimit(2) comes
after the program has begun, and only on Linux; a shell's `ulimit` rounds, differs between shells, and a shell that
cannot exec a file takes it for a script. So a fresh interpreter does it and execs; that costs some 16 ms, and only
programs with limits pay them. An exec that fails is told over a pipe that closes with the exec that does not, the way
`subprocess` does it: its reason stays exact.
"""

import json
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from workqueue.program.interpreter import interpreter
from workqueue.program.limits import Limits
from workqueue.system.poll import make_poll

#: A new interpreter takes a hundredth of this. Then the program is taken to have started: somebody who forked in
#: between may hold the pipe open.
START_SECONDS: Final = 10.0

_SCRIPT: Final = r"""
import json, os, resource, signal, sys
pipe, limits, niceness, program = int(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.set_inheritable(pipe, False)
try:
    for which, *values in limits:
        top = resource.getrlimit(which)[1]
        if top != resource.RLIM_INFINITY:
            values = [min(value, top) for value in values]
        resource.setrlimit(which, tuple(values))
    # Python ignores these, and a program would go on ignoring them. The others are as `spawn` left them.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    if niceness:
        os.nice(niceness)
    os.execv(program, sys.argv[4:])
except OSError as err:
    os.write(pipe, str(err.errno).encode())
    os._exit(127)
"""


class Launcher:
    """The command for one start, and how that went. As a context it closes its pipe."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader, self._writer = os.pipe()

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors to pass on."""
        return (self._writer,)

    def command(self, line: Sequence[str]) -> list[str]:
        """What to run in place of the program, whose command line this is."""
        limits = json.dumps([[which, *values] for which, values in self._limits.kept_by_kernel.items()])
        niceness = str(self._limits.niceness or 0)
        return [*interpreter(), "-c", _SCRIPT, str(self._writer), limits, niceness, *line]

    def check(self) -> None:
        """Wait until the program has taken over; called once it was started.

        Raises:
            OSError: it could not; with the errno of its exec.
        """
        self._close_writer()
        poll = make_poll()
        poll.register(self._reader)
        if poll.poll(START_SECONDS * 1000) and (told := os.read(self._reader, 16)):
            raise OSError(int(told), os.strerror(int(told)))

    def __enter__(self) -> "Launcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_writer()
        os.close(self._reader)

    def _close_writer(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
