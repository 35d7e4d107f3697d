"""1 and 5 at_once: one thing after the other -> several at a time, where most of the time is spent waiting."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def at_once(work: Callable[[T], object], things: Iterable[T], n_threads: int, *, name: str) -> None:
    """Do the same with each of many things, and return when all is done.

    Args:
        work: called with one of them, by any of the threads; in their order, as far as that can be told.
        things: what there is to do.
        n_threads: how many help the calling one, at most.
        name: what they are called.

    Raises:
        BaseException: what `work` raised first, in any of the threads; an interrupt, such as SystemExit, before another
            exception. What was not begun by then is not done, and nothing goes on when this raises.
    """
    left = deque(things)
    errors: list[BaseException] = []

    def take_turns() -> None:
        while left and not errors:
            try:
                thing = left.popleft()
            except IndexError:  # another was faster
                return
            try:
                work(thing)
            except BaseException as err:  # noqa: BLE001 - raised by the calling thread
                errors.append(err)

    threads = []
    # None can be started while the interpreter ends; then this one does it all.
    with contextlib.suppress(RuntimeError):
        for _ in range(min(n_threads, len(left) - 1)):
            thread = threading.Thread(target=take_turns, name=name, daemon=True)
            thread.start()
            threads.append(thread)
    take_turns()
    for thread in threads:
        thread.join()
    if errors:
        raise next((err for err in errors if not isinstance(err, Exception)), errors[0])
