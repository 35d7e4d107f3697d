"""4 cluster base: what a log is reached by, what it holds, and how it says no; plain values, without NATS."""

import ssl
from typing import Any, NamedTuple, Protocol


class Refused(Exception):
    """The condition does not hold: somebody else was first."""


class Unreachable(Exception):
    """No server answers, or none leads. What was asked for may have been done all the same."""


class Unusable(Exception):
    """The server cannot be used as it is; the text says what to mend."""


class Access(NamedTuple):
    """How to get to the servers. Plain values, but for `tls`."""

    servers: tuple[str, ...]
    """Their URLs, such as ``nats://HOST:4222``; one that is reached tells of the others."""

    credentials: str | None = None
    """A file of NATS credentials: a user's JWT and its seed."""

    tls: ssl.SSLContext | None = None
    """What to trust, and the certificate to show; None: as the URL's scheme says."""


class Record(NamedTuple):
    """One record of the log."""

    subject: str
    """Without the stream's prefix."""

    sequence: int
    """Names it; greater than that of every record before it."""

    value: Any
    """What was decoded of its JSON; not to be trusted."""

    before: int = 0
    """The sequence of the last record of this subject before it, where it was heard; 0: there was none."""


class Stream(NamedTuple):
    """The stream as it is now."""

    created: str
    """Names it: one that was made after it was lost has another."""

    last: int
    """The sequence of its last record."""


class Hearing(Protocol):
    """What was asked for with `Log.hear`."""

    async def stop(self) -> None:
        """Hear no more. It never raises."""
        ...


class Events(Protocol):
    """Who is told how the connection is; called on the loop's thread."""

    def missed(self) -> None:
        """Some records were not heard: the connection was lost, or they came too fast."""
        ...
