"""4 cluster marks: that this process watches a run, or does not any more, in the log; what nobody watches is stopped.

A mark goes by its age, as its process may die; so it is put again for as long as the run is watched.
"""

import contextlib
import time
from collections.abc import Iterable

from workqueue.engines.cluster import moves
from workqueue.engines.cluster.base import Refused
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.watched import Watched
from workqueue.progress import cancelled


class Marks:
    """The marks of one process. For the loop's thread. All raise `Unreachable` when the servers cannot be told.

    Args:
        member: by which they are put.
        process: names this process among those that watch.
    """

    def __init__(self, member: Member, process: str) -> None:
        self._member = member
        self._process = process
        self._unheard: set[Watched] = set()  # what was left when no server could be told
        self._put_at = time.monotonic()

    async def put(self, watched: Watched) -> None:
        """This process watches it.

        Raises:
            Refused: it is being cancelled.
        """
        watched.mark = await self._member.moves.watch(watched.number, self._process)

    async def leave(self, watched: Watched) -> None:
        """This process watches it no more; if nobody does, it is stopped. What cannot be told now is told later."""
        self._unheard.add(watched)
        if watched.mark is not None:
            watched.mark, watched.mark_left = None, watched.mark
        if watched.mark_left is not None:
            await self._member.moves.leave(watched.mark_left)
        with contextlib.suppress(Refused):  # others watch it; or it began, and its worker hears of the cancel
            await self._member.moves.cancel(watched.number, for_all=False)
            await self.end_if_it_waits(watched.number)
        self._unheard.discard(watched)

    async def take_back(self, watched: Watched) -> None:
        """This process watches it no more, and nothing is to be stopped for that."""
        if watched.mark is not None:
            mark, watched.mark = watched.mark, None
            await self._member.moves.leave(mark)

    async def end_if_it_waits(self, number: int) -> None:
        """End a run that was cancelled, unless a worker has it, who does.

        Raises:
            Refused: a worker has claimed it.
        """
        run = self._member.view.runs.get(number)
        if run is not None and not run.is_running:
            await self._member.end(run, cancelled(), run.own_sequence)

    async def tick(self, all_watched: Iterable[Watched]) -> None:
        """Tell what could not be told, and put those marks again whose time is a third over."""
        for watched in list(self._unheard):
            await self.leave(watched)
        if time.monotonic() - self._put_at > moves.WATCH_SECONDS / 3:
            self._put_at = time.monotonic()
            for watched in list(all_watched):
                await self._put_again(watched)

    def forget(self) -> None:
        """The stream that there was is gone, with all that was to be told."""
        self._unheard.clear()

    async def _put_again(self, watched: Watched) -> None:
        if not watched.has_mark() or watched.is_ending:
            return
        with contextlib.suppress(Refused):  # it is being cancelled, and ends soon
            mark = await self._member.moves.watch(watched.number, self._process)
            is_left = not watched.has_mark()
            watched.mark = mark
            if is_left:  # meanwhile; and another process that left it, too, may have taken this mark for somebody
                await self.leave(watched)
