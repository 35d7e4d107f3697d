"""The options of a command that say which storage it is about -> that storage."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workqueue.errors import StorageError


def add_place(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("storage", metavar="STORAGE", help="a directory, or s3://BUCKET/PREFIX (also gs://, az://)")
    add_for_bucket(parser)


def add_for_bucket(parser: argparse.ArgumentParser) -> None:
    """Declare those that a bucket may need besides its URL."""
    parser.add_argument("--endpoint", metavar="URL", help="where the bucket's service is, if not at its provider's")
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        help="of this host, for a bucket: what a server gave its ObjectStorage (default: below the user's cache)",
    )


class CannotUseStorage(Exception):
    """The storage that was named cannot be used; the text says why."""


@contextmanager
def told_to_the_user() -> Iterator[None]:
    """Raise what can be wrong with a storage that somebody named as one exception.

    Raises:
        CannotUseStorage: with the text to show.
    """
    try:
        yield
    except (ImportError, StorageError, ValueError) as err:
        raise CannotUseStorage(str(err)) from err


def complain(err: CannotUseStorage) -> int:
    """Say so; return the exit status."""
    print(f"workqueue: {err}", file=sys.stderr)
    return 1
