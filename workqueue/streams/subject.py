"""5 subject: who may write a stream: its maker, with `ProgressSubject`; nobody who was handed a `ReadOnlySubject`."""

from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from workqueue.streams.broadcast import DEFAULT_HISTORY, Broadcast

T = TypeVar("T")


class ProgressSubject(Broadcast[T]):
    """A ReplaySubject with a bounded history that no observer can harm.

    ::

        subject = ProgressSubject()
        subject.subscribe(print)
        subject.on_next(0.5)
        subject.on_completed()

    An observer is called by one thread at a time and in order: what was before it came, before `subscribe` returns,
    also where it subscribes from within a callback; then what comes, by the writer's thread. One that subscribes where
    an asyncio event loop runs is called on that loop, and loses the oldest events, never the last, if the loop falls
    behind by more than `history`. An observer that raises is logged and dropped.

    Written from within an observer's callback, or by a second thread, an event is told to everybody after those before
    it, by whoever is telling them: the call returns at once.

    Args:
        history: how many past events a new observer is told, 1 or more.
        on_subscribe: called with no lock held, on the subscribing thread, once the observer is registered and before
            it is told anything: the moment to emit what only matters to somebody who looks.

    Raises:
        ValueError: for a history of 0, which leaves late readers with nothing, or None, which grows without end.
    """

    def on_next(self, value: T) -> None:
        """Tell every observer; ignored after the end."""
        self._put(value)

    def on_completed(self) -> None:
        """Tell every observer that nothing more comes; ignored after the end."""
        self._end()

    def on_error(self, error: Exception) -> None:
        """Tell every observer of the failure; ignored after the end. The library itself never calls this."""
        self._end(error)

    def fail(self, exn: Exception) -> bool:
        """`on_error`, for operators that ask whether it was told."""
        return self._end(exn)

    def dispose(self) -> None:
        """Drop every observer without a word. The library never does this: a client that waits would wait for ever."""
        self._discard()


class ReadOnlySubject(Broadcast[T]):
    """The stream of a job as its readers have it: a ReplaySubject by type, which a `Writer` alone can write or end."""

    def on_next(self, value: T) -> NoReturn:  # noqa: ARG002 - the base class's signature, as below
        """Refuse."""
        _refuse("on_next")

    def on_completed(self) -> NoReturn:
        """Refuse."""
        _refuse("on_completed")

    def on_error(self, error: Exception) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        _refuse("on_error")

    def fail(self, exn: Exception) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        _refuse("fail")

    def dispose(self) -> NoReturn:
        """Refuse."""
        _refuse("dispose")

    def __enter__(self) -> NoReturn:
        _refuse("a with block")


class Writer(Generic[T]):
    """The writer's side of a `ReadOnlySubject`, for whoever makes the stream; see `Broadcast` for its contract.

    Args:
        history: see `Broadcast`.
        on_subscribe: see `Broadcast`.
    """

    def __init__(self, history: int = DEFAULT_HISTORY, on_subscribe: Callable[[], None] | None = None) -> None:
        #: For the readers.
        self.subject: ReadOnlySubject[T] = ReadOnlySubject(history, on_subscribe)

    def on_next(self, value: T) -> None:
        """Tell every observer; ignored after the end."""
        self.subject._put(value)  # noqa: SLF001 - what is private to readers is this class's

    def on_completed(self) -> None:
        """Tell every observer that nothing more comes; ignored after the end."""
        self.subject._end()  # noqa: SLF001


def _refuse(what: str) -> NoReturn:
    raise TypeError(
        f"this stream is for reading, and {what} would change or end it for all its readers. To stop reading, dispose"
        " what subscribe() returned, as `with progress.subscribe(...):` does; to stop the job, call job.cancel(); to"
        " write a stream of your own, make a workqueue.streams.ProgressSubject"
    )
