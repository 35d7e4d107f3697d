"""5 on_loop: events from any thread -> an observer on the asyncio event loop where it subscribed.

What an asyncio program does with an event belongs on its loop: it completes a future, puts into a queue, starts a
timer. reactivex's own ``to_future``, which is under ``await observable``, and its `AsyncIOScheduler` do so on whatever
thread the event comes; an idle loop is not woken by that, and debug mode raises.

So it is the subscription that says where events are told:

* made where an event loop runs: on that loop;
* with an `AsyncIOScheduler` as its `scheduler`, as operators pass it on: on that scheduler's loop, from any thread;
* with any other scheduler, as ``run()`` has one, or on a thread that no loop runs on: by the writer's thread.

A loop may be closed before its observers were told all: that of ``asyncio.run(setup())``, or of an asynchronous view
under WSGI, which lives for one request. From then on it is the writer's thread that tells them, first what waited for
the loop: nothing is lost, and an e-mail that is to be sent at the end is sent.

An adapter that blocks the thread, perhaps a loop's, or has a thread-safe way of its own, says `directly`.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import ParamSpec, TypeVar

from reactivex import abc
from reactivex.scheduler.eventloop import AsyncIOScheduler

from workqueue.streams.doorbell import doorbell_of

T = TypeVar("T")
P = ParamSpec("P")

logger = logging.getLogger("workqueue")


class _Choice(threading.local):
    is_direct = False


_choice = _Choice()


@contextlib.contextmanager
def directly() -> Iterator[None]:
    """What this thread subscribes to in here is told by the writer's thread, though an event loop runs."""
    was_direct, _choice.is_direct = _choice.is_direct, True
    try:
        yield
    finally:
        _choice.is_direct = was_direct


def loop_of_subscriber(scheduler: abc.SchedulerBase | None) -> asyncio.AbstractEventLoop | None:
    """The loop on which an observer that subscribes now, with this scheduler, is to be called; None: on any thread."""
    if isinstance(scheduler, AsyncIOScheduler):
        return scheduler._loop  # noqa: SLF001 - reactivex has no public name for it
    if scheduler is not None or _choice.is_direct:
        return None
    return running_loop()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what may take a moment, such as a look into a storage, without holding up the loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


def is_main_thread() -> bool:
    """Whether an interrupt that is raised here may come from a signal's handler."""
    return threading.current_thread() is threading.main_thread()


class OnLoop(abc.ObserverBase[T]):
    """An observer for a subject -> the same on a loop. Told by one thread at a time; the loop is woken once for many.

    Args:
        observer: told on the loop.
        loop: its.
        size: how many events wait for a loop that is behind, the oldest dropped first; the end is never dropped.
        leave: called on the loop when it is not to be told any more, since it raised. Once the loop is closed, what it
            raises is raised to whoever tells it.
    """

    __slots__ = (
        *("_doorbell", "_ending", "_has_left", "_is_due", "_is_known_closed", "_is_telling"),
        *("_leave", "_lock", "_loop", "_observer", "_values"),
    )

    def __init__(
        self, observer: abc.ObserverBase[T], loop: asyncio.AbstractEventLoop, size: int, leave: Callable[[], None]
    ) -> None:
        self._observer = observer
        self._loop = loop
        self._doorbell = doorbell_of(loop)
        self._leave = leave
        self._has_left = False
        # Guards all below. Reentrant: a garbage collection in a guarded line may dispose somebody.
        self._lock = threading.RLock()
        self._values: deque[T] = deque(maxlen=size)
        self._ending: list[Exception | None] = []
        self._is_due = False  # the loop was asked to come here, or is here, or is closed
        self._is_known_closed = False  # and the log says so
        self._is_telling = False  # a thread is here in place of a loop that is closed

    def on_next(self, value: T) -> None:
        """Tell it on the loop."""
        if not self._is_later(self._values, value):
            self._observer.on_next(value)

    def on_completed(self) -> None:
        """Tell it on the loop, after what came before."""
        if not self._is_later(self._ending, None):
            self._observer.on_completed()

    def on_error(self, error: Exception) -> None:
        """Tell it on the loop, after what came before."""
        if not self._is_later(self._ending, error):
            self._observer.on_error(error)

    def _is_later(self, items: "deque[T] | list[Exception | None]", item: "T | Exception | None") -> bool:
        """Whether it is told by the loop in a later turn; not if this is the loop's thread and nothing is before it."""
        with self._lock:
            if not self._is_due and running_loop() is self._loop:
                return False
            items.append(item)  # type: ignore[arg-type]
            # A loop that was closed before it came here never comes.
            if self._is_due and not self._loop.is_closed():
                return True
            self._is_due = True
        self._ring()
        return True

    def _ring(self) -> None:
        if not self._loop.is_closed():
            try:
                self._doorbell.call_soon(self._tell)
            except RuntimeError:  # it was closed meanwhile
                pass
            else:
                return
        self._tell_for_closed_loop()

    def _tell_for_closed_loop(self) -> None:
        """Tell here what waited for the loop, and what comes meanwhile; what the observer raises is raised."""
        with self._lock:
            if self._is_telling:
                return
            self._is_telling = True
            was_known, self._is_known_closed = self._is_known_closed, True
        if not was_known:
            logger.debug("an event loop was closed, so an observer of progress is told by the writer's thread")
        try:
            while (tell := self._next()) is not None:
                tell()
        except BaseException:
            # An interrupt of the main thread's need not be the observer's: the next event finds what is left.
            self._is_telling = False
            raise

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if not self._has_left:
                if self._values:
                    return partial(self._observer.on_next, self._values.popleft())
                if self._ending:
                    return partial(self._tell_end, self._ending.pop())
            self._is_telling = False
            return None

    def _go(self) -> None:
        self._has_left = True
        self._leave()

    def _tell(self) -> None:
        """On the loop: tell what has come by now, and come again for what comes meanwhile."""
        with self._lock:
            values, ending = list(self._values), list(self._ending)
            self._values.clear()
            self._ending.clear()
        try:
            for value in values:
                if not self._has_left:
                    self._observer.on_next(value)
            for error in ending:
                if not self._has_left:
                    self._tell_end(error)
        except BaseException as err:
            self._go()
            if not isinstance(err, Exception) and is_main_thread():
                # An interrupt that a signal's handler may have raised. Not from here: whoever else is called in this
                # turn of the loop is to be called.
                self._loop.call_soon(_raise, err)
            else:
                logger.error("an observer of progress raised, and is dropped", exc_info=err)
        with self._lock:
            self._is_due = bool(self._values or self._ending)
        if self._is_due:
            self._ring()

    def _tell_end(self, error: Exception | None) -> None:
        if error is None:
            self._observer.on_completed()
        else:
            self._observer.on_error(error)


def _raise(error: BaseException) -> None:
    raise error
