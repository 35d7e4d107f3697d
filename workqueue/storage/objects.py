"""1 and 5 objects: results as objects of a bucket (S3, GCS, Azure), with copies on this host for who reads them.

A run works on this host's disk, and its output is uploaded in parts, which nobody sees before the last has arrived.
Results have names that are hashes of what was asked for, so of two hosts that build the same the later one's upload
counts, and nothing is lost. See `bucket` for the requests, and `copies` for the files that are read.
"""

import contextlib
import functools
import hashlib
import logging
import math
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from workqueue.errors import ResultNotFound, StorageError, reason_of
from workqueue.storage.afterwards import afterwards
from workqueue.storage.archive import DamagedArchive, archive_bytes, archived, unpack
from workqueue.storage.base import Form, OpenResult, Origin, ResultInfo, StoredResult
from workqueue.storage.bucket import Archived, Bucket, Replaced
from workqueue.storage.copies import Copies
from workqueue.storage.details import Details, known_of
from workqueue.storage.disk import KEY
from workqueue.storage.eviction import GRACE_SECONDS, Policy, turn
from workqueue.storage.known import Known
from workqueue.storage.meta import Meta
from workqueue.storage.output import owned_output
from workqueue.storage.runs import Runs
from workqueue.storage.tree_output import owned_tree
from workqueue.storage.workspace import RunWorkspace, make_workspace
from workqueue.system.real_threads import in_real_thread

logger = logging.getLogger("workqueue")

DEFAULT_CACHE_BYTES: Final = 10 * 2**30

#: How often a result may be replaced while it is being opened.
_MAX_TRIES: Final = 10

#: For how long a version that could not be read, since it was moved to an archive, is taken for one that is not there.
#: To bring it back takes hours.
_ARCHIVED_SECONDS: Final = 3600.0

