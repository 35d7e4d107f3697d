"""Remove old results until a storage fits a size or an age, and clean up after runs that were killed.

Of too many results, those that were used least recently are removed first; in a bucket, as far as this host knows. A
result that is open stays, and so does one that was published or used in the last minute. For a bucket, the copies on
this host are cleaned up too. Without an option, only the leftovers of killed runs are removed.

Examples:
  workqueue gc results --max-bytes 20G
  workqueue gc results --ttl 7d
"""

import argparse
import sys

from workqueue.cli.place import CannotUseStorage, add_place, complain, existing_storage, told_to_the_user
from workqueue.cli.quantities import age, counted, shown_size, size
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_place(parser)
    parser.add_argument("--max-bytes", metavar="SIZE", type=size, help="the size of all results together: 500M, 20G")
    parser.add_argument("--ttl", metavar="AGE", type=age, help="the age that a result may have: 12h, 7d, 2w")


def run(options: argparse.Namespace) -> int:
    """Clean up; print the key of each result that was removed; return the exit status."""
    try:
        with told_to_the_user():
            storage = existing_storage(options, ttl=options.ttl, max_bytes=options.max_bytes)
            check_owner(storage.directory, OWN_DIRECTORIES)
            storage.sweep()
            removed = storage.evict()
    except CannotUseStorage as err:
        return complain(err)
    for result in removed:
        print(result.key)
    size_removed = shown_size(sum(result.size for result in removed))
    print(f"{counted(len(removed), 'result')} removed, {size_removed}", file=sys.stderr)
    return 0
