"""1 and 5 copies: a version of a result -> a file of this host that has it, fetched once for all its processes.

``<directory>/cache/<ab>/<key>.<version>``, where the key begins with "ab". A version is never changed, so a copy is
either there, whole, or not there. Who fetches one holds the lock ``cache/.<key>.fetch``, and who comes meanwhile waits
for it; the kernel frees it with the process. Callable from any thread and any number of processes.
"""

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError, reason_of
from workqueue.storage.afterwards import afterwards
from workqueue.storage.base import Form, StoredResult
from workqueue.storage.eviction import GRACE_SECONDS, Policy, turn
from workqueue.storage.files import Files
from workqueue.storage.output import place
from workqueue.storage.runs import Runs
from workqueue.storage.tree_output import OutputTree, owned_tree
from workqueue.system.locks import exclusive
from workqueue.system.own_files import make_directory

logger = logging.getLogger("workqueue")

_COPY: Final = re.compile(r"([0-9a-f]{40})\.[0-9a-f]{16}")

# By how much of the key: with one directory for all, each fetch would look through all copies for other versions.
_SHARD_LENGTH: Final = 2
_SHARD: Final = re.compile(f"[0-9a-f]{{{_SHARD_LENGTH}}}")


class Copies:
    """The copies of one storage.

    Args:
        directory: the storage's, on this host.
        max_bytes: what the copies may take together; None: any number.
        mode: the permissions of a copy.

    Raises:
        ValueError: for a `max_bytes` that cannot be.
    """

    def __init__(self, directory: Path, max_bytes: int | None, mode: int) -> None:
        self._cache = directory / "cache"
        self._policy = Policy(max_bytes=max_bytes)
        self._runs = Runs(directory / ".tmp")
        self._mode = mode

    @contextlib.contextmanager
    def hold(self, key: str, version: str, fetch: Callable[[Path], bool], form: Form = "file") -> Iterator[Path | None]:
        """The copy, which is not evicted for as long as the context lasts; None when there is no such version.

        Args:
            key: the result's.
            version: which.
            fetch: makes the file or directory of this name, and returns whether there is such a version; called only
                if there is no copy.
            form: what it is.

        Raises:
            StorageError: on entering, when this host cannot take it; or what `fetch` raises.
        """
        name = f"{key}.{version}"
        with contextlib.ExitStack() as stack:
            try:
                path = self._hold(stack, key, name)
                while path is None and self._fetch(key, name, fetch, form):
                    path = self._hold(stack, key, name)
            except OSError as err:
                raise StorageError(f"Cannot keep a copy of the result in {self._cache}: {reason_of(err)}") from err
            yield path

    def keep(self, key: str, version: str, fd: int, path: Path) -> None:
        """Make a file a copy, in place of fetching it; it never raises. What cannot be kept is fetched when it is read.

        Args:
            key: the result's.
            version: which.
            fd: the file, open.
            path: its name, in the same file system; it loses it.
        """
        try:
            files = self._made_files(key)
            place(fd, path, files.path(f"{key}.{version}"), self._mode, is_to_last=False)
        except OSError as err:
            logger.warning("cannot keep a copy of a result: %s", err, extra={"key": key})
        else:
            self._remove_others(key, f"{key}.{version}")
            afterwards(self._evict_if_due)

    def keep_tree(self, key: str, version: str, output: OutputTree) -> None:
        """As `keep`, for a directory."""
        try:
            self._made_files(key).publish_tree(f"{key}.{version}", output, is_to_last=False)
        except OSError as err:
            logger.warning("cannot keep a copy of a result: %s", err, extra={"key": key})
        else:
            self._remove_others(key, f"{key}.{version}")
            afterwards(self._evict_if_due)

    def touch(self, key: str, version: str) -> None:
        """Note that the copy is wanted, if there is one."""
        self._files(key).touch(f"{key}.{version}")

    def delete(self, key: str) -> None:
        """Remove all copies of the key; who has one open may read it to its end. It never raises."""
        files = self._files(key)
        for name in self._names(key):
            with contextlib.suppress(OSError):
                files.take(name)

    def results(self) -> Iterator[StoredResult]:
        """All copies that are there, by the keys that they are of.

        Raises:
            OSError: the directory cannot be read.
        """
        return (copy for _, _, copy in self._entries())

    def sweep(self) -> None:
        """Remove what is left of directories that nobody wants any more; it never raises."""
        with contextlib.suppress(OSError):
            for files in self._shards():
                files.remove_dead_trees()

    def evict(self, gap: float = 0.0) -> None:
        """Remove what is too much, unless it was done less than `gap` seconds ago.

        Raises:
            OSError: it cannot be removed.
        """
        if self._policy.keeps_all:
            return
        with turn(self._cache / ".evict", gap) as is_mine:
            if is_mine:
                places = {copy: (files, name) for files, name, copy in self._entries()}

                def remove(copy: StoredResult) -> bool:
                    files, name = places[copy]
                    return files.remove(name, seen=copy)

                self._policy.evict(places, remove)
                for files in self._shards():
                    files.remove_strays()

    def _files(self, key: str) -> Files:
        """The copies of this key, among others."""
        return Files(self._cache / key[:_SHARD_LENGTH], _COPY)

    def _made_files(self, key: str) -> Files:
        """The same, where copies can be put."""
        files = self._files(key)
        for directory in (self._cache, files.directory):  # each, since `mode` is not for parents
            make_directory(directory)
        return files

    def _entries(self) -> Iterator[tuple[Files, str, StoredResult]]:
        """All copies, each with its place and its name there."""
        for files in self._shards():
            for name, copy in files.entries():
                yield files, name, copy

    def _shards(self) -> list[Files]:
        try:
            shards = os.listdir(self._cache)  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return []
        return [Files(self._cache / shard, _COPY) for shard in filter(_SHARD.fullmatch, shards)]

    def _hold(self, stack: contextlib.ExitStack, key: str, name: str) -> Path | None:
        try:
            return stack.enter_context(self._files(key).hold(name))
        except FileNotFoundError:
            return None

    def _fetch(self, key: str, name: str, fetch: Callable[[Path], bool], form: Form) -> bool:
        files = self._made_files(key)
        with exclusive(self._cache / f".{key}.fetch"):
            if files.status(name) is not None:
                return True  # somebody else has fetched it meanwhile
            with self._runs.private(key) as directory:
                path = directory / "copy"
                if not fetch(path):
                    return False
                if form == "directory":
                    with owned_tree(path, self._mode, is_to_last=False) as owned:
                        files.publish_tree(name, owned, is_to_last=False)
                else:
                    with path.open("rb") as file:
                        place(file.fileno(), path, files.path(name), self._mode, is_to_last=False)
        self._remove_others(key, name)
        afterwards(self._evict_if_due)
        return True

    def _remove_others(self, key: str, name: str) -> None:
        """Remove the other versions, but for what is open.

        Nobody asks for them, but a process of this host that has not noticed: it does, once there is no copy.
        """
        files = self._files(key)
        for other in self._names(key):
            if other != name:
                with contextlib.suppress(OSError):
                    files.remove(other)

    def _names(self, key: str) -> list[str]:
        """Those of the key's copies."""
        with contextlib.suppress(OSError):
            return [name for name in self._files(key).names() if name.startswith(f"{key}.")]
        return []

    def _evict_if_due(self) -> None:
        try:
            self.evict(GRACE_SECONDS)
        except OSError as err:
            logger.warning("cannot evict copies of results: %s", err)
