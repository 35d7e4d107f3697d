"""4 cluster member: the log -> the view of one process, kept up to date; and the runs of the dead, given to others.

It hears each record as it is put, and reads on every now and then, since a server that leads may die between storing
and telling. When the connection was lost, it makes another and reads all of it again. Both sides of a cluster are built
on it: `desk`, for those who want runs, and `worker`, for those who make them.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Coroutine
from typing import Any, Final

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Access, Record, Refused, Stream, Unreachable, Unusable
from workqueue.engines.cluster.intake import Intake
from workqueue.engines.cluster.log import Log
from workqueue.engines.cluster.moves import Moves
from workqueue.engines.cluster.records import Beat
from workqueue.engines.cluster.side import Side
from workqueue.engines.cluster.takeover import Takeover
from workqueue.engines.cluster.view import Run, View
from workqueue.progress import Progress

#: Between two attempts to reach the servers, twice that at most: not all processes at once.
_RETRY_SECONDS: Final = 0.1

#: How often in succession a server may fail us before another one is looked for.
_MAX_FAILED: Final = 2

#: What it takes to remove the leavings of a run, where a server does not answer at once.
_CLEAR_TRIES: Final = 3

logger = logging.getLogger("workqueue")


class Member:
    """One process of a cluster. For the loop's thread, but for what it says of how things stand.

    Args:
        name: of the cluster.
        access: how to get to its servers.
        replicas: how many of them keep each record.
        lease: seconds without a beat after which a worker counts as lost.
        side: what is built on it.
    """

    def __init__(self, name: str, access: Access, replicas: int, lease: float, side: Side) -> None:
        self.log = Log(name, replicas, access, self)
        self.moves = Moves(self.log, self.apply)
        self.lease = lease
        self._takeover = Takeover(self)
        self._intake = Intake(side, self._takeover.ended)
        #: The view for other threads: while a new one is being read, still the one before.
        self.shown = self.view
        #: Why there is no server; None: there is one, or nobody has tried yet.
        self.trouble: str | None = None
        #: Whether waiting will not mend that.
        self.is_unusable = False
        self.is_up = False
        self._side = side
        self._came_up = asyncio.Event()
        self._wake = asyncio.Event()
        self._needs_reload = True
        self._read_to = 0
        self._stream: Stream | None = None
        self._n_failed = 0
        self._is_left = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def view(self) -> View:
        """All runs that live, as far as the log was read."""
        return self._intake.view

    @property
    def workers(self) -> dict[str, tuple[float, Beat]]:
        """Workers by their names: when each was heard last, and what it said."""
        return self._intake.workers

    @property
    def capacity(self) -> int | None:
        """How many runs all workers that live take at once; None while nobody knows."""
        return sum(beat.capacity for beat in self._intake.living()) if self.is_up else None

    @property
    def n_workers(self) -> int:
        """How many workers live, as far as is known."""
        return len(self._intake.living())

    def missed(self) -> None:
        """See `Events`."""
        self._needs_reload = True
        self._wake.set()

    async def run(self) -> None:
        """Be a member until `leave`."""
        try:
            await self._serve()
        finally:
            await self.log.close()  # `leave` may have been called while it was connecting

    async def _serve(self) -> None:
        while not self._is_left:
            try:
                if not self.log.is_connected:
                    await self._connect()
                await self._turn()
                self._n_failed = 0
            except (Unreachable, Unusable) as err:
                self.is_unusable = isinstance(err, Unusable)
                await self._fail(str(err))
                continue
            except Exception:
                logger.exception("exception in workqueue")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._takeover.seconds_to_next())
            self._wake.clear()

    async def leave(self) -> None:
        """Be none any more. Idempotent."""
        self._is_left, self.is_up = True, False
        self._wake.set()
        for task in list(self._tasks):
            task.cancel()
        await self.log.close()

    async def wait_until_up(self, seconds: float) -> bool:
        """Wait until the servers can be reached; return whether they can."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._came_up.wait(), max(0.0, seconds))
        return self.is_up

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run this beside all else, until it or this member ends."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        err = None if task.cancelled() else task.exception()
        if isinstance(err, Unreachable | Refused):
            logger.debug("%s: %s", type(err).__name__, err)
        elif err is not None:
            logger.error("exception in workqueue", exc_info=err)

    async def read_on(self) -> None:
        """Read what was put since the last look and may not have been heard."""
        async for record in self.log.after(records.STATE, self._read_to):
            self.apply(record)
            self._read_to = record.sequence

    async def certain(self, subject: str) -> int:
        """The last sequence of a subject, when the view has all of it: what a limit can be decided on.

        Raises:
            Refused: whoever is read from is behind.
        """
        sequence = (await self.log.last(subject)).sequence
        await self.read_on()
        if self._read_to < sequence:  # the leader told the one, and another server the other
            raise Refused(subject)
        return sequence

    def apply(self, record: Record) -> None:
        """Take a record into the view. Idempotent."""
        self._intake.take(record)

    async def end(self, run: Run, outcome: Progress, expect: int, *, worker: str = "", last: int = 0) -> None:
        """End a run, and remove what nobody needs of it; see `Moves.end`."""
        await self.moves.end(run, outcome, expect, worker=worker, last=last)
        self.clear(run.number)

    def clear(self, number: int) -> None:
        """Remove what nobody needs of a run that has ended, soon. Idempotent."""
        self.spawn(self._clear(number))

    async def _heard(self, record: Record) -> None:
        try:
            self.apply(record)
        except Exception:
            logger.exception("exception in workqueue")

    async def _connect(self) -> None:
        self.is_up, self._needs_reload = False, True
        self._came_up.clear()
        await self.log.connect()
        await self.log.hear(records.STATE, self._heard)

    async def _fail(self, why: str) -> None:
        """No server answers, or the one that we have cannot help us."""
        self._went_down(why)
        self._n_failed += 1
        if self._n_failed >= _MAX_FAILED:
            self._n_failed = 0
            await self.log.close()
        await asyncio.sleep(random.uniform(_RETRY_SECONDS, 2 * _RETRY_SECONDS))  # noqa: S311 - not all at once

    async def _turn(self) -> None:
        seen_to = self._intake.seen_to  # before: by the time of the answer there may be more
        stream = await self.log.ensure()
        is_another = self._is_another(stream, seen_to)
        if self._needs_reload or is_another:
            await self._reload(stream, is_another=is_another)
        else:
            await self.read_on()
        await self._side.tick()
        await self._takeover.turn()

    def _is_another(self, stream: Stream, seen_to: int) -> bool:
        """Whether records that were seen here are no more: it was deleted and made anew, or set back."""
        return self._stream is not None and (stream.created != self._stream.created or stream.last < seen_to)

    async def _reload(self, stream: Stream, *, is_another: bool) -> None:
        """Build the view anew: what was said while there was no connection was not heard."""
        self._needs_reload = False
        try:
            self._stream, self._read_to = stream, 0
            self._intake.begin(anew=is_another)
            if is_another:
                self._side.lost_all()
            await self.read_on()
        except BaseException:
            self._needs_reload = True
            raise
        self._takeover.begin()
        self.shown = self.view
        self.is_up, self.trouble, self.is_unusable = True, None, False
        self._came_up.set()
        await self._side.reloaded()

    def _went_down(self, why: str) -> None:
        if why != self.trouble and not self._is_left:
            logger.warning("the cluster's servers cannot be used now: %s", why)
        self.trouble, self.is_up, self._needs_reload = why, False, True
        self._came_up.clear()

    async def _clear(self, number: int) -> None:
        # Else whoever asks for its key next does it.
        for _ in range(_CLEAR_TRIES):
            try:
                await self.moves.clear(number)
            except Unreachable:
                await asyncio.sleep(1)
            else:
                return
