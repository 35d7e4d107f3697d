"""4 cluster watched: a run that this process watches: its progress from the log -> those here that want it.

It is heard as it is put. Each record names the one before it, so what was missed shows, and is read; the end names the
last one. For the loop's thread.
"""

import asyncio
from typing import Final

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Hearing, Record, Unreachable
from workqueue.engines.cluster.log import Log
from workqueue.engines.cluster.records import Own
from workqueue.engines.cluster.watch import Watch
from workqueue.progress import failed

#: How often it is tried to read what was missed before an end is told.
_TRIES: Final = 50
_TRY_SECONDS: Final = 0.1


class Watched:
    """One run.

    Args:
        log: where it is heard.
        number: the run's.
    """

    def __init__(self, log: Log, number: int) -> None:
        self.number = number
        self.watches: list[Watch] = []
        #: The sequence of the record that says that this process watches it; None: there is none yet.
        self.mark: int | None = None
        #: The one that there was when its last client here left.
        self.mark_left: int | None = None
        self.is_ending = False
        self._log = log
        self._hearing: Hearing | None = None
        self._turn = asyncio.Lock()  # what was read and what is heard must not be told in turns

    def has_mark(self) -> bool:
        """Whether the log says that this process watches it."""
        return self.mark is not None

    async def begin(self, *, anew: bool = False) -> None:
        """Hear it, and tell what there is.

        Args:
            anew: whether there is another connection since.
        """
        async with self._turn:
            if anew:
                self._hearing = None
            if self._hearing is None and not self.is_ending:
                self._hearing = await self._log.hear(f"p.{self.number}", self._heard)
            await self._read()

    async def end(self, own: Own) -> None:
        """Tell what is left, and the end."""
        for _ in range(_TRIES):
            try:
                async with self._turn:
                    if self._lacks(own.last):
                        await self._read()
                    if not self._lacks(own.last):
                        break
            except Unreachable:
                pass
            await asyncio.sleep(_TRY_SECONDS)  # also where a server was asked that is behind the one that leads
        outcome = own.outcome or failed("Internal error in workqueue; its log has the details")
        for watch in self.watches:
            watch.end(outcome)
        await self.stop()

    async def stop(self) -> None:
        """Hear it no more."""
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            await hearing.stop()

    async def _heard(self, record: Record) -> None:
        async with self._turn:
            if self._lacks(record.before):
                await self._read()
            self._tell(record)

    def _lacks(self, sequence: int) -> bool:
        """Whether this record, or one before it, may not have been told."""
        return any(watch.last < sequence for watch in self.watches)

    async def _read(self) -> None:
        if self.watches:
            read_to = min(watch.last for watch in self.watches)
            async for record in self._log.after(f"p.{self.number}", read_to):
                self._tell(record)

    def _tell(self, record: Record) -> None:
        said = records.decode_said(record.value)
        for watch in list(self.watches):
            if record.sequence > watch.last:
                watch.last = record.sequence
                if said is not None:
                    watch.said(said)
