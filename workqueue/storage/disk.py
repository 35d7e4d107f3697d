"""1 and 5 disk: results as files of one directory of this host, published whole or not at all.

A run works in a private directory, ``.tmp/<key>.<random>/``, in the storage's own file system: SQLite makes files
beside its database, and a rename cannot cross file systems. See `output` for how a file gets from there to its name,
`runs` for what is removed when a process dies, and `files` for what is open and what may go.
"""

import contextlib
import functools
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.errors import ResultNotFound, StorageError, reason_of
from workqueue.storage.afterwards import afterwards
from workqueue.storage.base import Form, OpenResult, Origin, ResultInfo, StoredResult
from workqueue.storage.beside import Beside
from workqueue.storage.details import Details, known_of
from workqueue.storage.eviction import GRACE_SECONDS, Policy, turn
from workqueue.storage.files import Files
from workqueue.storage.found import Found, Held
from workqueue.storage.identity import identity_of
from workqueue.storage.output import owned_output, place
from workqueue.storage.pins import pinned, remove_dead_pins
from workqueue.storage.runs import Runs
from workqueue.storage.tree_output import owned_tree
from workqueue.storage.workspace import RunWorkspace, make_workspace
from workqueue.system.locks import is_file_of

logger = logging.getLogger("workqueue")

#: What a key looks like; see `workqueue.naming`. What has another name is not ours to remove.
KEY: Final = re.compile("([0-9a-f]{40})")


