"""4 cluster log: one stream of NATS JetStream -> records that are put on a condition, read, and heard of.

A record is put if the last one of a subject is the one that is expected: that alone decides who may do what. The last
one of a subject with wildcards is meant as well. This is the only module that knows NATS. All of it is for the thread
of one event loop; whatever the servers do is raised as one of the exceptions of `base`.
"""

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from workqueue.engines.cluster.base import Access, Events, Record, Refused, Stream, Unreachable, Unusable

#: What older servers do not know of a request they ignore without a word, so that conditions would always hold.
NEEDS: Final = (2, 12, 4)

#: Records of one subject that are kept: of a run, the progress that those who come late are told.
HISTORY: Final = 64

#: The server's code for: another put with this condition is under way, and nobody knows how that ends.
_IN_FLIGHT: Final = 10164

#: ... for: the last record is another one.
_WRONG_LAST: Final = 10071

_ANSWER_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 3.0
_RETRY_SECONDS: Final = 0.1
_CLOSE_SECONDS: Final = 1.0
_BATCH: Final = 500

logger = logging.getLogger("workqueue")


class Log:
    """The stream of one cluster, over one connection. Callable on the loop's thread.

    Args:
        name: of the cluster; letters, digits, "-" and "_".
        replicas: how many servers keep each record, if the stream is made here.
        access: how to get to them.
        events: told how the connection is.
    """

    def __init__(self, name: str, replicas: int, access: Access, events: Events) -> None:
        self._stream, self._prefix, self._live = f"wq-{name}", f"wq.{name}.", f"wqlive.{name}."
        self._replicas = replicas
        self._access = access
        self._events = events
        self._client: Client | None = None
        self._error: Exception | None = None
        self._has_warned = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known here."""
        return self._client is not None and self._client.is_connected

    @property
    def _nc(self) -> Client:
        # What is asked for without a connection is kept and sent later, as often as it was tried.
        if self._client is None or not self._client.is_connected:
            raise Unreachable("there is no connection to a server")
        return self._client

    @property
    def _js(self) -> JetStreamContext:
        return self._nc.jetstream(timeout=_ANSWER_SECONDS)

    async def connect(self) -> None:
        """Connect anew. What was heard before is to be heard anew, too.

        A connection that is lost is not made again by NATS's client: it gives up for good after some errors, forgets
        what it heard after others, and does not ask how old the server is that it finds.

        Raises:
            Unreachable: there is no server now.
            Unusable: it is too old, or does not let us in.
        """
        await self.close()
        client = Client()
        try:
            with _told():
                await asyncio.wait_for(self._connect(client), _CONNECT_SECONDS)
        except (Unreachable, Unusable):
            await _end(client)
            # One that finds nobody goes on looking, and tells why by the way.
            with _told():
                raise self._error or Unreachable("no server answers") from None
        version = client.connected_server_version
        if (version.major, version.minor, version.patch) < NEEDS:
            await _end(client)
            wanted = ".".join(map(str, NEEDS))
            found = f"{version.major}.{version.minor}.{version.patch}"
            raise Unusable(f"the NATS server is {found}, which ignores what it is asked for here; {wanted} is needed")
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

    async def ensure(self) -> Stream:
        """See to it that there is a stream; return how it is.

        Raises:
            Unreachable: nobody can tell.
            Unusable: it cannot be made.
        """
        with _told():
            try:
                info = await self._js.stream_info(self._stream)
            except NotFoundError:
                info = await self._make()
        self._warn_if_few(info.config.num_replicas or 1)
        return Stream(str(info.created), info.state.last_seq)

    def _warn_if_few(self, n_copies: int) -> None:
        """Say once that less is kept than was asked for: somebody who wanted less was first."""
        if n_copies < self._replicas and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the stream %s has %d copies, and %d are wanted: nats stream edit --replicas=%d %s",
                self._stream, n_copies, self._replicas, self._replicas, self._stream,
            )  # fmt: skip

    async def _make(self) -> api.StreamInfo:
        logger.info("making the stream %s", self._stream)
        return await self._js.add_stream(
            name=self._stream,
            subjects=[f"{self._prefix}>"],
            max_msgs_per_subject=HISTORY,
            allow_rollup_hdrs=True,
            allow_direct=True,
            allow_msg_ttl=True,
            num_replicas=self._replicas,
            storage=api.StorageType.FILE,
            republish=api.RePublish(src=f"{self._prefix}>", dest=f"{self._live}>"),
        )

    async def put(
        self,
        subject: str,
        value: object,
        expect: int | None = None,
        on: str | None = None,
        *,
        ttl: float = 0.0,
        is_only: bool = False,
    ) -> int:
        """Put a record; return its sequence.

        Args:
            subject: of the record.
            value: what JSON can say.
            expect: the sequence that the last record of `on` must have; 0: there is none. None: any.
            on: a subject, which may have wildcards; None: that of the record.
            ttl: seconds that the server keeps it; 0: as long as there is room.
            is_only: whether those before it of its subject go.

        Raises:
            Refused: the condition does not hold.
            Unreachable: it is not known whether it was put.
        """
        headers = _headers(expect, None if on is None else self._prefix + on, ttl, is_only=is_only)
        data = json.dumps(value, separators=(",", ":")).encode()
        while True:
            with _told():
                try:
                    return (await self._js.publish(self._prefix + subject, data, headers=headers or None)).seq
                except APIError as err:
                    if err.err_code not in (_IN_FLIGHT, _WRONG_LAST):
                        raise
                    is_doubtful = err.err_code == _IN_FLIGHT
            # With several servers a put is refused while another is under way, though that one may fail. The leader
            # knows; then it is tried again.
            if not is_doubtful or (await self.last(on or subject)).sequence != expect:
                raise Refused(subject)
            await asyncio.sleep(random.uniform(0.001, 0.005))  # noqa: S311 - so that two do not meet again

    async def last(self, subject: str) -> Record:
        """The last record of a subject, from the leader; its sequence is 0 if there is none.

        Raises:
            Unreachable: nobody can tell.
        """
        with _told():
            try:
                message = await self._js.get_msg(self._stream, subject=self._prefix + subject, direct=False)
            except NotFoundError:
                return Record("", 0, None)
        return Record(self._short(message.subject or ""), message.seq or 0, _decode(message.data or b""))

    async def after(self, subject: str, sequence: int) -> AsyncIterator[Record]:
        """All records of a subject after this one, in order.

        Raises:
            Unreachable: there may be more.
        """
        is_more = True
        while is_more:
            with _told():
                records, is_more = await self._batch(subject, sequence)
            for record in records:
                sequence = record.sequence
                yield record

    async def _batch(self, subject: str, sequence: int) -> tuple[list[Record], bool]:
        """Some of them, and whether there are more."""
        inbox = self._nc.new_inbox()
        subscription = await self._nc.subscribe(inbox)
        records: list[Record] = []
        try:
            ask = {"seq": sequence + 1, "next_by_subj": self._prefix + subject, "batch": _BATCH}
            await self._nc.publish(f"$JS.API.DIRECT.GET.{self._stream}", json.dumps(ask).encode(), reply=inbox)
            while True:
                message = await subscription.next_msg(_ANSWER_SECONDS)
                headers = message.headers or {}
                status = headers.get("Status")
                if status is not None:
                    break
                name = self._short(headers["Nats-Subject"])
                records.append(Record(name, int(headers["Nats-Sequence"]), _decode(message.data)))
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
        if status == "404":
            return records, False
        if status != "204":
            raise Unreachable(f"the server answers a read with {status}")
        return records, int(headers.get("Nats-Num-Pending", 0)) > 0

    async def hear(self, subject: str, heard: Callable[[Record], Awaitable[None]]) -> "Hearing":
        """Have this called with each record that is put from now on. It may miss some: see `after`.

        Raises:
            Unreachable: it cannot be asked for.
        """

        async def tell(message: Any) -> None:
            headers = message.headers or {}
            try:
                sequence, before = int(headers["Nats-Sequence"]), int(headers["Nats-Last-Sequence"])
            except (KeyError, ValueError):
                return  # put there by somebody, and not by the stream
            name = message.subject.removeprefix(self._live)
            await heard(Record(name, sequence, _decode(message.data), before))

        with _told():
            return Hearing(await self._nc.subscribe(self._live + subject, cb=tell))

    async def erase(self, sequence: int) -> None:
        """Remove one record; not over-written, which takes the server ten times as long. Idempotent.

        Raises:
            Unreachable: it may be there.
        """
        ask = json.dumps({"seq": sequence, "no_erase": True}).encode()
        with _told():
            await self._nc.request(f"$JS.API.STREAM.MSG.DELETE.{self._stream}", ask, timeout=_ANSWER_SECONDS)

    async def purge(self, subject: str) -> None:
        """Remove all records of a subject. Idempotent.

        Raises:
            Unreachable: they may be there.
        """
        with _told():
            await self._js.purge_stream(self._stream, subject=self._prefix + subject)

    def _short(self, subject: str) -> str:
        return subject.removeprefix(self._prefix)

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


class Hearing:
    """What was asked for with `Log.hear`."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    async def stop(self) -> None:
        """Hear no more. It never raises."""
        with contextlib.suppress(nats.errors.Error):
            await self._subscription.unsubscribe()


async def _end(client: Client) -> None:
    """Close a connection, also one whose other end takes nothing any more."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), _CLOSE_SECONDS)
        return
    with contextlib.suppress(Exception):
        client._transport._io_writer.transport.abort()  # type: ignore[union-attr]  # noqa: SLF001


def _headers(expect: int | None, on: str | None, ttl: float, *, is_only: bool) -> dict[str, str]:
    headers: dict[str, str] = {}
    if expect is not None:
        headers["Nats-Expected-Last-Subject-Sequence"] = str(expect)
        if on is not None:
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = on
    if ttl:
        headers["Nats-TTL"] = f"{max(1, round(ttl))}s"
    if is_only:
        headers["Nats-Rollup"] = "sub"
    return headers


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


@contextlib.contextmanager
def _told() -> Any:
    """Raise whatever NATS has to say as one of ours."""
    try:
        yield
    except (nats.errors.AuthorizationError, nats.errors.InvalidUserCredentialsError) as err:
        raise Unusable(f"the NATS server does not let workqueue in: {err}") from err
    except (nats.errors.Error, OSError, TimeoutError) as err:
        raise Unreachable(str(err) or type(err).__name__) from err
