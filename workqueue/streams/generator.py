"""6 generator: an observable -> a blocking generator, for WSGI and plain threads."""

from collections.abc import Generator
from typing import TypeVar

from reactivex import Observable

from workqueue.streams.blocking import BlockingReader
from workqueue.streams.mailbox import Signal
from workqueue.streams.options import DEFAULT_HEARTBEAT, check_options

T = TypeVar("T")


def to_generator(
    source: Observable[T], heartbeat: float | None = DEFAULT_HEARTBEAT, buffer: int = 1
) -> Generator[T, None, None]:
    """Read a stream in a loop that blocks.

    Subscribes at the first `next`, and unsubscribes when it ends, is closed, or is garbage collected. It has no
    `__aiter__`: give `to_async_iter` to an ASGI server.

    Args:
        source: any observable, such as `job.progress`. One that has ended gives its last values, then the end.
        heartbeat: seconds of silence after which the newest value comes once more; None: never. A WSGI server learns
            that its client left only by writing, and proxies cut silent streams.
        buffer: how many unread values are kept for a reader that is slower than the source; the newest stay. The
            source never waits for a reader.

    Returns:
        A generator of the source's values. Use it from one thread at a time.

    Raises:
        ValueError: at once, for a heartbeat or buffer that cannot work.
        Exception: at `next`, whatever the source ended with. Jobs of this library never end so.
    """
    check_options(heartbeat, buffer)
    return _generate(BlockingReader(source, heartbeat, buffer))


def _generate(reader: BlockingReader[T]) -> Generator[T, None, None]:
    try:
        while not isinstance(item := reader.read(), Signal):
            yield item
    finally:
        reader.close()
