"""1 and 5 storage: what a job needs of the place where results are kept.

A storage is plain data that can travel to where a job runs: constructing it does no I/O. Each result has one name, its
key. A result is either there, whole, or not there: nothing that fails half-way can be seen under its key.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Workspace(Protocol):
    """A private place for one run of one key. Used by one thread."""

    @property
    def output(self) -> Path:
        """An existing empty file on this host, for the program to overwrite."""
        ...

    @property
    def directory(self) -> Path:
        """Where it is, on this host: to be removed by whoever cleans up after this process, should it be killed."""
        ...

    def publish(self) -> None:
        """Make the output the result of its key, atomically and durably, in place of an earlier one.

        Raises:
            OutputError: the program left nothing that can be a result.
            StorageError: the storage cannot take it.
        """
        ...


class Storage(Protocol):
    """Where results are kept, by key. Callable from any thread and any number of processes."""

    def has(self, key: str) -> bool:
        """Whether the result of this key is there. A storage that cannot tell says no: the run will say why."""
        ...

    def workspace(self, key: str) -> AbstractContextManager[Workspace]:
        """A private place for one run; nothing of it is left when the context ends.

        Raises:
            StorageError: on entering, when there can be no such place; the text says what to mend.
        """
        ...

    def sweep(self) -> None:
        """Remove what runs of dead processes left behind, and nothing else. It never raises."""
        ...
