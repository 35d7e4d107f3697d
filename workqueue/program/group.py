"""5 group: the processes of one program, to be signalled, whoever reaps the first of them.

A program begins a session and a process group of its own, both with its number. While its first process is not reaped
the kernel gives that number to nobody else. But something else in the server may reap it: SIGCHLD that is ignored, a
thread that waits for any child. So the group is named by a descriptor of that first process (pidfd_open(2)), which
means this group and no later one of its number (pidfd_send_signal(2) with PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9). On
older kernels the number is used, as long as the descriptor says that it is still this process's; after that, /proc
tells the members.
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

#: PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h.
_TO_GROUP: Final = 4


def signal_group(pid: int, pidfd: int | None, signum: signal.Signals) -> None:
    """Send a signal to all processes of a program's group; nothing happens when there are none.

    Args:
        pid: the number of its first process, and of the group.
        pidfd: a descriptor of that process; None where the kernel has none: then the process must not be reaped yet.
        signum: what to send.
    """
    # PermissionError: macOS says so of a group that has only zombies left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pidfd is None:
            os.killpg(pid, signum)
            return
        try:
            signal.pidfd_send_signal(pidfd, signum, None, _TO_GROUP)
        except ProcessLookupError:
            return
        except OSError:  # an older kernel
            if _is_reaped(pidfd):
                _signal_members(pid, signum)
            else:
                os.killpg(pid, signum)


def _is_reaped(pidfd: int) -> bool:
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    return any(line.startswith("Pid:") and int(line.split()[1]) <= 0 for line in text.splitlines())


def _signal_members(group: int, signum: signal.Signals) -> None:
    for pid in members(group):
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(pid)
            try:
                if pid in members(group):  # the descriptor is of one that was a member after it was opened
                    signal.pidfd_send_signal(pidfd, signum)
            finally:
                os.close(pidfd)


def members(group: int, state: str = "") -> list[int]:
    """The processes of this group that belong to its session, too; none where /proc cannot say.

    Args:
        group: its number.
        state: only those whose state /proc gives as one of these letters; empty: all.
    """
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - names are all that is wanted
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError):
                    # The name in parentheses may hold anything, parentheses too.
                    fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                    if fields[2:4] == [b"%d" % group] * 2 and (not state or fields[0].decode() in state):
                        found.append(int(name))
    return found
