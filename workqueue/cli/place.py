"""The options of a command that name a storage -> that storage."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workqueue.cli.exit_statuses import FAILED, USAGE
from workqueue.errors import StorageError
from workqueue.storage.address import is_url, storage_at
from workqueue.storage.base import Storage


def add_place(parser: argparse.ArgumentParser) -> None:
    """Declare them, with the storage as the first argument."""
    parser.add_argument(
        "storage",
        metavar="STORAGE",
        type=storage_address,
        help="a directory, or a bucket such as s3://BUCKET/PREFIX (also gs:// and az://)",
    )
    add_for_bucket(parser)


def add_for_bucket(parser: argparse.ArgumentParser) -> None:
    """Declare those that a bucket may need besides its URL."""
    parser.add_argument("--endpoint", metavar="URL", help="the bucket's service, if it is not the provider's own")
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        help="where a bucket's results are copied to on this host: the directory that the server gives its"
        " ObjectStorage (default: one below ~/.cache)",
    )


def storage_address(text: str) -> str:
    """Take a directory or a URL; refuse an empty text, which a shell makes of a variable that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty; give a directory, or the URL of a bucket")
    return text


class CannotUseStorage(Exception):
    """The storage that was named cannot be used; the text says why.

    Args:
        text: what is wrong, and what to do.
        status: the exit status of the command.
    """

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


@contextmanager
def told_to_the_user() -> Iterator[None]:
    """Turn every error about a storage that a person named into one.

    Raises:
        CannotUseStorage: with the text to show.
    """
    try:
        yield
    except ValueError as err:
        raise CannotUseStorage(str(err), USAGE) from err
    except (ImportError, StorageError) as err:
        raise CannotUseStorage(str(err)) from err


def existing_storage(options: argparse.Namespace, *, ttl: float | None = None, max_bytes: int | None = None) -> Storage:
    """The storage that the options name; nothing is made.

    Args:
        options: what `add_place` declared.
        ttl: see `storage_at`.
        max_bytes: see there.

    Raises:
        CannotUseStorage: it is no directory, or there is none.
        ImportError, StorageError, ValueError: as `storage_at`.
    """
    check_is_directory(options.storage)
    if not is_url(options.storage) and not os.path.exists(options.storage):  # noqa: PTH110 - Path.exists may raise
        raise CannotUseStorage(
            f"there is no directory {options.storage}; check the path: `workqueue run` and a server make the directory"
            " with their first result",
            USAGE,
        )
    return storage_at(options.storage, options.directory, endpoint=options.endpoint, ttl=ttl, max_bytes=max_bytes)


def check_is_directory(address: str) -> None:
    """Refuse a path that is something else; one that is not there may become a directory.

    Raises:
        CannotUseStorage: what it is called, and what to do.
    """
    if not is_url(address) and os.path.exists(address) and not os.path.isdir(address):  # noqa: PTH110, PTH112 - as above
        raise CannotUseStorage(f"{address} is not a directory; name the directory that holds the results", USAGE)


def refuse(text: str) -> int:
    """Print why the command does nothing; return the exit status."""
    print(f"workqueue: {text}", file=sys.stderr)
    return USAGE


def complain(err: CannotUseStorage) -> int:
    """Print what is wrong; return the exit status."""
    print(f"workqueue: {err}", file=sys.stderr)
    return err.status
