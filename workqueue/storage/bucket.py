"""1 and 5 bucket: the objects directly below one URL, through obstore.

Callable from any thread, and from greenlets, which go on while a request is under way; see `real_threads`. obstore has
one runtime for a whole process, and a child forked after its first use would wait for that for ever, so there it is
refused.
"""

import contextlib
import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import IO, Any, Final, Literal

from workqueue.errors import StorageError
from workqueue.extras import Extra
from workqueue.storage.details import Details
from workqueue.storage.endpoint import ENDPOINT_OPTIONS, allow_http, named_endpoint, scheme_of
from workqueue.storage.explain import (
    explained,
    says_it_is_another,
    says_it_is_archived,
    says_no_reason,
    says_no_version,
)
from workqueue.storage.meta import Meta, attributes_of, meta_of
from workqueue.system.real_threads import in_real_thread

with Extra("s3", "a bucket"):
    import obstore
    from obstore.exceptions import BaseError, PreconditionError
    from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store, from_url

#: A part of an upload; S3's least is 5 MiB, and 10,000 its most parts.
_PART_BYTES: Final = 8 * 1024 * 1024
_MAX_PARTS: Final = 10_000

#: Parts on their way at once; together they are what an upload holds in memory.
_PARTS_AT_ONCE: Final = 4

#: What a download holds in memory at least.
_CHUNK_BYTES: Final = 1024 * 1024

#: A question is asked while a request waits, so it gives up soon. Results take minutes to build, so their transfer
#: outlasts a service that is started again. obstore's own are 10 retries in 3 minutes, for both.
_ASKING: Final[dict[str, Any]] = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
_MOVING: Final[dict[str, Any]] = {
    "max_retries": 1000,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"max_backoff": timedelta(seconds=5)},
}

#: A request is waited for as long: an answer no longer than all of them may take, and all the parts that are on their
#: way at once for as long as a slow line needs, 2 Mbit/s.
_CLIENT: Final[dict[str, Any]] = {"connect_timeout": "5s", "timeout": "120s"}
_ASKING_CLIENT: Final[dict[str, Any]] = {**_CLIENT, "timeout": "10s"}

#: The process that has used obstore first, of this one and those that it was forked off; 0: none.
_user = 0


class Replaced(Exception):
    """What was asked for is gone, or another one has its name.

    Attributes:
        found: what has its name, where an answer said so.
    """

    def __init__(self, found: Meta | None = None) -> None:
        super().__init__()
        self.found = found


class Archived(Exception):
    """What was asked for is there, where nobody can read it until somebody has it brought back, which takes hours."""


