"""5 and 6 streams: one writer's events -> every reader, at the reader's own pace.

========================  ==========================================================
`to_generator`            a blocking generator, for WSGI
`to_async_iter`           an asynchronous iterator, for ASGI
`to_callback`             calls of a function, for websockets
`ProgressSubject`         the `ReplaySubject` behind them, for writers
========================  ==========================================================

This package knows nothing of jobs, keys or storage: it serves any observable.
"""

from workqueue.streams.async_iter import AsyncReader, to_async_iter
from workqueue.streams.callback import to_callback
from workqueue.streams.generator import to_generator
from workqueue.streams.subject import ProgressSubject

__all__ = ("AsyncReader", "ProgressSubject", "to_async_iter", "to_callback", "to_generator")
