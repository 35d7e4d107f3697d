"""4 cluster takeover: workers that are not heard of any more -> their runs wait again, or end.

Every process does it, at about the same time: the first put counts, and the others are refused. Nobody judges before it
has itself listened for a lease, nor after it stood still.
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable
from typing import Final, Protocol

from workqueue.engines.cluster.base import Refused
from workqueue.engines.cluster.moves import Moves
from workqueue.engines.cluster.records import Beat
from workqueue.engines.cluster.view import Run, View
from workqueue.progress import Progress, cancelled, failed

#: How often a run may lose its worker. One more, and it is what kills them.
MAX_LOST: Final = 3

#: Ends of which the worker that told them may not have lived to remove what is left; each knows its last few.
_ENDED_KEPT: Final = 100
_CLEARED: Final = 8

#: After how many leases a worker is forgotten; until then its runs are looked after by its own lease.
_FORGET_AFTER: Final = 4


class Heard(Protocol):
    """What a process has heard of a cluster; see `Member`."""

    moves: Moves
    lease: float

    @property
    def view(self) -> View:
        """All runs that live."""
        ...

    @property
    def workers(self) -> dict[str, tuple[float, Beat]]:
        """Workers by their names: when each was heard last, and what it said."""
        ...

    def end(self, run: Run, outcome: Progress, expect: int) -> Awaitable[None]:
        """End a run, and remove what nobody needs of it."""
        ...

    def clear(self, number: int) -> None:
        """Remove what nobody needs of a run that has ended, soon."""
        ...


class Takeover:
    """Looks after the runs of the dead. For the loop's thread."""

    def __init__(self, member: Heard) -> None:
        self._member = member
        self._listens_since = 0.0
        self._looked_at = 0.0
        self._ended: deque[tuple[int, str]] = deque(maxlen=_ENDED_KEPT)

    def begin(self) -> None:
        """From now on it hears who lives."""
        self._listens_since = self._looked_at = time.monotonic()

    def seconds_to_next(self) -> float:
        """How long nobody is to be looked after: a quarter of a lease at most, less where a worker's lease ends."""
        member, now = self._member, time.monotonic()
        ends = {run.own.worker: self._ends_at(run) for run in member.view.running.values()}
        seconds = max(min(ends.values(), default=math.inf), self._listens_since + member.lease) - now
        return min(max(seconds, member.lease / 40), member.lease / 4)

    def ended(self, number: int, worker: str) -> None:
        """This worker has ended a run, and is about to remove the leavings of it."""
        self._ended.append((number, worker))

    async def turn(self) -> None:
        """Look at all runs."""
        member, now = self._member, time.monotonic()
        if now - self._looked_at > member.lease / 2:
            self._listens_since = now  # this process stood still, and may not have heard who lives
        self._looked_at = now
        if now - self._listens_since <= member.lease:
            return
        for name, (heard, beat) in list(member.workers.items()):
            if now - heard > _FORGET_AFTER * beat.lease:
                del member.workers[name]
                self._clear_after(name)
        for run in list(member.view.runs.values()):
            with contextlib.suppress(Refused):  # another was first
                await self._look_at(run, now)

    def _clear_after(self, worker: str) -> None:
        """Remove what a worker that died a moment after it ended a run has left: its key would not be free for ever."""
        for number in [number for number, name in self._ended if name == worker][-_CLEARED:]:
            self._member.clear(number)

    async def _look_at(self, run: Run, now: float) -> None:
        member = self._member
        if run.is_running and self._is_lost(run, now):
            if run.is_cancelled:
                await member.end(run, cancelled(), run.own_sequence)
            elif run.own.lost >= MAX_LOST:
                outcome = failed(f"Its worker was lost {run.own.lost + 1} times; it is not tried again.")
                await member.end(run, outcome, run.own_sequence)
            else:
                await member.moves.give_back(run, run.own_sequence, is_lost=True)
        elif not run.is_running and run.is_cancelled:
            await member.end(run, cancelled(), run.own_sequence)

    def _is_lost(self, run: Run, now: float) -> bool:
        return now > self._ends_at(run)

    def _ends_at(self, run: Run) -> float:
        """When the lease of whoever has it ends, unless he is heard."""
        known = self._member.workers.get(run.own.worker)
        return 0.0 if known is None else known[0] + known[1].lease
