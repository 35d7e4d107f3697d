"""1 and 5 address: what a person writes, a directory or a bucket's URL -> the storage there."""

import os
from pathlib import Path

from workqueue.storage.base import Storage
from workqueue.storage.disk import DiskStorage


def storage_at(
    address: str,
    directory: Path | None = None,
    *,
    endpoint: str | None = None,
    ttl: float | None = None,
    max_bytes: int | None = None,
) -> Storage:
    """The storage at an address; whether it can be had is looked at, if it is a bucket's.

    Args:
        address: a directory, or a URL as `ObjectStorage` takes it. Its credentials are the environment's.
        directory: of this host, for runs and copies of a bucket's results; None: one below the user's cache.
        endpoint: where the bucket's service is; None: the provider's own, or what the environment says.
        ttl: see `DiskStorage` and `ObjectStorage`.
        max_bytes: see there.

    Raises:
        ImportError: a bucket needs an extra that is not installed; the text names it.
        StorageError: the bucket cannot be used; the text says why.
        ValueError: an address, or a number, that cannot be.
    """
    if not is_url(address):
        if endpoint is not None:
            raise ValueError(f"an endpoint is for a bucket's URL; {address!r} is a directory")
        return DiskStorage(Path(address), ttl=ttl, max_bytes=max_bytes)
    from workqueue.storage.objects import ObjectStorage  # noqa: PLC0415 - needs an extra

    return ObjectStorage(address, directory or _cache(), endpoint=endpoint, ttl=ttl, max_bytes=max_bytes)


def is_url(address: str) -> bool:
    """Whether it is meant as a URL."""
    return "://" in address


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(home, "workqueue")
