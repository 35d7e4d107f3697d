"""List the results of a storage: key, size, age, and time since the last use.

A bucket does not record when a result was used. There, USED is the time since the result was published, or since the
copy on this host was used. A bucket's credentials are taken from the environment.

Examples:
  workqueue ls results
  workqueue ls results --sort size
  workqueue ls results --older-than 30d --json
  workqueue ls s3://my-bucket/indexes
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from workqueue.cli.place import CannotUseStorage, add_place, complain, existing_storage, told_to_the_user
from workqueue.cli.quantities import counted, shown_age, shown_size
from workqueue.cli.selection import add_selection, selected
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
    add_selection(parser, "none: all")
    parser.add_argument(
        "--sort",
        choices=tuple(_ORDERS),
        default="age",
        help="by key, or first the largest, the oldest, or the least recently used (default: %(default)s)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object in each line, with times in seconds since 1970"
    )


def run(options: argparse.Namespace) -> int:
    """List; return the exit status."""
    try:
        with told_to_the_user():
            storage = existing_storage(options)
            results = sorted(selected(storage.results(), options), key=_ORDERS[options.sort])
    except CannotUseStorage as err:
        return complain(err)
    if options.json:
        try:
            with told_to_the_user():
                for result in results:
                    info = storage.info(result.key)
                    # The size and the times of the listing count: they are what `rm` goes by.
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
    print(f"{counted(len(results), 'result')}, {shown_size(sum(result.size for result in results))}")
