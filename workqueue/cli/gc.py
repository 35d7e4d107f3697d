"""Bring a storage down to a size or an age, and remove what killed runs left.

Of what is too much, the results used least recently go first; in a bucket, as far as this host knows. What is open
stays, and so does what was used or published in the last minute. For a bucket, the copies on this host are looked at,
too.
"""

import argparse
import sys

from workqueue.cli.place import CannotUseStorage, add_place, complain, told_to_the_user
from workqueue.cli.quantities import age, shown_size, size
from workqueue.storage.address import storage_at
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_place(parser)
    parser.add_argument("--max-bytes", metavar="SIZE", type=size, help="what all may take together: 500M, 20G")
    parser.add_argument("--ttl", metavar="AGE", type=age, help="how long ago one may be published: 12h, 7d, 2w")


def run(options: argparse.Namespace) -> int:
    """Collect; print the key of each result that went; return the exit status."""
    try:
        with told_to_the_user():
            storage = storage_at(
                options.storage,
                options.directory,
                endpoint=options.endpoint,
                ttl=options.ttl,
                max_bytes=options.max_bytes,
            )
            check_owner(storage.directory, OWN_DIRECTORIES)
            storage.sweep()
            removed = storage.evict()
    except CannotUseStorage as err:
        return complain(err)
    for result in removed:
        print(result.key)
    print(f"{len(removed)} results removed, {shown_size(sum(result.size for result in removed))}", file=sys.stderr)
    return 0
