"""lost threads: threads that a fork left behind in the parent -> for the child's interpreter, threads that have ended.

At its end an interpreter waits for each thread that it knows of and that is no daemon. After `os.fork` Python forgets
those of the parent; after a fork in C it would wait for them for ever. This is about threads of ours alone: Python's
own function for it would also take those for ended that others have started in the child by then.
"""

import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import Executor


def end_threads_of(executor: Executor) -> None:
    """Take the threads of a pool for ended; called in a forked child, of a pool that the parent made."""
    # Private, as all below, and without another way: nothing public tells the threads of a pool.
    threads: Iterable[threading.Thread] = getattr(executor, "_threads", ())
    for thread in list(threads):
        # The end of a thread does the same. What is missing here is a pool or a thread of another kind (gevent's).
        with contextlib.suppress(AttributeError):
            _end(thread)


def _end(thread: threading.Thread) -> None:
    handle = getattr(thread, "_handle", None)
    if handle is not None:  # Python 3.13
        handle._set_done()  # noqa: SLF001
        return
    lock = thread._tstate_lock  # type: ignore[attr-defined]  # noqa: SLF001 - None after `os.fork`
    if lock is not None and lock.locked():
        lock.release()
