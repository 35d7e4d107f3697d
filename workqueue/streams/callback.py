"""6 callback: an observable -> calls of a function, plain or async; for websockets and every other push."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from reactivex import Observable
from reactivex.abc import DisposableBase
from reactivex.disposable import Disposable

from workqueue.streams.async_iter import AsyncReader
from workqueue.streams.blocking import BlockingReader
from workqueue.streams.mailbox import Signal
from workqueue.streams.on_loop import is_main_thread, running_loop
from workqueue.streams.options import DEFAULT_HEARTBEAT, check_options

T = TypeVar("T")

Send = Callable[[T], Awaitable[Any] | Any]

logger = logging.getLogger("workqueue")


def to_callback(
    source: Observable[T],
    send: Send[T],
    on_error: Callable[[Exception], object] | None = None,
    on_completed: Callable[[], object] | None = None,
    *,
    heartbeat: float | None = DEFAULT_HEARTBEAT,
    buffer: int = 1,
) -> DisposableBase:
    """Call `send` with each value, one call at a time, and never make the source wait for it.

    Called where an asyncio event loop runs, `send` and the others are called on that loop, by a task of their own, and
    what `send` returns is awaited if it can be. Anywhere else they are called by a thread of their own, since a plain
    `send` may block for as long as its client pleases.

    Args:
        source: any observable, such as `job.progress`.
        send: takes one value; when it raises, it is not called again.
        on_error: takes what `send` raised or the source ended with; None: it is logged.
        on_completed: called when all was sent. Not called after `on_error` or a dispose.
        heartbeat: seconds of silence after which the newest value is sent once more; None: never.
        buffer: how many unsent values are kept while `send` is slower than the source; the newest stay.

    Returns:
        A disposable: its `dispose()` stops the calls. A plain `send` that has begun may end after it; an async one is
        cancelled. Idempotent, callable from any thread.

    Raises:
        ValueError: for a heartbeat or buffer that cannot work.
        RuntimeError: for an async `send` where no event loop runs.
    """
    check_options(heartbeat, buffer)
    loop = running_loop()
    if loop is not None:
        return _push_on_loop(loop, AsyncReader(source, heartbeat, buffer), _Target(send, on_error, on_completed))
    if _is_async(send):
        raise RuntimeError("an async send needs a running event loop: call to_callback from a coroutine")
    return _push_from_thread(BlockingReader(source, heartbeat, buffer), _Target(send, on_error, on_completed))


class _Target:
    """Where values go, and who hears of the end; once disposed, nobody."""

    def __init__(
        self,
        send: Send[Any],
        on_error: Callable[[Exception], object] | None,
        on_completed: Callable[[], object] | None,
    ) -> None:
        self.send = send
        self.is_disposed = False  # set by any thread, once
        self._on_error = on_error
        self._on_completed = on_completed

    def fail(self, raised: BaseException) -> None:
        if self.is_disposed:
            return
        error = raised
        if not isinstance(error, Exception):
            error = RuntimeError(f"a progress callback raised {raised!r}")
            error.__cause__ = raised
        if self._on_error is None:
            logger.warning("a progress callback failed, and is not called again", exc_info=error)
        else:
            self._call(self._on_error, error)

    def complete(self) -> None:
        if self._on_completed is not None and not self.is_disposed:
            self._call(self._on_completed)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:
            logger.exception("a progress callback's %s raised", "on_error" if arguments else "on_completed")


def _is_failure(error: BaseException) -> bool:
    """Whether it is `send` that has failed, whatever else it raised."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        # A task that raises one ends its loop, and all that this serves. In the main thread a signal's handler may have
        # raised it, and means just that.
        return not is_main_thread()
    return isinstance(error, Exception)


def _is_async(function: Send[Any]) -> bool:
    # The second look is for an object whose __call__ is async.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


# asyncio keeps only weak references to tasks (see asyncio.create_task): without one here, a push could be collected.
_tasks: set["asyncio.Task[None]"] = set()


def _push_on_loop(loop: asyncio.AbstractEventLoop, reader: AsyncReader[T], target: _Target) -> DisposableBase:
    async def push() -> None:
        try:
            async with reader:
                async for value in reader:
                    # Cancelling is not enough: while there are values to take, and a plain send, nothing is awaited.
                    if target.is_disposed:
                        return
                    result = target.send(value)
                    if inspect.isawaitable(result):
                        await result
        except BaseException as err:
            if not _is_failure(err):
                raise
            target.fail(err)
        else:
            target.complete()

    task = loop.create_task(push(), name="workqueue-callback")
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)

    def dispose() -> None:
        target.is_disposed = True
        try:
            loop.call_soon_threadsafe(task.cancel)
        except RuntimeError:  # the loop is closed, and so the task's calls have ended
            logger.debug("a progress callback outlived its event loop")

    return Disposable(dispose)


def _push_from_thread(reader: BlockingReader[T], target: _Target) -> DisposableBase:
    def push() -> None:
        try:
            while not isinstance(item := reader.read(), Signal):
                target.send(item)
        except BaseException as err:
            if not _is_failure(err):
                raise
            target.fail(err)
        else:
            target.complete()
        finally:
            reader.close()

    def dispose() -> None:
        target.is_disposed = True
        reader.close()

    # A daemon: a client that blocks for ever must not keep the interpreter from ending.
    threading.Thread(target=push, name="workqueue-callback", daemon=True).start()
    return Disposable(dispose)
