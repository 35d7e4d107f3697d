"""What ends a server's programs and streams when it is told to end: a recipe of the documentation."""

import _thread
import signal
import sys
from types import FrameType

from workqueue import WorkQueue


def close_at_sigterm(queue: WorkQueue) -> None:
    """Let SIGTERM close the queue, besides what it does anyway; where it does nothing but kill, let it exit.

    To be called by the main thread once the server has its own handlers: where a WSGI server imports the application,
    and where an ASGI server starts its lifespan.
    """
    go_on = signal.getsignal(signal.SIGTERM)

    def stop(signum: int, frame: FrameType | None) -> None:
        # Not threading.Thread: its start() waits, which gevent allows no handler to do.
        _thread.start_new_thread(queue.close, (0.0,))
        if callable(go_on):
            go_on(signum, frame)
        else:
            sys.exit()

    signal.signal(signal.SIGTERM, stop)
