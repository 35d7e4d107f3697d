"""4 host follower: files of other processes change -> whoever follows them looks.

One thread for all that this process follows, however many jobs wait. It is told by `changes`; besides it looks every
second at what there is: files that are followed, and those that have come. One look at a directory's listing costs as
much as there are runs on the host, not as much as there are jobs that wait here.

A file's last writer, when it dies, closes the file first and loses its lock a moment later. So after a close there are
some more looks, at growing distances.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.engines.host.changes import LOST, Change, Changes
from workqueue.engines.host.watches import File, Watches
from workqueue.system import forks

#: Seconds after a writer closed a file at which to look again.
_LOOKS_AFTER_CLOSE: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)

logger = logging.getLogger("workqueue")

Look = Callable[[], None]
"""Looks at one file; called by the following thread alone."""


class _Soon(NamedTuple):
    at: float
    file: File


class Follower:
    """Files that are followed, by any number of queues. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._looks: dict[Path, dict[str, list[Look]]] = {}
        self._n_open: Counter[Path] = Counter()
        self._always: set[File] = set()
        self._watches: Watches | None = None
        self._thread: threading.Thread | None = None

    def open(self, directory: Path) -> None:
        """Follow files of this directory, until `close` was called as often.

        Raises:
            OSError, RuntimeError: the system has no descriptor or no thread to spare.
        """
        with self._lock:
            if directory not in self._looks:
                if self._watches is None:
                    self._watches = Watches(self._begin())
                self._looks[directory] = {}
                self._watches.add((directory, ""))
            self._n_open[directory] += 1

    def close(self, directory: Path) -> None:
        """Follow none of them any more; after the last directory the thread ends."""
        with self._lock:
            self._n_open[directory] -= 1
            if self._n_open[directory] > 0:
                return
            del self._looks[directory], self._n_open[directory]
            if self._watches is None:
                return
            self._watches.discard_directory(directory)
            if not self._looks:
                self._watches.changes.wake()
                self._watches = None

    def follow(self, directory: Path, name: str, look: Look, *, always: bool = False) -> None:
        """Call `look` when this file changes, and now and then when it exists.

        Args:
            directory: one that is open.
            name: the file, which may not exist yet.
            look: called by the following thread alone, one call at a time; it must not raise.
            always: call it once now, and now and then also when the file does not exist.
        """
        with self._lock:
            was_idle = not any(self._looks.values())
            self._looks.setdefault(directory, {}).setdefault(name, []).append(look)
            if always:
                self._always.add((directory, name))
            watches = self._watches
            if watches is not None:
                watches.add((directory, name))
        if (always or was_idle) and watches is not None:
            watches.changes.wake()

    def look_again(self) -> None:
        """Look at everything that is followed, soon, on the following thread."""
        with self._lock:
            watches = self._watches
        if watches is not None:
            watches.changes.wake()

    def is_following_thread(self) -> bool:
        """Whether the caller is called by it, perhaps as somebody's observer."""
        return threading.current_thread() is self._thread

    def unfollow(self, directory: Path, name: str, look: Look) -> None:
        """Do not call it any more; one call may be under way. Idempotent."""
        with self._lock:
            looks = self._looks.get(directory, {})
            # By equality, since a bound method is a new object each time.
            left = [other for other in looks.get(name, ()) if other != look]
            if left:
                looks[name] = left
            else:
                looks.pop(name, None)
                self._always.discard((directory, name))
                if self._watches is not None:
                    self._watches.discard((directory, name))

    def _begin(self) -> Changes:
        changes = Changes()
        thread = threading.Thread(target=self._run, args=(changes,), name="workqueue-follower", daemon=True)
        try:
            thread.start()
        except BaseException:
            changes.close()
            raise
        self._thread = thread
        return changes

    def _run(self, changes: Changes) -> None:
        soon: list[_Soon] = []
        next_look = 0.0
        try:
            while self._is_wanted(changes):
                told = changes.wait(self._seconds(soon, next_look))
                now = time.monotonic()
                if now >= next_look or any(change.number == LOST for change in told):
                    next_look = now + changes.look_seconds
                    self._look_at_all()
                soon = self._look_at_changed(told, soon, now)
        finally:
            changes.close()

    def _is_wanted(self, changes: Changes) -> bool:
        with self._lock:
            return self._watches is not None and self._watches.changes is changes

    def _seconds(self, soon: list["_Soon"], next_look: float) -> float | None:
        times = [entry.at for entry in soon]
        with self._lock:
            if any(self._looks.values()):
                times.append(next_look)
        return min(times) - time.monotonic() if times else None

    def _look_at_changed(self, told: list[Change], soon: list["_Soon"], now: float) -> list["_Soon"]:
        """Look at what has changed, and at what is due; return what is due later."""
        changed = self._changed(told)
        due = {entry.file for entry in soon if entry.at <= now}
        for file in {*changed, *due}:
            self._look(file)
        later = [entry for entry in soon if entry.at > now]
        for file, is_closed in changed.items():
            if is_closed and self._find(file):
                later += [_Soon(now + seconds, file) for seconds in _LOOKS_AFTER_CLOSE]
        return later

    def _changed(self, told: list[Change]) -> dict[File, bool]:
        """The files that are followed and of which there is news; and whether they were closed."""
        changed: dict[File, bool] = {}
        with self._lock:
            watches = self._watches
            if watches is None:
                return changed
            for change in told:
                file = watches.file_of(change)
                if file is None or file[1] not in self._looks.get(file[0], {}):
                    continue
                if change.name:  # it has come; to be watched before it is looked at, so that nothing falls in between
                    watches.add(file)
                changed[file] = changed.get(file, False) or change.is_closed
        return changed

    def _look_at_all(self) -> None:
        with self._lock:
            always = list(self._always)
            directories = [directory for directory, looks in self._looks.items() if looks]
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
            if file[1] not in self._looks.get(file[0], {}):
                return
            if self._watches is not None:
                self._watches.add(file)
        self._look(file)

    def _find(self, file: File) -> list[Look]:
        directory, name = file
        with self._lock:
            return list(self._looks.get(directory, {}).get(name, ()))

    def _look(self, file: File) -> None:
        for look in self._find(file):
            try:
                look()
            except Exception:
                logger.exception("exception in workqueue")


def _reset_in_child() -> None:
    global follower  # noqa: PLW0603 - the one of this process, which a forked child is not
    follower = Follower()


#: The one of this process: inotify has few instances to give, and a thread for each queue would buy nothing.
follower = Follower()
forks.renew_in_child(_reset_in_child)
