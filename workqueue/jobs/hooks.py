"""3 hooks: what happens to jobs -> functions of the user's, called on a thread of their own.

A hook can harm nobody: it is called apart from whatever runs jobs and tells clients, what it raises is logged, and one
that is too slow is told less. The thread is there while a job lives, and ends with the last.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Final

from workqueue.jobs.job import Job
from workqueue.jobs.statistics import JobSnapshot
from workqueue.system.worker_thread import WorkerThread

#: How much may be untold; a thousand jobs' whole lives, some megabytes.
MAX_UNTOLD: Final = 4096

#: What closing gives hooks to be told the last ends.
CLOSE_SECONDS: Final = 1.0

logger = logging.getLogger("workqueue")


class Hooks:
    """What a subclass wants to be told of; each method does nothing unless it is overridden.

    They are called one at a time, in the order in which things happened to a job, on a thread of their own. What they
    are given is the job as it was then. Of progress that was not told yet, only the latest is.
    """

    def queued(self, job: JobSnapshot) -> None:
        """It was asked for, and joined the line."""

    def started(self, job: JobSnapshot) -> None:
        """Its program is about to run; a job that is cancelled or refused before that never gets here."""

    def progress(self, job: JobSnapshot) -> None:
        """Its program has said how far it is."""

    def ended(self, job: JobSnapshot) -> None:
        """It has ended, as its state says."""


class Moment(Enum):
    """What there is to tell; each value names a method of `Hooks`."""

    QUEUED = "queued"
    STARTED = "started"
    PROGRESS = "progress"
    ENDED = "ended"


class _Note:
    def __init__(self, moment: Moment, job: Job) -> None:
        self.moment = moment
        self.job = job
        self.snapshot = job.snapshot()


class HookCaller:
    """Calls hooks. `tell` is callable from any thread, returns at once and never raises."""

    def __init__(self, hooks: Sequence[Hooks] = ()) -> None:
        self._hooks = tuple(hooks)
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._untold: deque[_Note] = deque()
        self._untold_progress: dict[Job, _Note] = {}
        self._n_live = 0
        self._n_lost = 0
        self._worker = WorkerThread("workqueue-hooks", self._turn)

    def tell(self, moment: Moment, job: Job) -> None:
        """Have the hooks told of this moment of this job."""
        if not self._hooks:
            return
        note = _Note(moment, job)
        with self._changed:
            self._n_live += {Moment.QUEUED: 1, Moment.ENDED: -1}.get(moment, 0)
            self._put(note)
            self._changed.notify()
        try:
            self._worker.start()
        except RuntimeError:  # the system has no thread to spare, or the interpreter ends
            logger.warning("hooks cannot be called now: there is no thread for them")

    def close(self) -> None:
        """Wait until all was told, if all jobs have ended and hooks are not too slow for that."""
        with self._changed:
            has_live = self._n_live > 0
        if not has_live:
            self._worker.join(CLOSE_SECONDS)

    def _put(self, note: _Note) -> None:
        if note.moment is Moment.PROGRESS and (earlier := self._untold_progress.get(note.job)) is not None:
            earlier.snapshot = note.snapshot
            return
        if len(self._untold) >= MAX_UNTOLD:
            self._n_lost += 1
            return
        self._untold.append(note)
        if note.moment is Moment.PROGRESS:
            self._untold_progress[note.job] = note

    def _turn(self) -> bool:
        note = self._next()
        if note is None:
            return False
        for hooks in self._hooks:
            try:
                getattr(hooks, note.moment.value)(note.snapshot)
            except BaseException:  # its SystemExit, too, is the hook's, and ends nothing of ours
                logger.exception("a hook raised", extra={"key": note.snapshot.key})
        return True

    def _next(self) -> _Note | None:
        """The next to tell; None when there is none and no job lives, and then the thread ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._untold or not self._n_live)
            n_lost, self._n_lost = self._n_lost, 0
            note = self._untold.popleft() if self._untold else None
            if note is not None and self._untold_progress.get(note.job) is note:
                del self._untold_progress[note.job]
        if n_lost:
            logger.warning("hooks are too slow: they were not told of %d moments of jobs", n_lost)
        return note
