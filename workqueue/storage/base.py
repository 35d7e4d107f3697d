"""1 and 5 base: what a job, and a reader of its result, need of the place where results are kept.

A storage is plain data that can travel to where a job runs. Each result has one name, its key. What all storages
promise:

* atomic: a result is either there, whole, or not there; nothing that fails half-way can be seen under its key, and
  whoever reads an earlier result of the same key reads that one to its end;
* durable: what was published outlasts a crash of this host, as far as the place itself does;
* idempotent: to publish a key twice, or to delete it twice, is to do so once; of two who publish, the later counts;
* shared: callable from any thread and any number of processes. All methods may wait for a disk or a network.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

Form = Literal["file", "directory"]
"""What a result is."""


class StoredResult(NamedTuple):
    """One result that is there."""

    key: str
    size: int
    """In bytes."""

    published_at: float
    """In seconds since the epoch."""

    used_at: float
    """When it was last asked for or opened, as far as this host knows; in seconds since the epoch."""


class Origin(NamedTuple):
    """How a result came to be, as far as whoever publishes it says so."""

    name: str | None = None
    """What the program is called."""

    version: str | None = None
    """Which results of that program."""

    seconds: float | None = None
    """How long the program ran."""

    message: str | None = None
    """What it said with its last progress, without secrets."""


class ResultInfo(NamedTuple):
    """What is known of one result that is there."""

    key: str

    form: Form

    size: int
    """In bytes; of a directory, those of its files together."""

    etag: str
    """Names this publication of the result: opaque, ASCII without quotes. The next one has another."""

    published_at: float
    """In seconds since the epoch."""

    seconds: float | None = None
    """How long the program ran; None, as below, where that is not known."""

    name: str | None = None
    """What the program is called: the `name` of its `WorkQueue`."""

    version: str | None = None
    """Which results of that program: the `version` of its `WorkQueue`."""

    message: str | None = None
    """What the program said with its last progress; a long one is cut."""


class OpenResult(NamedTuple):
    """A result that is open."""

    path: Path
    """Of this host, read-only; what is opened there later, while the context lasts, is the same all the same."""

    info: ResultInfo
    """What is known of what lies there, whatever has taken its place since."""


class Workspace(Protocol):
    """A private place for one run of one key. Used by one thread."""

    @property
    def output(self) -> Path:
        """An existing empty file, or directory, on this host: for the program to fill, or to remove and make anew."""
        ...

    @property
    def directory(self) -> Path:
        """Where it is, on this host: to be removed by whoever cleans up after this process, should it be killed."""
        ...

    def publish(self, origin: Origin = Origin()) -> None:  # noqa: B008 - a tuple never changes
        """Make the output the result of its key, in place of an earlier one.

        Args:
            origin: what to keep with it, as far as there is room: names of some hundred characters always fit.

        Raises:
            OutputError: the program left nothing that can be a result.
            StorageError: the storage cannot take it.
        """
        ...


class Storage(Protocol):
    """Where results are kept, by key; see the module for what it promises."""

    @property
    def directory(self) -> Path:
        """A directory of this host: runs have their private places in it, and processes that share it meet there."""
        ...

    @property
    def identity(self) -> str:
        """Names the place where results are: the same for all storages, on any host, that have the same results.

        No secret is in it.

        Raises:
            StorageError: nobody can tell.
        """
        ...

    def address(self, key: str) -> str:
        """Where the result is, or would be, for a person to read: a path or a URL."""
        ...

    def has(self, key: str) -> bool:
        """Whether the result of this key is there, and fresh. A storage that cannot tell says no: the run says why."""
        ...

    def workspace(self, key: str, suffix: str = "", form: Form = "file") -> AbstractContextManager[Workspace]:
        """A private place for one run; nothing of it is left when the context ends.

        Args:
            key: of what is to be published.
            suffix: how the name of the output ends, such as ``.mp4``; a published result's does not.
            form: what the output is, and the result. One of the other form that has the same key is replaced.

        Raises:
            StorageError: on entering, when there can be no such place, or its result could not be published; the text
                says what to mend.
        """
        ...

    def open(self, key: str) -> AbstractContextManager[Path]:
        """The result, a file or directory of this host, read-only; no eviction takes it away while the context lasts.

        One that is no longer fresh is given, too, for as long as it is there.

        Raises:
            ResultNotFound: on entering: it is not there.
            StorageError: on entering: it is, perhaps, and cannot be had.
        """
        ...

    def open_with_info(self, key: str) -> AbstractContextManager[OpenResult]:
        """As `open`, with what is known of the result that is open: of that one, not of what has replaced it since.

        Raises:
            ResultNotFound: on entering: it is not there.
            StorageError: on entering: it is, perhaps, and cannot be had.
        """
        ...

    def info(self, key: str) -> ResultInfo | None:
        """What is known of the result; None if it is not there. It counts as no use of it.

        Raises:
            StorageError: nobody can tell.
        """
        ...

    def delete(self, key: str) -> bool:
        """Remove the result; return whether it was there. Who has it open may read it to its end.

        Raises:
            StorageError: it cannot be removed.
        """
        ...

    def results(self) -> Iterator[StoredResult]:
        """All results that are there, in no particular order.

        Raises:
            StorageError: they cannot be listed.
        """
        ...

    def evict(self) -> list[StoredResult]:
        """Remove what the storage is to keep no longer, now; return what was removed.

        Nothing happens while another process of this host is at it. Called once a minute at most when something is
        published, by the storage itself: after the job's end was announced, where an engine runs one.

        One that cannot be removed is logged, and stays.

        Raises:
            StorageError: what is there cannot be looked at.
        """
        ...

    def sweep(self) -> None:
        """Remove what runs of dead processes left behind, and nothing else. It never raises."""
        ...
