"""real_threads: a call that waits inside the kernel or a library, made so that greenlets go on meanwhile.

gevent and eventlet replace `threading`: what looks like a thread is a greenlet, and all greenlets of a process share a
real thread. A wait that they know of, such as a socket's, lets the others go on. A wait that they do not know of, such
as a request of obstore's or an fsync, stops them all: every client of the worker, and the heartbeat by which its
supervisor knows that it lives. So where `threading` is replaced, such a call is made by a real thread of gevent's or
eventlet's own pool, and the greenlet waits for it. Elsewhere it is simply called.

Neither package is imported here: only a program that has imported one of them can have replaced `threading` by it.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")

#: How many calls may wait at once below gevent, in each real thread that has greenlets. Not gevent's own pool: that has
#: 10 threads, which look up host names too, and a few slow uploads would stop those. A thread is started when it is
#: needed.
MAX_THREADS: Final = 64

Elsewhere = Callable[[Callable[[], Any]], Any]
"""Makes a call by a real thread, lets greenlets go on until it has returned, and returns what it returned."""

#: For each real thread, the pool of its greenlets: made with the class that gevent has replaced, since another name for
#: it is one for each greenlet.
_pools: Any = None


class _Outcome(NamedTuple):
    value: Any
    error: BaseException | None


def in_real_thread(call: Callable[[], T]) -> T:
    """Make a call that waits for a disk or a network in a way that greenlets do not know of; return what it returns.

    For example::

        in_real_thread(lambda: os.fsync(fd))

    Args:
        call: made once. It must take no lock of `threading`, which greenlets have, and start no thread. A greenlet that
            is killed while it waits does not end it.

    Raises:
        BaseException: what the call raises.
    """
    elsewhere = _elsewhere()
    if elsewhere is None:
        return call()
    # gevent prints what a call raises, as nobody's: so nothing is raised there.
    value, error = elsewhere(lambda: _outcome_of(call))
    if error is not None:
        try:
            raise error
        finally:
            del error  # its traceback holds this frame
    result: T = value
    return result


def _outcome_of(call: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(call(), None)
    except BaseException as err:  # noqa: BLE001 - raised by whoever waits
        return _Outcome(None, err)


def _elsewhere() -> Elsewhere | None:
    """Who makes such calls; None: `threading` has real threads."""
    modules = sys.modules
    # Under "gevent.monkey" there is something as soon as gevent is imported, and nothing replaced yet.
    if "gevent" in modules and (monkey := modules.get("gevent.monkey")) and monkey.is_module_patched("threading"):
        return _gevent(monkey)
    if "eventlet" in modules and (patcher := modules.get("eventlet.patcher")) and patcher.is_monkey_patched("thread"):
        return _eventlet()
    return None


def _gevent(monkey: Any) -> Elsewhere:
    global _pools  # noqa: PLW0603 - as there is one `threading` for all of the process
    if _pools is None:
        _pools = monkey.get_original("threading", "local")()
    hub, pid, pool = import_module("gevent").get_hub(), os.getpid(), getattr(_pools, "pool", None)
    # A child of a fork has its parent's hub and pool, and none of the pool's threads.
    if pool is None or pool.hub is not hub or _pools.pid != pid:
        pool = _pools.pool = import_module("gevent.threadpool").ThreadPool(MAX_THREADS, hub)
        _pools.pid = pid
    apply: Elsewhere = pool.apply
    return apply


def _eventlet() -> Elsewhere:
    execute: Elsewhere = import_module("eventlet.tpool").execute
    return execute
