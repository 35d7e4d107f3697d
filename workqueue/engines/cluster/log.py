"""4 cluster log: one stream of NATS JetStream -> records that are put on a condition, read, and heard of.

A record is put if the last one of a subject is the one that is expected: that alone decides who may do what. The last
one of a subject with wildcards is meant as well. This module and its `connection` are the only ones that know NATS. All
of it is for the thread of one event loop; whatever the servers do is raised as one of the exceptions of `base`.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from workqueue.engines.cluster.base import Access, Events, Hearing, Record, Refused, Stream, Unreachable
from workqueue.engines.cluster.connection import ANSWER_SECONDS, Connection, Subscription, told
from workqueue.engines.cluster.payload import decode, encode, headers_of
from workqueue.extras import Extra

with Extra("cluster", "a cluster"):
    import nats.errors
    from nats.aio.client import Client
    from nats.js import api
    from nats.js.errors import APIError, NotFoundError

#: Records of one subject that are kept: of a run, the progress that those who come late are told.
HISTORY: Final = 64

#: The server's code for: another put with this condition is under way, and nobody knows how that ends.
_IN_FLIGHT: Final = 10164

#: ... for: the last record is another one.
_WRONG_LAST: Final = 10071

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
        self._connection = Connection(access, events)
        self._has_warned = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known here."""
        return self._connection.is_there

    @property
    def _client(self) -> Client:
        return self._connection.client

    async def connect(self) -> None:
        """Connect anew. What was heard before is to be heard anew, too.

        Raises:
            Unreachable, Unusable: see `Connection.connect`.
        """
        await self._connection.connect()

    async def close(self) -> None:
        """Leave. Idempotent; it never raises."""
        await self._connection.close()

    async def ensure(self) -> Stream:
        """See to it that there is a stream; return how it is.

        Raises:
            Unreachable: nobody can tell.
            Unusable: it cannot be made.
        """
        with told():
            try:
                info = await self._connection.streams.stream_info(self._stream)
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
        return await self._connection.streams.add_stream(
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
        headers = headers_of(expect, None if on is None else self._prefix + on, ttl, is_only=is_only)
        data = encode(value)
        while True:
            with told():
                streams = self._connection.streams
                try:
                    return (await streams.publish(self._prefix + subject, data, headers=headers or None)).seq
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
        with told():
            streams = self._connection.streams
            try:
                message = await streams.get_msg(self._stream, subject=self._prefix + subject, direct=False)
            except NotFoundError:
                return Record("", 0, None)
        return Record(self._short(message.subject or ""), message.seq or 0, decode(message.data or b""))

    async def after(self, subject: str, sequence: int) -> AsyncIterator[Record]:
        """All records of a subject after this one, in order.

        Raises:
            Unreachable: there may be more.
        """
        is_more = True
        while is_more:
            with told():
                records, is_more = await self._batch(subject, sequence)
            for record in records:
                sequence = record.sequence
                yield record

    async def _batch(self, subject: str, sequence: int) -> tuple[list[Record], bool]:
        """Some of them, and whether there are more."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox)
        records: list[Record] = []
        try:
            ask = {"seq": sequence + 1, "next_by_subj": self._prefix + subject, "batch": _BATCH}
            await self._client.publish(f"$JS.API.DIRECT.GET.{self._stream}", encode(ask), reply=inbox)
            while True:
                message = await subscription.next_msg(ANSWER_SECONDS)
                headers = message.headers or {}
                status = headers.get("Status")
                if status is not None:
                    break
                name = self._short(headers["Nats-Subject"])
                records.append(Record(name, int(headers["Nats-Sequence"]), decode(message.data)))
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
        if status == "404":
            return records, False
        if status != "204":
            raise Unreachable(f"the server answers a read with {status}")
        return records, int(headers.get("Nats-Num-Pending", 0)) > 0

    async def hear(self, subject: str, heard: Callable[[Record], Awaitable[None]]) -> Hearing:
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
            await heard(Record(name, sequence, decode(message.data), before))

        with told():
            return Subscription(await self._client.subscribe(self._live + subject, cb=tell))

    async def erase(self, sequence: int) -> None:
        """Remove one record; not over-written, which takes the server ten times as long. Idempotent.

        Raises:
            Unreachable: it may be there.
        """
        ask = encode({"seq": sequence, "no_erase": True})
        with told():
            await self._client.request(f"$JS.API.STREAM.MSG.DELETE.{self._stream}", ask, timeout=ANSWER_SECONDS)

    async def purge(self, subject: str) -> None:
        """Remove all records of a subject. Idempotent.

        Raises:
            Unreachable: they may be there.
        """
        with told():
            await self._connection.streams.purge_stream(self._stream, subject=self._prefix + subject)

    def _short(self, subject: str) -> str:
        return subject.removeprefix(self._prefix)
