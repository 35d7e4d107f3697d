"""5 process: a started process -> what it prints, as it comes, and its exit status.

One thread, the one that calls `read_until_exit`, waits for everything at once; see `reading`. Once the program has
exited and its pipes were drained, its process group is killed, whatever of it is left.

Its exit status, and which processes a signal goes to, are the child's to know; see `child` and `group`.
"""

import signal
import threading
import time
from typing import Final

from workqueue.errors import ProgramError
from workqueue.program.child import Child
from workqueue.program.reading import LOOK_SECONDS, Guard, Reading, Sink
from workqueue.system.wake_pipe import WakePipe

#: What a program gets between SIGTERM and SIGKILL: the 10 s of `docker stop`, halved to fit within them.
TERMINATE_SECONDS: Final = 5.0


class Process:
    """A started program, until it is reaped. Any thread may stop it; one thread reads it.

    Args:
        child: the program; closed with this.
        guard: told of it, and kept alive while it is read; None: nobody.

    Raises:
        ProgramError: there is no descriptor left to watch it with; it is dead then.
    """

    def __init__(self, child: Child, guard: Guard | None = None) -> None:
        self._child = child
        self._guard = guard
        self._lock = threading.Lock()  # guards all below; held over signals, which go to nobody once _is_over
        self._is_over = False
        self._kill_at: float | None = None
        self._timed_out = False
        try:
            # Wakes the reading thread, which keeps the time until SIGKILL: a timer would be a thread more.
            self._wake = WakePipe()
        except OSError as err:
            child.signal(signal.SIGKILL)
            child.reap()
            child.close()
            raise ProgramError(f"Cannot watch the program: {err.strerror}") from err
        if guard is not None:
            guard.started(child.pid)

    @property
    def timed_out(self) -> bool:
        """Whether it was stopped because its time was over."""
        return self._timed_out

    def stop(self, grace: float) -> None:
        """Send SIGTERM to the process group now, and SIGKILL `grace` seconds later if the program is still there.

        Returns at once; callable from any thread, as often as one likes: the earliest time to kill counts. Nothing
        happens once the program is over.
        """
        with self._lock:
            kill_at = time.monotonic() + grace
            if self._is_over or (self._kill_at is not None and self._kill_at <= kill_at):
                return
            if self._kill_at is None and grace > 0:
                self._child.signal(signal.SIGTERM)
            self._kill_at = kill_at
        self._wake.wake()

    def read_until_exit(self, sink: Sink, time_limit: float | None = None) -> int | None:
        """Feed the sink until the program has exited; return its exit status, negative for a signal.

        None when the status was lost: something else in this process has waited for the program.

        However this ends, by an error of the sink too: the process group is dead, the program reaped, its pipes closed.

        Args:
            sink: consumes the output.
            time_limit: seconds from now after which the program is stopped; None: never.
        """
        end = None if time_limit is None else time.monotonic() + time_limit
        try:
            Reading(self._child, sink, self._wake, lambda: self._keep_time(end), self._guard).run()
        finally:
            with self._lock:
                self._child.signal(signal.SIGKILL)
                self._is_over = True
            self._wake.close()
            status = self._child.reap()
            self._child.close()
        return status

    def _keep_time(self, end: float | None) -> float | None:
        """Stop or kill the program if it is time; return the seconds until it may be, or None."""
        now = time.monotonic()
        if end is not None and now >= end and self._kill_at is None:
            self._timed_out = True
            self.stop(TERMINATE_SECONDS)
        with self._lock:
            if self._kill_at is None:
                return None if end is None else end - now
            if now >= self._kill_at:
                # Again with each look: a group may have grown between two of them.
                self._child.signal(signal.SIGKILL)
                return LOOK_SECONDS
            return self._kill_at - now
