"""5 witness: was a signal sent to this process alone, or to its whole group?

The kernel does not say. A wrapper has to know: what the group got, its command has got already, and a second SIGTERM
or SIGINT is for many programs an order to give up cleaning up. So there is a process in the group that does nothing,
and that a signal to the group ends. It is a ``cat`` whose input is ours: it ends when this process does, in any way.
"""

import contextlib
import subprocess
from typing import Final

#: How long a signal to the group may take to end the witness. A signal to this process alone is held up that long.
_SECONDS: Final = 0.1


class Witness:
    """A process of this group; none where there is no ``cat``. Used by one thread, as a context.

    Meant for signals that end a process which does nothing about them.
    """

    def __init__(self) -> None:
        self._popen: subprocess.Popen[bytes] | None = None
        self._begin()

    def got(self, signum: int) -> bool:
        """Whether the group got this signal, of which this process has just been told."""
        if self._popen is None:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_SECONDS)
        if self._popen.returncode is None:
            return False
        is_this = self._popen.returncode == -signum
        self._end()
        self._begin()
        return is_this

    def _begin(self) -> None:
        with contextlib.suppress(OSError):
            self._popen = subprocess.Popen(
                ["cat"],  # noqa: S607 - POSIX does not say where it is
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def _end(self) -> None:
        if self._popen is not None:
            with self._popen:
                self._popen.kill()
            self._popen = None

    def __enter__(self) -> "Witness":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
