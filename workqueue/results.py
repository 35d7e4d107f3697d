"""1 results: parameters -> the result that is there for them, for whoever reads, sends or removes it."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

from workqueue.naming import Key, Naming
from workqueue.params import Params, check_params, server_identity
from workqueue.system import forks

if TYPE_CHECKING:
    from pathlib import Path

    from workqueue.storage.base import OpenResult, ResultInfo, Storage


class Results:
    """The part of a `WorkQueue` that builds nothing. Callable from any thread.

    Args:
        naming: how they are named.
        storage: where they are.
        allowed_servers: the only servers of an OverviewViewParams; None: any.

    Raises:
        TypeError: `allowed_servers` is one URL.
        ValueError: one of them is no http(s) URL.
    """

    def __init__(self, naming: Naming, storage: "Storage", allowed_servers: Collection[str] | None) -> None:
        if isinstance(allowed_servers, str):
            raise TypeError("allowed_servers must be a collection of URLs, not one URL")
        for server in allowed_servers or ():
            server_identity(server)
        self._naming = naming
        self._storage = storage
        self._allowed_servers = None if allowed_servers is None else tuple(allowed_servers)

    @property
    def name(self) -> str:
        """Whose results these are, beside those of other programs in the same storage."""
        return self._naming.name

    @property
    def version(self) -> str:
        """Which results of that program."""
        return self._naming.version

    @property
    def key(self) -> Key | None:
        """Chooses the fields that make a result, as the queue was given it; None: all fields do."""
        return self._naming.fields

    def key_for_params(self, params: Params) -> str:
        """The name under which the result for these parameters is kept: 40 hexadecimal digits.

        Raises:
            InvalidParams: these can never run.
        """
        self.check_params(params)
        return self._naming.key(params)

    def check_params(self, params: Params) -> None:
        """Refuse what `ensure_run` would refuse, and do nothing else.

        Raises:
            InvalidParams: these can never run.
        """
        check_params(params, self._allowed_servers)

    def destination_path_for_params(self, params: Params) -> "Path":
        """Where the finished file for these parameters lies, or will lie; read-only, never written to again.

        Of a storage that evicts results, `open_result` is the way to read one.

        Raises:
            InvalidParams: these can never run.
            TypeError: the storage keeps no files of this host; `open_result` reads from it.
        """
        from workqueue.storage.disk import DiskStorage  # noqa: PLC0415 - an import of the package goes without

        self.check_params(params)
        if not isinstance(self._storage, DiskStorage):
            raise TypeError("results of this storage are no files of this host; read one with open_result(params)")
        return self._storage.path(self._naming.key(params))

    def open_result(self, params: Params) -> "AbstractContextManager[Path]":
        """The finished file for these parameters, as a path of this host, for as long as the context lasts.

        ::

            with queue.open_result(params) as path:
                ...

        No eviction takes it away meanwhile, and nobody writes to it. From a bucket it is downloaded, once for all
        processes of the host, unless there is a copy of it. One that is not fresh any more is given, too, for as long
        as it is there.

        Raises:
            InvalidParams: these can never run.
            ResultNotFound: on entering: there is no result; `ensure_run` builds it.
            StorageError: on entering: it cannot be had; the text says why.
        """
        forks.check()
        self.check_params(params)
        return self._storage.open(self._naming.key(params))

    def open_with_info(self, params: Params) -> "AbstractContextManager[OpenResult]":
        """As `open_result`, with what is known of the result that is open, such as its ETag.

        ::

            with queue.open_with_info(params) as (path, info):
                ...

        Raises:
            InvalidParams: these can never run.
            ResultNotFound: on entering: there is no result; `ensure_run` builds it.
            StorageError: on entering: it cannot be had; the text says why.
        """
        forks.check()
        self.check_params(params)
        return self._storage.open_with_info(self._naming.key(params))

    def result_info(self, params: Params) -> "ResultInfo | None":
        """What is known of the result for these parameters: its size, when it was published, and more; None without.

        It counts as no use of it. One that is not fresh any more is told of, too, for as long as it is there.

        Raises:
            InvalidParams: these can never run.
            StorageError: nobody can tell; the text says why.
        """
        forks.check()
        self.check_params(params)
        return self._storage.info(self._naming.key(params))

    @property
    def signs_urls(self) -> bool:
        """Whether the results are in a storage that can send clients to itself: see `signed_url`."""
        from workqueue.storage.signing import SigningStorage  # noqa: PLC0415 - an import of the package goes without

        return isinstance(self._storage, SigningStorage)

    def signed_url(self, params: Params, seconds: float, method: Literal["GET", "HEAD"] = "GET") -> str:
        """A URL at which whoever has it may fetch the result from the bucket, without asking this server.

        Whether there is a result is not looked at.

        Args:
            params: which.
            seconds: for how long it may be asked.
            method: with which method.

        Raises:
            InvalidParams: these can never run.
            StorageError: the credentials do not sign; the text says why.
            TypeError: the storage is no bucket.
        """
        forks.check()
        from workqueue.storage.signing import SigningStorage  # noqa: PLC0415 - an import of the package goes without

        if not isinstance(self._storage, SigningStorage):
            raise TypeError("results of this storage have no URLs; give the queue an ObjectStorage")
        return self._storage.signed_url(self.key_for_params(params), seconds, method)
