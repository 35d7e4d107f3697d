"""5 exit_status: what takes programs' exit statuses away -> words that say where to look.

A status is told once, to whoever waits for the child first. A server whose SIGCHLD is ignored never hears of one: the
kernel drops it.
"""

import logging
import signal
from pathlib import Path
from typing import Final

logger = logging.getLogger("workqueue")

#: What to say of a program whose exit status somebody else has taken.
STATUS_LOST: Final = (
    "Its exit status was lost, so nothing that it left was kept: something else in the server's process waits for its"
    " children. Look for a SIGCHLD that is ignored, for a thread or an option that waits for any child (os.wait,"
    " waitpid(-1), uWSGI's reaper), and for asyncio.FastChildWatcher"
)

_has_warned = False


def warn_if_sigchld_is_ignored() -> None:
    """Say so on the log, once in a process: each program would fail. Callable from any thread."""
    global _has_warned  # noqa: PLW0603 - the signal is the process's, too
    if not _has_warned and _is_ignored(signal.SIGCHLD):
        _has_warned = True
        logger.warning(
            "SIGCHLD is ignored in this process, by itself or by whatever started it: the exit status of each program"
            " will be lost, and its job will fail. Set it back before programs run:"
            " signal.signal(signal.SIGCHLD, signal.SIG_DFL)"
        )


def _is_ignored(signum: signal.Signals) -> bool:
    # An embedding server sets handlers that Python does not know of; the kernel does.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        [ignored] = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:")]
    except (OSError, ValueError):
        return signal.getsignal(signum) is signal.SIG_IGN
    return bool(ignored >> (signum - 1) & 1)
