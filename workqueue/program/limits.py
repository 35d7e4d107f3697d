"""5 limits: what a program may use, and how it is told that it wanted more.

The kernel keeps all but the time (setrlimit(2)), for each process of the program by itself. A limit that is above one
this process is under already is that one.
"""

import errno
import math
import os
import resource
import signal
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T", int, float)

#: What setrlimit(2) can be told.
MAX_LIMIT: Final = 2**63 - 1


class Limits(NamedTuple):
    """What one run of a program may use; None: as much as it likes."""

    time: float | None = None
    """Seconds from its start to its end; then it gets SIGTERM, and SIGKILL some seconds later."""

    memory: int | None = None
    """Bytes of address space, which is more than it touches. macOS does not keep it."""

    cpu: int | None = None
    """Whole seconds of CPU time."""

    file_size: int | None = None
    """Bytes in any one file that it writes."""

    niceness: int | None = None
    """How much it lets others go first, 0 to 19; added to this process's own (nice(2))."""

    @property
    def kept_by_kernel(self) -> dict[int, tuple[int, int]]:
        """Which resource is limited, to a soft and a hard value."""
        found = {}
        if self.memory is not None:
            found[resource.RLIMIT_AS] = (self.memory, self.memory)
        if self.cpu is not None:
            # The soft one is told by SIGXCPU, which names the reason; who ignores it has a second more.
            found[resource.RLIMIT_CPU] = (self.cpu, self.cpu + 1)
        if self.file_size is not None:
            found[resource.RLIMIT_FSIZE] = (self.file_size, self.file_size)
        return found


def check_limits(limits: Limits) -> None:
    """Refuse what is no limit.

    Raises:
        ValueError: with the limit and what it must be.
    """
    time = limits.time
    if time is not None and not 0 < time < math.inf:
        raise ValueError(f"time_limit must be a number of seconds above 0, or None; got {time!r}")
    for name in ("memory", "cpu", "file_size"):
        value = getattr(limits, name)
        if value is not None and not (_is_int(value) and 0 < value < MAX_LIMIT):
            raise ValueError(f"limits.{name} must be a whole number above 0, below 2**63, or None; got {value!r}")
    if limits.niceness is not None and not (_is_int(limits.niceness) and 0 <= limits.niceness <= 19):
        raise ValueError(f"limits.niceness must be a whole number from 0 to 19, or None; got {limits.niceness!r}")


def strictest(one: Limits, other: Limits) -> Limits:
    """Both at once: the smaller of each two, and the greater niceness."""
    return Limits(
        time=_least(one.time, other.time),
        memory=_least(one.memory, other.memory),
        cpu=_least(one.cpu, other.cpu),
        file_size=_least(one.file_size, other.file_size),
        niceness=max((each.niceness for each in (one, other) if each.niceness is not None), default=None),
    )


def exceeded(limits: Limits, returncode: int | None, stderr: str, *, timed_out: bool) -> str | None:
    """Which limit made a program fail, as the first line of its error; "may have" where that is a conclusion.

    Args:
        limits: those it had.
        returncode: its exit status, not 0; None when that was lost.
        stderr: the end of what it wrote there.
        timed_out: whether it was stopped for its time.
    """
    if timed_out:
        return f"It ran longer than its time limit of {limits.time:g} seconds."
    return None if returncode is None else _exceeded_in_kernel(limits, returncode, stderr)


def _exceeded_in_kernel(limits: Limits, returncode: int, stderr: str) -> str | None:
    if limits.cpu is not None and _died_of(returncode, signal.SIGXCPU):
        return f"It used more than its limit of {limits.cpu} CPU seconds."
    if limits.file_size is not None:
        text = f"wrote a file larger than its limit of {limits.file_size} bytes."
        if _died_of(returncode, signal.SIGXFSZ):
            return f"It {text}"
        # Python and others ignore the signal, and have an error instead.
        if os.strerror(errno.EFBIG) in stderr:
            return f"It may have failed because it {text}"
    if limits.memory is not None and _looks_out_of_memory(returncode, stderr):
        return f"It may have failed because it needed more than its limit of {limits.memory} bytes of memory."
    return None


_OUT_OF_MEMORY: Final = ("MemoryError", "bad_alloc", "OutOfMemory", "out of memory", os.strerror(errno.ENOMEM).lower())


def _looks_out_of_memory(returncode: int, stderr: str) -> bool:
    # What can be neither mapped nor grown, such as a stack, ends in a signal.
    fatal = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGKILL)
    return any(_died_of(returncode, signum) for signum in fatal) or any(
        sign.lower() in stderr.lower() for sign in _OUT_OF_MEMORY
    )


def _died_of(returncode: int, signum: signal.Signals) -> bool:
    # A shell tells of a child's signal with a status of 128 more.
    return returncode in (-signum, 128 + signum)


def _least(one: T | None, other: T | None) -> T | None:
    return one if other is None else other if one is None else min(one, other)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
