"""7 streamed: the body of a response that goes on for a while, for WSGI and for ASGI."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Generator


class Streamed(ABC):
    """Pieces that come when there is something to tell."""

    headers: dict[str, str]
    """Those of the response, which have each piece arrive by itself, and at once."""

    @abstractmethod
    def to_generator(self) -> Generator[bytes, None, None]:
        """The body for a WSGI server: a generator that blocks. Its `close` unsubscribes."""

    @abstractmethod
    def to_async_iter(self) -> AsyncIterator[bytes]:
        """The body for an ASGI server. Whoever does not read it to its end calls its `aclose`, if it has one."""
