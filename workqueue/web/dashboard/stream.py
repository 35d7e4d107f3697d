"""7 dashboard stream: what there is to tell -> the pieces of a response, for one open page."""

import time
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import Final

from workqueue.streams import to_async_iter, to_generator
from workqueue.web.dashboard.feed import Feed
from workqueue.web.stream import STREAM_HEADERS
from workqueue.web.streamed import Streamed

#: Milliseconds after which a browser comes back when a response has ended.
_RETRY: Final = 500


class DashboardStream(Streamed):
    """Server-sent events, each a whole `Snapshot`.

    Args:
        feed: of encoded events.
        heartbeat: seconds of silence after which the latest comes once more.
        max_duration: seconds after which the response ends. The browser asks again, and whether it may is decided anew.
    """

    def __init__(self, feed: Feed[bytes], heartbeat: float, max_duration: float) -> None:
        self.headers = {"Content-Type": "text/event-stream; charset=utf-8", **STREAM_HEADERS}
        self._feed = feed
        self._heartbeat = min(heartbeat, max_duration)
        self._max_duration = max_duration

    def to_generator(self) -> Generator[bytes, None, None]:
        """The body for a WSGI server: a generator that blocks. Its `close` unsubscribes."""
        end = time.monotonic() + self._max_duration
        yield _beginning()
        try:
            with closing(to_generator(self._feed.news, self._heartbeat)) as events:
                for event in events:
                    yield event
                    if time.monotonic() >= end:
                        return
        finally:
            self._feed.left()

    async def to_async_iter(self) -> AsyncIterator[bytes]:
        """The body for an ASGI server. Its `aclose` unsubscribes."""
        end = time.monotonic() + self._max_duration
        yield _beginning()
        try:
            async with to_async_iter(self._feed.news, self._heartbeat) as events:
                async for event in events:
                    yield event
                    if time.monotonic() >= end:
                        return
        finally:
            self._feed.left()


def _beginning() -> bytes:
    """What comes before all else: what the time is here, so that the page can say how long ago something was."""
    return f"retry: {_RETRY}\nevent: time\ndata: {time.time():.3f}\n\n".encode()
