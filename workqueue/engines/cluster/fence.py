"""4 cluster fence: a storage that takes a result from whoever still has the run, and from nobody else.

A worker that stood still and goes on would put an older result in place of a newer one. So before it publishes, on the
program's thread, the log's leader is asked whose the run is.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workqueue.errors import StorageError
from workqueue.storage.base import Form, Origin, Storage, Workspace


class FencedStorage:
    """A `Storage`; all of it but `workspace` is the other's.

    Args:
        storage: where results go.
        is_ours: asked before each publication; it may wait for the network.
    """

    def __init__(self, storage: Storage, is_ours: Callable[[], bool]) -> None:
        self._storage = storage
        self._is_ours = is_ours

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    @contextlib.contextmanager
    def workspace(self, key: str, suffix: str = "", form: Form = "file") -> Iterator[Workspace]:
        """See `Storage`."""
        with self._storage.workspace(key, suffix, form) as workspace:
            yield _FencedWorkspace(workspace, self._is_ours)


class _FencedWorkspace:
    def __init__(self, workspace: Workspace, is_ours: Callable[[], bool]) -> None:
        self._workspace = workspace
        self._is_ours = is_ours

    @property
    def output(self) -> Path:
        return self._workspace.output

    @property
    def directory(self) -> Path:
        return self._workspace.directory

    def publish(self, origin: Origin = Origin()) -> None:  # noqa: B008 - a tuple never changes
        if not self._is_ours():
            raise StorageError("Another worker makes this result by now")
        self._workspace.publish(origin)
