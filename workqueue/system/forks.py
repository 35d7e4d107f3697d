"""forks: which process is this? What a forked child must not share with its parent is made anew in it, once.

Locks that a thread of the parent's held, threads that stayed behind, descriptors whose locks are the parent's. Python
calls hooks in a child of `os.fork`; those are the quick way. A server that forks in C (uWSGI, by default) calls none,
so whatever comes into the library by one of its entrances looks first whether it still is in the process that it was
in: `check`, which takes a tenth of a microsecond.
"""

import os
import threading
from collections.abc import Callable
from typing import Final


class _Turn:
    """Whoever has it renews. Made in the process that it is for: an inherited lock may be held by nobody, for ever."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # guards all below
        self.is_taken = False


class _Renewal:
    """One thing to be made anew, and for which process that was done last."""

    def __init__(self, renew: Callable[[], None]) -> None:
        self._renew = renew
        self._pid = os.getpid()

    def run(self) -> None:
        pid = os.getpid()
        if self._pid != pid:
            self._renew()
            self._pid = pid  # last: one that raised is tried again


#: In the order in which they are done.
_renewals: Final[list[_Renewal]] = []

#: By process number. Two threads of a child may come at once, and must agree on a lock that was not there before the
#: fork: `dict.setdefault` is one step for the interpreter, and needs no lock.
_turns: Final[dict[int, _Turn]] = {}

#: The process for which all was done.
_pid = os.getpid()


def renew_in_child(renew: Callable[[], None]) -> None:
    """Have this called once in each forked child of this process, and in theirs, before they use the library.

    Args:
        renew: called by one thread while others wait, after those that were given before. It must take no lock that it
            has not made.
    """
    renewal = _Renewal(renew)
    _renewals.append(renewal)
    # Each as a hook of its own, among those of the modules that were imported before: locks of the standard library's
    # are free by the time something that needs them is made.
    os.register_at_fork(after_in_child=lambda: _run([renewal]))


def check() -> None:
    """Make anew what has to be, if this process was forked off since the last call. Callable from any thread.

    Returns when it is done, whichever thread does it; at once when called by what is being made anew.
    """
    if _pid != os.getpid():
        _check()


def _check() -> None:
    global _pid  # noqa: PLW0603 - there is one process
    pid = os.getpid()
    if _run(_renewals):
        _pid = pid
        for other in set(_turns) - {pid}:  # of parents; their numbers are given to others some day
            _turns.pop(other, None)


def _run(renewals: list[_Renewal]) -> bool:
    """Run those that were not yet run in this process; return whether this was not called by one of them."""
    turn = _turns.setdefault(os.getpid(), _Turn())
    with turn.lock:
        if turn.is_taken:
            return False
        turn.is_taken = True
        try:
            for renewal in renewals:
                renewal.run()
        finally:
            turn.is_taken = False
    return True
