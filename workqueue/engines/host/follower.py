"""4 host follower: files of other processes change -> whoever follows them looks.

One thread for all that this process follows, however many jobs wait. It is told by `changes`; besides it looks every
second at what there is: files that are followed, and those that have come. One look at a directory's listing costs as
much as there are runs on the host, not as much as there are jobs that wait here.

What fails is told in the log, and costs others nothing: a look that raises; or a read of what the kernel tells, after
which everything is looked at, and the kernel is asked anew.
"""

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from workqueue.engines.host.changes import LOST, POLL_SECONDS, Change, Changes
from workqueue.engines.host.looks import Look, Looks
from workqueue.engines.host.soon import Soon
from workqueue.engines.host.watches import File, Watches
from workqueue.system import forks
from workqueue.system.worker_thread import JOIN_SECONDS, WorkerThread

logger = logging.getLogger("workqueue")


class Follower:
    """Files that are followed, by any number of queues. Callable from any thread.

    Args:
        name: its thread's.
    """

    def __init__(self, name: str = "workqueue-follower") -> None:
        self._worker = WorkerThread(name, self._turn)
        self._soon = Soon()  # of the following thread, like the next two
        self._next_look = 0.0
        self._is_deaf = False
        self._lock = threading.Lock()  # guards all below
        self._idle = threading.Condition(self._lock)
        self._looks = Looks()
        self._n_open: Counter[Path] = Counter()
        self._watches: Watches | None = None
        self._retired: list[Changes] = []  # for the following thread to close, since it may be waiting in them
        self._looked_at: File | None = None
        self._afterwards: list[Look] = []

    def open(self, directory: Path) -> None:
        """Follow files of this directory, until `close` was called as often.

        Raises:
            OSError, RuntimeError: the system has no descriptor or no thread to spare.
        """
        with self._lock:
            if directory not in self._looks.directories:
                if self._watches is None:
                    self._watches = self._begin()
                self._looks.open(directory)
                self._watches.add((directory, ""))
            self._n_open[directory] += 1

    def close(self, directory: Path) -> None:
        """Follow none of them any more; after the last directory the thread has ended, unless it calls this."""
        with self._lock:
            self._n_open[directory] -= 1
            if self._n_open[directory] > 0:
                return
            self._looks.close(directory)
            del self._n_open[directory]
            if self._watches is None:
                return
            self._watches.discard_directory(directory)
            if self._looks.directories:
                return
            self._watches.changes.wake()
            self._retired.append(self._watches.changes)
            self._watches = None
        self._worker.join()

    def follow(self, directory: Path, name: str, look: Look, *, always: bool = False) -> None:
        """Call `look` when this file changes, and now and then when it exists.

        Args:
            directory: one that is open.
            name: the file, which may not exist yet.
            look: called by the following thread alone, one call at a time; it must not raise.
            always: call it once now, and now and then also when the file does not exist.
        """
        with self._lock:
            was_idle = not self._looks.directories_with_any
            self._looks.add((directory, name), look, always=always)
            watches = self._watches
            if watches is not None:
                watches.add((directory, name))
        if always or was_idle:
            self._wake(watches)

    def look_again(self) -> None:
        """Look at everything that is followed, soon, on the following thread."""
        with self._lock:
            watches = self._watches
        self._wake(watches)

    def is_following_thread(self) -> bool:
        """Whether the caller is called by it, perhaps as somebody's observer."""
        return self._worker.is_current()

    def unfollow(self, directory: Path, name: str, look: Look, then: Look | None = None) -> None:
        """Do not call it any more; one call may be under way. Idempotent.

        Args:
            directory: the one of the file.
            name: the file.
            look: what `follow` was given.
            then: called once no call of `look` is under way, to close what it reads: by this call, after waiting for
                that; or, when somebody's observer takes long in it, by the following thread.
        """
        file = (directory, name)
        with self._lock:
            if self._looks.remove(file, look) and self._watches is not None:
                self._watches.discard(file)
            if then is None:
                return
            if not self._worker.is_current():
                self._idle.wait_for(lambda: self._looked_at != file, JOIN_SECONDS)
                if self._looked_at == file:
                    self._afterwards.append(then)
                    return
        then()

    def _begin(self) -> Watches:
        changes = Changes()
        try:
            self._worker.start()
        except BaseException:
            changes.close()
            raise
        return Watches(changes)

    def _wake(self, watches: Watches | None) -> None:
        if watches is not None:
            watches.changes.wake()
            # It runs, unless it has ended by an accident and the system had no thread to spare for another.
            with contextlib.suppress(RuntimeError):
                self._worker.start()

    def _turn(self) -> bool:
        """Wait for news, and look; return whether any directory is open. Called by the following thread."""
        with self._lock:
            retired, self._retired = self._retired, []
            watches = self._watches
        for changes in retired:
            changes.close()
        if watches is None:
            return False
        try:
            self._look_at_news(self._wait(watches), watches)
        except BaseException:
            self._next_look = 0.0  # what was told may be lost: all is looked at
            raise
        return True

    def _look_at_news(self, told: list[Change], watches: Watches) -> None:
        now = time.monotonic()
        if now >= self._next_look or any(change.number == LOST for change in told):
            self._next_look = now + watches.changes.look_seconds
            self._look_at_all()
        self._look_at_changed(self._changed(told, watches), now)

    def _wait(self, watches: Watches) -> list[Change]:
        try:
            told = watches.changes.wait(self._seconds())
        except OSError as err:
            if self._is_deaf:  # once more: where nothing tells of changes, they are looked for
                time.sleep(POLL_SECONDS)
            else:
                logger.warning("cannot be told which files change: %s; looking at all, and trying again", err)
            self._is_deaf = True
            self._renew(watches)
            return [Change(LOST, "")]
        self._is_deaf = False
        return told

    def _renew(self, watches: Watches) -> None:
        """Have another be told by, if there is one to be had."""
        try:
            fresh = Watches(Changes())
        except OSError:
            return
        with self._lock:
            is_wanted = self._watches is watches
            if is_wanted:
                self._watches = fresh
                for file in self._looks.files():
                    fresh.add(file)
        # Of the two, the one that nobody can ask for any more.
        (watches if is_wanted else fresh).changes.close()

    def _seconds(self) -> float | None:
        times = [] if self._soon.next_at is None else [self._soon.next_at]
        with self._lock:
            if self._looks.directories_with_any:
                times.append(self._next_look)
        return min(times) - time.monotonic() if times else None

    def _look_at_changed(self, changed: dict[File, bool], now: float) -> None:
        """Look at what has changed, and at what is due."""
        for file in {*changed, *self._soon.take_due(now)}:
            self._look(file)
        for file, is_closed in changed.items():
            if is_closed and self._is_followed(file):
                self._soon.was_closed(file, now)

    def _changed(self, told: list[Change], watches: Watches) -> dict[File, bool]:
        """The files that are followed and of which there is news; and whether they were closed."""
        changed: dict[File, bool] = {}
        with self._lock:
            if self._watches is not watches:  # the numbers in what was told mean nothing to another
                return changed
            for change in told:
                file = watches.file_of(change)
                if file is None or not self._looks.of(file):
                    continue
                if change.name:  # it has come; to be watched before it is looked at, so that nothing falls in between
                    watches.add(file)
                changed[file] = changed.get(file, False) or change.is_closed
        return changed

    def _look_at_all(self) -> None:
        with self._lock:
            always, directories = self._looks.always, self._looks.directories_with_any
        for file in always:
            self._watch_and_look(file)
        for directory in directories:
            try:
                names = [path.name for path in directory.iterdir()]
            except OSError:
                continue
            for file in {(directory, name) for name in names}.difference(always):
                self._watch_and_look(file)

    def _watch_and_look(self, file: File) -> None:
        with self._lock:
            if not self._looks.of(file):
                return
            if self._watches is not None:
                self._watches.add(file)
        self._look(file)

    def _is_followed(self, file: File) -> bool:
        with self._lock:
            return bool(self._looks.of(file))

    def _look(self, file: File) -> None:
        with self._lock:
            looks = self._looks.of(file)
            self._looked_at = file
        try:
            for look in looks:
                _call(look)
        finally:
            with self._lock:
                self._looked_at = None
                afterwards, self._afterwards = self._afterwards, []
                self._idle.notify_all()
            for then in afterwards:
                _call(then)


def _call(function: Callable[[], None]) -> None:
    try:
        function()
    except BaseException:  # an observer's SystemExit, too, must not cost the others the thread
        logger.exception("exception in workqueue")


def _reset_in_child() -> None:
    global follower  # noqa: PLW0603 - the one of this process, which a forked child is not
    follower = Follower()


#: The one of this process: inotify has few instances to give, and a thread for each queue would buy nothing.
follower = Follower()
forks.renew_in_child(_reset_in_child)
