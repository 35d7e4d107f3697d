"""lost threads: threads that a fork left behind in the parent -> for the child's interpreter, threads that have ended.

At its end an interpreter waits for each thread that it knows of and that is no daemon. After `os.fork` Python forgets
those of the parent; after a fork in C it would wait for them for ever. This is about threads of ours alone: Python's
own function for it would also take those for ended that others have started in the child by then.
"""

import contextlib
import threading
from concurrent.futures import Executor, thread
from typing import Final

#: Pools of the parent. Python tells a pool's threads by their queue that it is not used any more; but in a child that
#: was forked in C, Python 3.13 ends with a segmentation fault when it wakes a thread that is not there.
_left: Final[list[Executor]] = []


def leave_to_parent(pool: Executor) -> None:
    """Take the threads of a pool for ended; called in a forked child, of a pool that the parent made."""
    _left.append(pool)
    # Private, as all below: nothing public tells the threads of a pool.
    for lost in list(getattr(pool, "_threads", ())):
        # What is missing here is a thread of another kind (gevent's), or of another Python.
        with contextlib.suppress(AttributeError):
            thread._threads_queues.pop(lost, None)  # type: ignore[attr-defined]  # noqa: SLF001
            _end(lost)


def _end(lost: threading.Thread) -> None:
    """Do what its end would have done: free the lock that is waited for. Python 3.13 has none, nor a way to do it."""
    lock = lost._tstate_lock  # type: ignore[attr-defined]  # noqa: SLF001 - None after `os.fork`
    if lock is not None and lock.locked():
        lock.release()
