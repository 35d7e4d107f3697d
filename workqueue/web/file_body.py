"""7 file_body: parts of an open file, and what frames them -> the pieces of a response's body.

The file is held until the body is closed: at its end, when the server closes it, or when nobody has it any more.
"""

import asyncio
import io
import os
import threading
from collections.abc import Callable, Sequence
from typing import IO, Final, Self, cast

from workqueue.web.ranges import Span, length_of

#: What is read at once: enough that a read costs little beside it, and what a slow client makes a server hold.
BLOCK_BYTES: Final = 64 * 1024


class FileBody:
    """A body for WSGI, ASGI and all frameworks: an iterator of bytes that is closed, and an asynchronous one.

    Read by one thread or task at a time. `close` may be called meanwhile, and more than once, from any thread.

    Args:
        fd: of the file.
        pieces: what to send.
        size: the file's, in bytes.
        release: called once, when the body is closed; it closes the file.
    """

    def __init__(self, fd: int, pieces: Sequence[bytes | Span], size: int, release: Callable[[], object]) -> None:
        self._fd = fd
        self._pieces = list(pieces)
        self._release = release
        self.length = length_of(pieces)
        self.is_whole = self._pieces == [Span(0, size)]
        """Whether it is all of the file, and nothing else."""

        self._lock = threading.Lock()  # guards both below
        self._n_reading = 0
        self._is_closed = False

    def to_generator(self) -> Self:
        """Itself, as `ProgressStream` has it. No generator: one that was never begun does nothing when it is closed."""
        return self

    def to_async_iter(self) -> "AsyncFileBody":
        """The pieces, each read in a thread."""
        return AsyncFileBody(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = self._next()
        if piece is None:
            self.close()
            raise StopIteration
        return piece

    def _next(self) -> bytes | None:
        if not self._pieces:
            return None
        piece = self._pieces.pop(0)
        if isinstance(piece, bytes):
            return piece
        data = self._read(piece.start, min(piece.length, BLOCK_BYTES))
        if not data:
            # It cannot be; but a body that ends too soon must not look like a whole one.
            raise OSError("the file is shorter than it was when it was opened")
        if len(data) < piece.length:
            self._pieces.insert(0, Span(piece.start + len(data), piece.stop))
        return data

    def _read(self, start: int, n_bytes: int) -> bytes:
        with self._lock:
            if self._is_closed:
                raise ValueError("the body is closed")
            self._n_reading += 1
        try:
            return os.pread(self._fd, n_bytes, start)
        finally:
            if self._is_last_read():
                self._release()

    def _is_last_read(self) -> bool:
        """Count a read that has ended; return whether the body was closed meanwhile."""
        with self._lock:
            self._n_reading -= 1
            return self._is_closed and not self._n_reading

    def as_file(self) -> IO[bytes]:
        """The whole file, for a server that sends files by itself (sendfile); to close it closes the body.

        Only of a body that `is_whole`: PEP 3333 has servers send a file to its end, whatever the Content-Length.
        """
        assert self.is_whole
        return cast("IO[bytes]", _HeldFile(self, self._fd))

    def close(self) -> None:
        """Let the file go. A read that is under way, in a thread that nobody waits for any more, comes to its end."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            is_read = self._n_reading > 0
        if not is_read:
            self._release()

    def __del__(self) -> None:
        # A response may never be sent: a middleware raised, or its client left before.
        self.close()


class AsyncFileBody:
    """The pieces of a body as an asynchronous iterator. No generator, for the same reason."""

    def __init__(self, body: FileBody) -> None:
        self._body = body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await asyncio.to_thread(self._body._next)  # noqa: SLF001 - the other half of one thing
        if piece is None:
            self.close()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Let the file go."""
        self.close()

    def close(self) -> None:
        """The same, for a framework that closes a response outside its loop."""
        self._body.close()


class _HeldFile(io.FileIO):
    """A file whose end is that of a body."""

    def __init__(self, body: FileBody, fd: int) -> None:
        super().__init__(fd, "rb", closefd=False)
        self._body = body

    def close(self) -> None:
        super().close()
        self._body.close()