class Bucket:
    """The objects directly below one URL.

    Args:
        url: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.
        endpoint: where the service is; None: the provider's own, or what the environment says.
        config: options of the provider, by obstore's names; those that are not given come from the environment.
        client_options: options of the HTTP client, by obstore's names.
        credential_provider: called for credentials, in place of `config` and the environment.

    Raises:
        ValueError: for a URL that is none of these.
    """

    def __init__(
        self,
        url: str,
        endpoint: str | None,
        config: Mapping[str, Any],
        client_options: Mapping[str, Any],
        credential_provider: Callable[[], Any] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        scheme = scheme_of(url)
        named = named_endpoint(endpoint, config)
        self._options: dict[str, Any] = {
            "config": {**config, **({} if endpoint is None else {ENDPOINT_OPTIONS[scheme]: endpoint})},
            "credential_provider": credential_provider,
        }
        self._client_options = {**allow_http(named), **client_options}
        self._lock = threading.Lock()  # guards _stores; to make one is no I/O
        self._stores: dict[str, ObjectStore] = {}

    def check(self, name: str = "the bucket") -> None:
        """Look whether there is such a bucket, and whether it takes our credentials.

        Args:
            name: what to call it in an error. Clients may see one; the URL is the operator's.

        Raises:
            StorageError: with what is wrong, and what to do.
        """
        store = self._asking()
        with _mapped(f"use {name}"):
            _look(store)

    def head(self, name: str) -> Meta | None:
        """What is known of an object; None without one.

        Raises:
            StorageError: nobody can tell.
        """
        store = self._asking()
        with _mapped("look for the result"):
            try:
                # Not obstore.head, which tells nothing of an object's metadata. The request is the same.
                found = in_real_thread(lambda: obstore.get(store, name, options={"head": True}))
            except FileNotFoundError:
                return None
            except BaseError as err:
                if says_no_reason(str(err)):
                    _look(store)  # raises what says more: the answer to HEAD has no text
                raise
            return meta_of(found.meta, found.attributes)

    def objects(self) -> Iterator[tuple[str, Meta]]:
        """The names of all objects, and what is known of each.

        Raises:
            StorageError: they cannot be listed.
        """
        store = self._asking()
        with _mapped("list the results"):
            pages = iter(obstore.list(store))
            while (page := in_real_thread(lambda: next(pages, None))) is not None:
                for found in page:
                    yield found["path"], meta_of(found)

    def upload(self, name: str, file: IO[bytes] | Iterator[bytes], size: int, details: Details) -> Meta:
        """Put a file or a stream there, in one step: until its last byte has arrived nobody sees anything of it.

        Args:
            name: the object's, which is replaced if there is one.
            file: open for reading, at its beginning; or its bytes in pieces, and what they raise is raised.
            size: its length in bytes; of a stream, at least that.
            details: what to keep with it.

        Returns:
            What is known of it now.

        Raises:
            StorageError: it may not be there. Parts of it may be, unseen, until the bucket has them expire.
        """
        part = max(_PART_BYTES, -(-size // _MAX_PARTS))
        if size <= part and not hasattr(file, "read"):
            # In one request, as a file of that length: of two uploads in parts to one name Azure refuses one.
            file = io.BytesIO(b"".join(file))
        store = self._moving()

        def put() -> "obstore.PutResult":
            return obstore.put(
                store,
                name,
                file,
                attributes=attributes_of(details),
                chunk_size=part,
                max_concurrency=_PARTS_AT_ONCE,
            )

        with _mapped("store the result"):
            try:
                e_tag = in_real_thread(put)["e_tag"]
            except BaseError as err:
                # To obstore that is an error, though all may be in its place.
                if says_no_version(str(err)) and (there := self._published(name, details)) is not None:
                    return there
                raise
        return Meta(size, time.time(), e_tag, details)

    def download(self, name: str, meta: Meta) -> Iterator[bytes]:
        """This version of an object, in pieces, whole unless it raises. They are to be fetched in a real thread.

        A service that takes no If-Match, not even with what it named itself, is asked without: the answer names the
        version that it has.

        Raises:
            Replaced: the object is gone, or another one.
            Archived: it is there, and cannot be read.
            StorageError: it cannot be had.
        """
        return self._pieces(self._moving(), name, meta)

    def _pieces(self, store: ObjectStore, name: str, meta: Meta) -> Iterator[bytes]:
        size = 0
        with _mapped("fetch the result"):
            try:
                got = _got(store, name, meta.if_match)
                found = meta_of(got.meta, got.attributes)
                if found.version != meta.version:
                    raise Replaced(found)
                for chunk in got.stream(min_chunk_size=_CHUNK_BYTES):
                    size += len(chunk)
                    yield bytes(chunk)
            except FileNotFoundError:
                raise Replaced from None
            except BaseError as err:
                if says_it_is_archived(str(err)):
                    raise Archived from None
                # A connection that broke is taken up again by another request, whose refusal has no class of its own.
                if says_it_is_another(str(err)):
                    raise Replaced from None
                raise
        if size != meta.size:
            raise Replaced

    def signed_url(self, name: str, seconds: float, method: Literal["GET", "HEAD"]) -> str:
        """A URL at which an object may be had for so long, by whoever has it.

        Raises:
            StorageError: the credentials do not sign.
        """
        store = self._asking()
        with _mapped("sign a URL of the result"):
            if not isinstance(store, S3Store | GCSStore | AzureStore):
                raise StorageError(f"Cannot sign a URL of {self.url}: only S3, GCS and Azure do")
            # What Azure signs is the right to read, which is GET's; that of HEAD would be none at all.
            verb = "GET" if isinstance(store, AzureStore) else method
            # Without a key of one's own it is the provider that signs, or that lends one.
            return in_real_thread(lambda: obstore.sign(store, verb, name, timedelta(seconds=seconds)))

    def delete(self, name: str) -> None:
        """Remove an object; nothing happens without one.

        Raises:
            StorageError: it may still be there.
        """
        store = self._asking()
        with _mapped("remove the result"), contextlib.suppress(FileNotFoundError):
            in_real_thread(lambda: obstore.delete(store, name))

    def refuse_after_fork(self) -> None:
        """Do nothing, but in a process whose requests would wait for ever; all that makes one does this first.

        Raises:
            StorageError: it was forked off one that had used a bucket.
        """
        global _user  # noqa: PLW0603 - the runtime is the process's, too
        _user = _user or os.getpid()
        if _user != os.getpid():
            raise StorageError(
                "Cannot use the bucket: this process was forked off one that had used a bucket already, and its"
                " requests would wait for ever. Make the storage after the fork (with gunicorn, without --preload), or"
                " make it with probe=False and use it only after the fork"
            )

    def _published(self, name: str, details: Details) -> Meta | None:
        """What is there, if it is of this publication."""
        there = self.head(name)
        is_ours = there is not None and there.details.publication == details.publication is not None
        return there if is_ours else None

    def _asking(self) -> ObjectStore:
        return self._store("asking", _ASKING, _ASKING_CLIENT)

    def _moving(self) -> ObjectStore:
        return self._store("moving", _MOVING, _CLIENT)

    def _store(self, name: str, retry_config: dict[str, Any], client: dict[str, Any]) -> ObjectStore:
        self.refuse_after_fork()
        with self._lock:
            if name not in self._stores:
                # The types of obstore tell the providers' options apart; here it is the user who knows which it is.
                client_options = {**client, **self._client_options}
                more: dict[str, Any] = {"retry_config": retry_config, "client_options": client_options}
                self._stores[name] = from_url(self.url, **self._options, **more)
            return self._stores[name]


def _look(store: ObjectStore) -> None:
    # Of what is not there: the answer is as telling as one that lists a thousand objects.
    in_real_thread(lambda: next(iter(obstore.list(store, prefix="looks-whether-it-may-look")), None))


def _got(store: ObjectStore, name: str, if_match: str | None) -> "obstore.GetResult":
    if if_match is not None:
        with contextlib.suppress(PreconditionError):
            return obstore.get(store, name, options={"if_match": if_match})
    return obstore.get(store, name)


@contextlib.contextmanager
def _mapped(doing: str) -> Iterator[None]:
    """Raise what obstore raises as a StorageError."""
    try:
        yield
    except (BaseError, FileNotFoundError) as err:
        raise StorageError(f"Cannot {doing}: {explained(str(err))}") from err
