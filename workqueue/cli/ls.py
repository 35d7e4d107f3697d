"""List the results of a storage: key, size, age, and how long ago each was used.

STORAGE is a directory or the URL of a bucket, whose credentials are those of the environment. A bucket does not know
when a result was used; then that is when it was published, or when the copy on this host was used.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from workqueue.cli.place import CannotUseStorage, add_place, complain, told_to_the_user
from workqueue.cli.quantities import shown_age, shown_size
from workqueue.cli.selection import add_selection, selected
from workqueue.storage.address import storage_at
from workqueue.storage.base import StoredResult

_ORDERS: Final[dict[str, Callable[[StoredResult], Any]]] = {
    "key": lambda result: result.key,
    "size": lambda result: -result.size,
    "age": lambda result: result.published_at,
    "use": lambda result: result.used_at,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_place(parser)
    add_selection(parser)
    parser.add_argument("--sort", choices=_ORDERS, default="age", help="largest or oldest first (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="an object a line, with times in seconds since the epoch")


def run(options: argparse.Namespace) -> int:
    """List; return the exit status."""
    try:
        with told_to_the_user():
            storage = storage_at(options.storage, options.directory, endpoint=options.endpoint)
            results = sorted(selected(storage.results(), options), key=_ORDERS[options.sort])
    except CannotUseStorage as err:
        return complain(err)
    if options.json:
        try:
            with told_to_the_user():
                for result in results:
                    info = storage.info(result.key)
                    # Its size and time are those of the listing, which `rm` goes by.
                    print(json.dumps({**({} if info is None else info._asdict()), **result._asdict()}))
        except CannotUseStorage as err:
            return complain(err)
    else:
        _print_table(results)
    return 0


def _print_table(results: Sequence[StoredResult]) -> None:
    now = time.time()
    print(f"{'KEY':40}  {'SIZE':>12}  {'AGE':>6}  {'USED':>6}")
    for key, n_bytes, published_at, used_at in results:
        print(f"{key}  {shown_size(n_bytes):>12}  {shown_age(now - published_at):>6}  {shown_age(now - used_at):>6}")
    print(f"{len(results)} results, {shown_size(sum(result.size for result in results))}")
