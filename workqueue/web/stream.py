"""7 stream: a job -> the headers and the pieces of a response's body."""

import math
import time
from collections.abc import AsyncIterator, Awaitable, Generator, Sequence
from contextlib import closing
from typing import Final

from workqueue.jobs.composed import Events, check_events, composed
from workqueue.jobs.job import Job
from workqueue.progress import Progress
from workqueue.streams import AsyncReader, to_generator
from workqueue.streams.options import DEFAULT_HEARTBEAT, check_options
from workqueue.web.encodings import ENCODINGS, LAST_EVENT_ID, Encoding, check_encodings, encoding_for, wait_of
from workqueue.web.streamed import Streamed

#: With a heartbeat more, below the 60 s after which many proxies, and servers that stop, give up on a response.
DEFAULT_MAX_DURATION: Final = 45.0

#: What makes each event arrive by itself, and at once.
STREAM_HEADERS: Final = {
    # Kept by nobody; and no proxy compresses it, which needs more than one event to be worth while.
    "Cache-Control": "no-store, no-transform",
    # nginx holds back a response until its buffers are full, or the next piece comes; with gzip, until the end.
    "X-Accel-Buffering": "no",
    # Chromium's XMLHttpRequest holds back what it thinks it has to guess the type of.
    "X-Content-Type-Options": "nosniff",
    # Compressing middleware (Django's, Flask-Compress) holds everything back, unless something is encoded already.
    "Content-Encoding": "identity",
}


class ProgressStream(Streamed):
    """A response that tells how a job goes, for any server; the apps and `progress_response` are made of it.

    Args:
        job: what `WorkQueue.ensure_run` returned; None: the result is there.
        accept: the request's Accept header, which chooses the encoding; and may ask for a short stream, by a parameter:
            ``text/event-stream;wait=5`` is for 5 seconds at most.
        heartbeat: seconds of silence after which the latest event comes once more; None: never. A WSGI server notices
            only by writing that its client has left.
        max_duration: seconds after which a stream ends before its job does, with the next event or heartbeat; None:
            never. Its client asks again, and is told where the job is by then: `EventSource` and the browser module do
            so by themselves. It bounds what a server is left with when it never notices that a client has gone, and
            what a stopping server waits for. The JSON array, whose end says that the job has ended, never does this.
        events: makes of the job's progress, an observable, what is told of it, with any operator of reactivex:
            ``lambda progress: progress.pipe(ops.distinct_until_changed())``. The job's last event is told in any case,
            and is the last that is: if the stream goes on when the job has ended, `max_duration` later. Not called when
            the result is there.
        encodings: what the Accept header chooses from, the one for a client without a preference first:
            ``(*ENCODINGS, MessagePack)`` adds a subclass of `Encoding` of your own.

    Raises:
        TypeError: for `events` or `encodings` that are none.
        ValueError: for a heartbeat or a max_duration that cannot work.
    """

    def __init__(
        self,
        job: Job | None,
        accept: str = "",
        *,
        heartbeat: float | None = DEFAULT_HEARTBEAT,
        max_duration: float | None = DEFAULT_MAX_DURATION,
        events: Events | None = None,
        encodings: Sequence[type[Encoding]] = ENCODINGS,
    ) -> None:
        check_stream_options(heartbeat, max_duration)
        check_encodings(encodings)
        check_events(events)
        encoding = encoding_for(accept, encodings)
        self._job = job
        self._events = None if job is None else composed(job, events)
        self._patience = None if events is None else max_duration
        self._encoding = encoding
        limits = (max_duration, wait_of(accept, encoding)) if encoding.is_resumable else ()
        self._max_duration = min((s for s in limits if s is not None), default=None)
        # A silent stream comes to its end by a heartbeat, so there must be one by then.
        self._heartbeat = min((s for s in (heartbeat, self._max_duration) if s is not None), default=None)
        self.headers = {"Content-Type": encoding.content_type, **STREAM_HEADERS}

    def to_generator(self) -> Generator[bytes, None, None]:
        """The body for a WSGI server: a generator that blocks. Its `close` unsubscribes."""
        if self._job is None or self._events is None:
            yield self._encoding.already_built()
            return
        pieces = _Pieces(self._job, self._encoding(), self._max_duration, self._patience)
        with closing(to_generator(self._events, self._heartbeat)) as events:
            for progress in events:
                yield pieces.encode(progress)
                if pieces.are_enough:
                    break
        yield from pieces.rest()

    def to_async_iter(self) -> AsyncIterator[bytes]:
        """The body for an ASGI server. Unsubscribes when it is cancelled while it waits, or dropped.

        It has no `__iter__`: Django and Quart would take that, and block their loop or hold back the whole body.
        """
        if self._job is None or self._events is None:
            return _once(self._encoding.already_built())
        pieces = _Pieces(self._job, self._encoding(), self._max_duration, self._patience)
        return _AsyncBody(AsyncReader(self._events, self._heartbeat, 1, pieces.encode), pieces)