#: Who ask and tell the bucket about what is to be evicted, at once. One by one, each of a thousand takes as long as it
#: takes to the bucket and back, twice. Not one request for all of them: what was built anew between the question and
#: that would be lost, and with a thousand questions that is seconds.
_EVICTING_THREADS: Final = 16

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class ObjectStorage:
    """Results as objects ``<url>/<key>``. It can be pickled, with its credentials.

    Args:
        url: ``s3://BUCKET/PREFIX``, ``gs://BUCKET/PREFIX`` or ``az://CONTAINER/PREFIX``; the prefix may be left out.
        directory: of this host: runs work in it, copies are kept in it, and the host's processes meet there; in one of
            its own for each `url` and `endpoint`. It is made when it is needed.
        endpoint: where the service is, such as ``http://localhost:8333``; None: the provider's own, or what the
            environment says.
        config: credentials and other options of the provider, by the names that obstore has for them, such as
            ``{"access_key_id": ..., "secret_access_key": ..., "region": ...}``. What is not given comes from the
            environment, or from the host's role.
        client_options: options of the HTTP client, by obstore's names.
        credential_provider: called for credentials, in place of those; see `obstore.auth`.
        ttl: seconds for which a result is fresh; then it is built again for who asks, and is evicted. None: for ever.
        max_bytes: what all results may take together; those used least recently are evicted, as far as this host
            knows: when one was published, or its copy here was used. None: any number.
        cache_bytes: what the copies on this host may take together; those used least recently are evicted. What is
            open stays, and so does what was used in the last minute. None: any number.
        revalidate: seconds for which what the bucket said of a result is believed: for so long a process may not see
            that it was replaced or removed by another. What is not there is looked for each time.
        mode: the permissions of a copy.
        probe: whether to look, now, that there is such a bucket and it takes the credentials. That is a first use.

    Raises:
        StorageError: the bucket is missing, refuses the credentials, or cannot be reached; the text says what to do.
            Also, from all methods, in a process that was forked off one that had used a bucket already: make the
            storage after the fork, or without `probe`.
        ValueError: for a URL or a number that cannot be.
    """

    def __init__(
        self,
        url: str,
        directory: str | os.PathLike[str],
        *,
        endpoint: str | None = None,
        config: Mapping[str, Any] = _NOTHING,
        client_options: Mapping[str, Any] = _NOTHING,
        credential_provider: Callable[[], Any] | None = None,
        ttl: float | None = None,
        max_bytes: int | None = None,
        cache_bytes: int | None = DEFAULT_CACHE_BYTES,
        revalidate: float = 60.0,
        mode: int = 0o400,
        probe: bool = True,
    ) -> None:
        if not 0 <= revalidate < math.inf:
            raise ValueError(f"revalidate must be a number of seconds, 0 or more; got {revalidate!r}")
        # Apart from other buckets': what lies there goes by keys, which are the same for all of them.
        self._directory = Path(directory).absolute() / _name_of(url, endpoint)
        self._bucket = Bucket(url, endpoint, config, client_options, credential_provider)
        self._policy = Policy(ttl, max_bytes)
        self._copies = Copies(self._directory, cache_bytes, mode)
        self._mode = mode
        self._runs = Runs(self._directory / ".tmp")
        self._known: Known[Meta] = Known(revalidate)
        self._archived: Known[str] = Known(_ARCHIVED_SECONDS)  # the versions; a look does not tell
        # What it takes to make it again where a job runs, which has its own reasons to look at the bucket.
        self._make_again = functools.partial(
            ObjectStorage,
            url,
            Path(directory).absolute(),
            endpoint=endpoint,
            config=dict(config),
            client_options=dict(client_options),
            credential_provider=credential_provider,
            ttl=ttl,
            max_bytes=max_bytes,
            cache_bytes=cache_bytes,
            revalidate=revalidate,
            mode=mode,
            probe=False,
        )
        if probe:
            self._bucket.check(self._bucket.url)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._make_again, ()

    def __repr__(self) -> str:
        return f"ObjectStorage({self._bucket.url!r}, {str(self._directory)!r})"

    @property
    def directory(self) -> Path:
        """See `Storage`."""
        return self._directory

    @property
    def identity(self) -> str:
        """See `Storage`: its URL. Hosts may have other names for the service."""
        return self._bucket.url

    def address(self, key: str) -> str:
        """See `Storage`: its URL."""
        return f"{self._bucket.url}/{key}"

    def has(self, key: str) -> bool:
        """See `Storage`."""
        try:
            meta = self._look(key)
            if meta is not None and not self._policy.is_fresh(meta.published_at):
                # Another may have built it anew since we looked.
                self._known.forget(key)
                meta = self._look(key)
        except StorageError as err:
            logger.warning("%s", err, extra={"key": key})
            return False
        if meta is None or not self._policy.is_fresh(meta.published_at) or self._archived.get(key) == meta.version:
            return False
        self._copies.touch(key, meta.version)
        return True

    @contextlib.contextmanager
    def workspace(self, key: str, suffix: str = "", form: Form = "file") -> Iterator[RunWorkspace]:
        """See `Storage`. Whether the bucket can be had is looked at first: a run may take hours."""
        self._bucket.check()
        with self._runs.private(key) as directory:
            publish = self.publish_tree if form == "directory" else self.publish
            yield make_workspace(directory, suffix, form, functools.partial(publish, key))

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[Path]:
        """See `Storage`."""
        with self.open_with_info(key) as opened:
            yield opened.path

    @contextlib.contextmanager
    def open_with_info(self, key: str) -> Iterator[OpenResult]:
        """See `Storage`."""
        told: Meta | None = None
        with contextlib.ExitStack() as stack:
            for _ in range(_MAX_TRIES):
                moment = self._known.moment
                meta = told or self._look(key)
                if meta is None:
                    raise ResultNotFound("there is no such result; it was not built, or is not kept any more")
                replaced_by: list[Meta] = []
                fetch = functools.partial(self._fetch, key, meta, replaced_by)
                path = stack.enter_context(self._copies.hold(key, meta.version, fetch, meta.details.form))
                if path is not None:
                    if told is not None:
                        self._known.learn(key, meta, moment)
                    yield OpenResult(path, _info(key, meta))
                    return
                # Replaced or removed since it was looked at. What the answer to the download names counts, where there
                # is one: that to a look may be older, and may stay so.
                self._known.forget(key)
                told = next(iter(replaced_by), None)
            raise StorageError("Cannot fetch the result: it is replaced again and again")

    def info(self, key: str) -> ResultInfo | None:
        """See `Storage`. What the bucket said less than `revalidate` seconds ago is believed."""
        meta = self._look(key)
        return None if meta is None else _info(key, meta)

    def publish(self, key: str, output: Path, origin: Origin = Origin()) -> None:  # noqa: B008 - see `Workspace`
        """Upload what a program left; see `Workspace.publish`."""
        details = Details(origin, publication=secrets.token_hex(8))
        with owned_output(output) as owned:
            try:
                with os.fdopen(os.dup(owned.fd), "rb") as file:
                    meta = self._bucket.upload(key, file, os.fstat(owned.fd).st_size, details)
            finally:
                self._known.forget(key)
            self._copies.keep(key, meta.version, *owned)
            self._known.learn(key, meta)
        afterwards(lambda: self._evict_if_due(key))

    def publish_tree(self, key: str, output: Path, origin: Origin = Origin()) -> None:  # noqa: B008 - see `Workspace`
        """Upload the directory that a program left, as one object; see `Workspace.publish`."""
        with owned_tree(output, self._mode, is_to_last=False) as owned:
            details = Details(origin, "directory", owned.size, secrets.token_hex(8))
            try:
                n_bytes = archive_bytes(owned.size, owned.n_entries)
                self._bucket.upload(key, archived(owned.path), n_bytes, details)
            except OSError as err:
                raise StorageError(f"Cannot read the output directory: {reason_of(err)}") from err
            finally:
                self._known.forget(key)
            meta = None
            # How long the archive is, the bucket knows. It is there, whether or not we are told.
            with contextlib.suppress(StorageError):
                meta = self._bucket.head(key)
            # Of two who publish at once, the other may have been later.
            if meta is not None and meta.details.publication == details.publication:
                self._copies.keep_tree(key, meta.version, owned)
                self._known.learn(key, meta)
        afterwards(lambda: self._evict_if_due(key))

    def delete(self, key: str) -> bool:
        """See `Storage`."""
        was_there = self._bucket.head(key) is not None
        if was_there:
            self._delete(key)
        self._known.forget(key)
        self._copies.delete(key)
        return was_there

    def signed_url(self, key: str, seconds: float, method: Literal["GET", "HEAD"]) -> str:
        """See `SigningStorage`."""
        return self._bucket.signed_url(key, seconds, method)

    def results(self) -> Iterator[StoredResult]:
        """See `Storage`. What has a copy on this host was used when that was."""
        used_at = self._used_at()
        for name, meta in self._bucket.objects():
            if KEY.fullmatch(name):
                yield StoredResult(name, meta.size, meta.published_at, used_at.get(name, meta.published_at))

    def evict(self) -> list[StoredResult]:
        """See `Storage`; what is returned went from the bucket. Copies that are too much go, too."""
        try:
            self._copies.evict()
            return self._evict()
        except OSError as err:
            raise StorageError(f"Cannot evict results: {reason_of(err)}") from err

    def sweep(self) -> None:
        """See `Storage`."""
        self._runs.sweep()
        self._copies.sweep()

    def _fetch(self, key: str, meta: Meta, replaced_by: list[Meta], path: Path) -> bool:
        """Make a copy of this version; return whether there is one. Another one that was found instead is appended."""
        chunks = self._bucket.download(key, meta)
        try:
            in_real_thread(lambda: _write(chunks, meta, path))
        except Replaced as err:
            replaced_by += [err.found] if err.found is not None else []
            return False
        except Archived:
            self._archived.learn(key, meta.version)
            raise ResultNotFound(
                "the result is in an archive tier of the bucket, which cannot be read: ask for it to have it built"
            ) from None
        except DamagedArchive as err:
            raise StorageError(f"Cannot unpack the result: {err}; delete it, to have it built again") from err
        return True

    def _look(self, key: str) -> Meta | None:
        self._bucket.refuse_after_fork()  # and do not believe what the parent knew, nor wait for a lock of its threads
        meta = self._known.get(key)
        if meta is None:
            moment = self._known.moment
            meta = self._bucket.head(key)
            if meta is not None:
                self._known.learn(key, meta, moment)
        return meta

    def _used_at(self) -> dict[str, float]:
        used_at: dict[str, float] = {}
        try:
            for copy in self._copies.results():
                used_at[copy.key] = max(copy.used_at, used_at.get(copy.key, 0.0))
        except OSError as err:
            raise StorageError(f"Cannot list the copies in {self._directory}: {reason_of(err)}") from err
        return used_at

    def _delete(self, key: str) -> None:
        try:
            self._bucket.delete(key)
        finally:
            self._known.forget(key)

    def _evict(self, gap: float = 0.0) -> list[StoredResult]:
        if self._policy.keeps_all:
            return []
        with turn(self._directory / ".evict", gap) as is_mine:
            return self._policy.evict(self.results(), self._remove, _EVICTING_THREADS) if is_mine else []

    def _remove(self, result: StoredResult) -> bool:
        # A bucket of many takes long to list, and who asked for what is stale has it built again meanwhile.
        meta = self._bucket.head(result.key)
        if meta is not None:
            if int(meta.published_at) > result.published_at:  # of the two, one may be in whole seconds
                return False
            self._delete(result.key)
        return True

    def _evict_if_due(self, key: str) -> None:
        try:
            self._evict(GRACE_SECONDS)
        except (OSError, StorageError) as err:
            logger.warning("cannot evict results: %s", err, extra={"key": key})


def _write(chunks: Iterator[bytes], meta: Meta, path: Path) -> None:
    if meta.details.form == "directory":
        path.mkdir(mode=0o700)
        unpack(chunks, path)
    else:
        with path.open("xb") as file:
            file.writelines(chunks)


def _info(key: str, meta: Meta) -> ResultInfo:
    return known_of(key, meta.details, meta.size, meta.version, meta.published_at)


def _name_of(url: str, endpoint: str | None) -> str:
    return hashlib.blake2b(f"{url.rstrip('/')} {endpoint or ''}".encode(), digest_size=8).hexdigest()
