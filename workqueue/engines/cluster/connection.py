"""4 cluster connection: one connection to the NATS servers, made anew when it is asked for; their errors -> ours.

Of this room `log` alone uses it, and no other module knows NATS. All of it is for the thread of one event loop;
whatever the servers do is raised as one of the exceptions of `base`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Final

from workqueue.engines.cluster.base import Access, Events, Unreachable, Unusable
from workqueue.extras import Extra

with Extra("cluster", "a cluster"):
    import nats.errors
    from nats.aio.client import Client
    from nats.js import JetStreamContext

#: What older servers do not know of a request they ignore without a word, so that conditions would always hold.
NEEDS: Final = (2, 12, 4)

#: How long an answer is waited for.
ANSWER_SECONDS: Final = 2.0

_CONNECT_SECONDS: Final = 3.0
_CLOSE_SECONDS: Final = 1.0

logger = logging.getLogger("workqueue")


class Connection:
    """A connection. Callable on the loop's thread.

    Args:
        access: how to get to the servers.
        events: told when it is lost.
    """

    def __init__(self, access: Access, events: Events) -> None:
        self._access = access
        self._events = events
        self._client: Client | None = None
        self._error: Exception | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is one, as far as is known here."""
        return self._client is not None and self._client.is_connected

    @property
    def client(self) -> Client:
        """NATS's own.

        Raises:
            Unreachable: there is no connection. What is asked for without one would be kept and sent later, as often
                as it was tried.
        """
        if self._client is None or not self._client.is_connected:
            raise Unreachable("there is no connection to a server")
        return self._client

    @property
    def streams(self) -> JetStreamContext:
        """What JetStream is asked by; likewise."""
        return self.client.jetstream(timeout=ANSWER_SECONDS)

    async def connect(self) -> None:
        """Connect, whether there was a connection or not; what was asked for over that one is gone.

        A connection that is lost is not made again by NATS's client: it gives up for good after some errors, forgets
        what it heard after others, and does not ask how old the server is that it finds.

        Raises:
            Unreachable: there is no server now.
            Unusable: it is too old, or does not let us in.
        """
        await self.close()
        client = Client()
        try:
            with told():
                await asyncio.wait_for(self._connect(client), _CONNECT_SECONDS)
        except (Unreachable, Unusable):
            await _end(client)
            # One that finds nobody goes on looking, and tells why by the way.
            with told():
                raise self._error or Unreachable("no server answers") from None
        except BaseException:  # cancelled, as by a member that leaves: nobody else has it yet
            await _end(client)
            raise
        version = client.connected_server_version
        if (version.major, version.minor, version.patch) < NEEDS:
            await _end(client)
            wanted = ".".join(map(str, NEEDS))
            found = f"{version.major}.{version.minor}.{version.patch}"
            raise Unusable(f"the NATS server is {found}, which ignores what it is asked for here; {wanted} is needed")
        for task in (client._flusher_task, client._reading_task, client._ping_interval_task):  # noqa: SLF001
            if task is not None:
                task.add_done_callback(_is_retrieved)
        self._client = client

    async def _connect(self, client: Client) -> None:
        self._error = None
        await client.connect(
            list(self._access.servers),
            name="workqueue",
            connect_timeout=2,
            allow_reconnect=False,
            reconnect_time_wait=1,
            ping_interval=5,
            user_credentials=self._access.credentials,
            tls=self._access.tls,
            closed_cb=self._closed,
            error_cb=self._failed,
        )

    async def close(self) -> None:
        """Leave. Idempotent; it never raises."""
        client, self._client = self._client, None
        if client is not None:
            await _end(client)

    async def _closed(self) -> None:
        if self._client is not None:  # else it was we who closed it
            self._events.missed()

    async def _failed(self, error: Exception) -> None:
        self._error = error
        if isinstance(error, nats.errors.SlowConsumerError):
            self._events.missed()
        elif "permissions violation" in str(error).lower():
            logger.error("NATS does not allow what workqueue needs: %s", error)
        else:
            logger.debug("NATS: %s", error)


class Subscription:
    """What was asked for over a connection, and is heard until it is stopped."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    async def stop(self) -> None:
        """Hear no more. It never raises."""
        with contextlib.suppress(nats.errors.Error):
            await self._subscription.unsubscribe()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Raise whatever NATS has to say as one of ours."""
    try:
        yield
    except (nats.errors.AuthorizationError, nats.errors.InvalidUserCredentialsError) as err:
        raise Unusable(f"the NATS server does not let workqueue in: {err}") from err
    except (nats.errors.Error, OSError, TimeoutError) as err:
        raise Unreachable(str(err) or type(err).__name__) from err


async def _end(client: Client) -> None:
    """Close a connection, also one whose other end takes nothing any more, or that NATS's client closed by halves."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), _CLOSE_SECONDS)
    # Where it could not send the last of what it had to, it takes itself for closed, and leaves all this as it was.
    left: dict[int, Any] = client._subs  # noqa: SLF001
    for subscription in left.values():
        if subscription._wait_for_msgs_task is not None:  # noqa: SLF001
            subscription._wait_for_msgs_task.cancel()  # noqa: SLF001
    left.clear()
    with contextlib.suppress(Exception):
        client._transport._io_writer.transport.abort()  # type: ignore[union-attr]  # noqa: SLF001


def _is_retrieved(task: "asyncio.Task[None]") -> None:
    """What ended it is known by other ways; asyncio would print it with all its frames."""
    if not task.cancelled():
        task.exception()