def has_seen_end(last_event_id: str) -> bool:
    """Whether a request comes from an `EventSource` that has seen its last event, and is to be answered with 204.

    Args:
        last_event_id: the request's Last-Event-ID header; empty: it has none.
    """
    return last_event_id == LAST_EVENT_ID


def check_stream_options(heartbeat: float | None, max_duration: float | None) -> None:
    """Refuse options that cannot work.

    Raises:
        ValueError: with the option and what it must be.
    """
    check_options(heartbeat, buffer=1)
    if max_duration is not None and not 0 < max_duration < math.inf:
        raise ValueError(
            f"max_duration must be a number of seconds above 0, or None for no limit; got {max_duration!r}"
        )


class _Pieces:
    """Events -> pieces, and whether that has gone on for long enough; the clock starts with the first event.

    Args:
        job: whose.
        encoding: makes them.
        max_duration: seconds after which a stream ends before its job; None: never.
        patience: seconds for which a composed stream may go on after its job has ended; None: it ends by itself.
    """

    __slots__ = ("_encoding", "_is_job_over", "_job", "_max_duration", "_patience", "end")

    def __init__(self, job: Job, encoding: Encoding, max_duration: float | None, patience: float | None) -> None:
        self._job = job
        self._encoding = encoding
        self._max_duration = max_duration
        self._patience = patience
        self._is_job_over = False
        self.end: float | None = None

    def encode(self, progress: Progress) -> bytes:
        if self._max_duration is not None and self.end is None:
            self.end = time.monotonic() + self._max_duration
        if self._patience is not None:
            self._look_at_job(progress, self._patience)
        # The heartbeats of one that waits are its latest event, told when that came: they are to count down.
        return self._encoding.encode(self._job.estimated(progress))

    def _look_at_job(self, progress: Progress, patience: float) -> None:
        # From when the job has ended, not from the first event: what operators make of its end may be about to come.
        if progress.returncode is not None:
            self.end = None
        elif not self._is_job_over and self._job.state.is_final:
            self._is_job_over = True
            self.end = time.monotonic() + patience

    @property
    def are_enough(self) -> bool:
        if self.end is None or time.monotonic() < self.end:
            return False
        # A job that has ended meanwhile is told to its end, which is about to come: a client that had to ask again
        # would have a failed job run again.
        return self._is_job_over or not self._job.state.is_final

    def rest(self) -> list[bytes]:
        """What is left to tell once they are enough: the job's own last event, if the stream went on without it."""
        if not self._is_job_over or self.end is None:
            return []
        self.end = None
        return [self._encoding.encode(self._job.snapshot().progress)]


# Not an asynchronous generator: one that is dropped unfinished is closed by its loop some turns later, or never. This
# lets go with its last reference, as the reader in it does.
class _AsyncBody(AsyncIterator[bytes]):
    __slots__ = ("_pieces", "_reader")

    def __init__(self, reader: AsyncReader[bytes], pieces: _Pieces) -> None:
        self._reader = reader
        self._pieces = pieces

    # Not a coroutine of its own around the reader's: it would be made for each event and client.
    def __anext__(self) -> Awaitable[bytes]:
        if self._pieces.end is not None and self._pieces.are_enough:
            return self._end()
        return self._reader.__anext__()

    async def _end(self) -> bytes:
        await self._reader.aclose()
        for piece in self._pieces.rest():
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await self._reader.aclose()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