class DiskStorage:
    """Results as files ``<directory>/<key>``. Plain data, that can be pickled: constructing it touches nothing.

    Args:
        directory: made, with its parents, when the first run needs it.
        mode: the permissions of a published file.
        ttl: seconds for which a result is fresh; then it is built again for who asks, and is evicted. None: for ever.
        max_bytes: what all results may take together; those used least recently are evicted. None: any number.

    What is open is not evicted, nor is what was asked for, opened or published in the last minute.

    Raises:
        ValueError: for numbers that cannot be.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        mode: int = 0o400,
        *,
        ttl: float | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self._directory = Path(directory).absolute()
        self.mode = mode
        self._policy = Policy(ttl, max_bytes)
        self._pins = self._directory / ".open"
        self._details = Beside(self._directory / ".info")
        self._files = Files(self._directory, KEY, self._details)
        self._runs = Runs(self._directory / ".tmp")

    def __repr__(self) -> str:
        return f"DiskStorage({str(self._directory)!r})"

    @property
    def directory(self) -> Path:
        """See `Storage`: where the results are, too."""
        return self._directory

    @property
    def identity(self) -> str:
        """See `Storage`: what lies in the directory, in ``.identity``."""
        return identity_of(self._directory)

    def path(self, key: str) -> Path:
        """Where the result of this key lies once it is built."""
        return self._directory / key

    def address(self, key: str) -> str:
        """See `Storage`: its path."""
        return str(self.path(key))

    def has(self, key: str) -> bool:
        """See `Storage`."""
        status = self._files.status(key)
        if status is None or not self._policy.is_fresh(status.st_mtime):
            return False
        if not self._policy.keeps_all:
            self._files.touch(key)
        return True

    @contextlib.contextmanager
    def workspace(self, key: str, suffix: str = "", form: Form = "file") -> Iterator[RunWorkspace]:
        """See `Storage`."""
        with self._runs.private(key) as directory:
            publish = self.publish_tree if form == "directory" else self.publish
            yield make_workspace(directory, suffix, form, functools.partial(publish, key))

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[Path]:
        """See `Storage`."""
        with contextlib.ExitStack() as stack:
            yield self._open(stack, key).path

    @contextlib.contextmanager
    def open_with_info(self, key: str) -> Iterator[OpenResult]:
        """See `Storage`."""
        while True:
            with contextlib.ExitStack() as stack:
                held = self._open(stack, key)
                path = held.path
                if held.tree is None:
                    path = stack.enter_context(pinned(held.fd, path, self._pins))
                    if path == held.path and not is_file_of(held.fd, path):
                        continue  # replaced between the look and the link
                yield OpenResult(path, self._info(key, held.found()))
                return

    def info(self, key: str) -> ResultInfo | None:
        """See `Storage`."""
        found = self._files.find(key)
        return None if found is None else self._info(key, found)

    def delete(self, key: str) -> bool:
        """See `Storage`."""
        try:
            self._files.take(key)
        except FileNotFoundError:
            return False
        except OSError as err:
            raise StorageError(f"Cannot remove the result {self.path(key)}: {reason_of(err)}") from err
        return True

    def results(self) -> Iterator[StoredResult]:
        """See `Storage`."""
        try:
            for _, result in self._files.entries():
                yield result
        except OSError as err:
            raise StorageError(f"Cannot list the results in {self.directory}: {reason_of(err)}") from err

    def evict(self) -> list[StoredResult]:
        """See `Storage`."""
        if self._policy.keeps_all:
            # Else what is left beside results that have gone would never go.
            with contextlib.suppress(OSError):
                self._files.remove_strays()
        return self._evict()

    def publish(self, key: str, output: Path, origin: Origin = Origin()) -> None:  # noqa: B008 - see `Workspace`
        """Make what a program left the result of this key; see `Workspace.publish`."""
        destination = self.path(key)
        with owned_output(output) as owned:
            try:
                with self._files.replacing(key):
                    found = Found(place(owned.fd, owned.path, destination, self.mode), None)
                    self._details.write(key, found.etag, Details(origin))
            except OSError as err:
                raise StorageError(f"Cannot store the result in {destination}: {reason_of(err)}") from err
        afterwards(self._evict_if_due)

    def publish_tree(self, key: str, output: Path, origin: Origin = Origin()) -> None:  # noqa: B008 - see `Workspace`
        """Make the directory that a program left the result of this key; see `Workspace.publish`."""
        with owned_tree(output, self.mode, is_to_last=True) as owned:
            try:
                found = self._files.publish_tree(key, owned)
                self._details.write(key, found.etag, Details(origin))
            except OSError as err:
                raise StorageError(f"Cannot store the result in {self.path(key)}: {reason_of(err)}") from err
        afterwards(self._evict_if_due)

    def sweep(self) -> None:
        """See `Storage`."""
        self._runs.sweep()
        self._files.remove_dead_trees()
        remove_dead_pins(self._pins)

    def _evict_if_due(self) -> None:
        try:
            self._evict(GRACE_SECONDS)
        except StorageError as err:
            logger.warning("%s", err)

    def _open(self, stack: contextlib.ExitStack, key: str) -> Held:
        try:
            return stack.enter_context(self._files.held(key))
        except FileNotFoundError:
            raise ResultNotFound("there is no such result; it was not built, or is not kept any more") from None
        except OSError as err:
            raise StorageError(f"Cannot open the result {self.path(key)}: {reason_of(err)}") from err

    def _info(self, key: str, found: Found) -> ResultInfo:
        etag = found.etag
        form: Form = "file" if found.tree is None else "directory"
        details = Details(self._details.read(key, etag).origin, form)
        return known_of(key, details, found.size, etag, found.status.st_mtime)

    def _evict(self, gap: float = 0.0) -> list[StoredResult]:
        if self._policy.keeps_all or not os.path.isdir(self.directory):  # noqa: PTH112 - it raises for a long name
            return []
        try:
            with turn(self.directory / ".evict", gap) as is_mine:
                if not is_mine:
                    return []
                removed = self._policy.evict(self.results(), self._remove)
                self._files.remove_strays()
                return removed
        except OSError as err:
            raise StorageError(f"Cannot evict results from {self.directory}: {reason_of(err)}") from err

    def _remove(self, result: StoredResult) -> bool:
        return self._files.remove(result.key, seen=result)
