"""Remove results from a storage: by key, size and age.

STORAGE is a directory or the URL of a bucket, whose credentials are those of the environment. Who has a result open
reads it to its end; who asks for it next has it built again.
"""

import argparse
import sys

from workqueue.cli.place import CannotUseStorage, add_place, complain, told_to_the_user
from workqueue.cli.quantities import shown_size
from workqueue.cli.selection import add_selection, is_everything, selected
from workqueue.storage.address import storage_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_place(parser)
    add_selection(parser)
    parser.add_argument("--all", action="store_true", help="remove all results")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")


def run(options: argparse.Namespace) -> int:
    """Remove; print the key of each; return the exit status, 1 if a key that was given is not there."""
    if is_everything(options) and not options.all:
        print("workqueue: say which: a KEY, --larger-than, --older-than, --unused-for or --all", file=sys.stderr)
        return 2
    try:
        with told_to_the_user():
            storage = storage_at(options.storage, options.directory, endpoint=options.endpoint)
            found = sorted(selected(storage.results(), options))
            for result in found:
                if not options.dry_run:
                    storage.delete(result.key)
                print(result.key)
    except CannotUseStorage as err:
        return complain(err)
    word = "would be removed" if options.dry_run else "removed"
    print(f"{len(found)} results {word}, {shown_size(sum(result.size for result in found))}", file=sys.stderr)
    missing = [key for key in options.keys if not any(result.key.startswith(key) for result in found)]
    for key in missing:
        print(f"workqueue: nothing to remove begins with {key}", file=sys.stderr)
    return 1 if missing else 0
