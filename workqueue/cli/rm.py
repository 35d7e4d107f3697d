"""Remove results from a storage, by key, size and age.

A client that has a result open reads it to its end. The next client that asks for it has it built again. A bucket's
credentials are taken from the environment.

Examples:
  workqueue rm results 3f2a
  workqueue rm results --unused-for 30d --larger-than 1G
  workqueue rm results --all --dry-run
"""

import argparse
import sys
from collections.abc import Sequence

from workqueue.cli.exit_statuses import FAILED, OK
from workqueue.cli.place import CannotUseStorage, add_place, complain, existing_storage, refuse, told_to_the_user
from workqueue.cli.quantities import counted, shown_size
from workqueue.cli.question import can_ask, is_yes
from workqueue.cli.selection import add_selection, is_everything, selected
from workqueue.storage.base import StoredResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_place(parser)
    add_selection(parser, "none: say --all, or one of the options below")
    parser.add_argument("--all", action="store_true", help="remove all results; asks first")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed with --all where nobody can answer")
    parser.add_argument("--dry-run", action="store_true", help="print what would be removed, and remove nothing")


def run(options: argparse.Namespace) -> int:
    """Remove; print the key of each; return the exit status."""
    if is_everything(options) and not options.all:
        return refuse("say which results: a KEY, --larger-than, --older-than, --unused-for or --all")
    try:
        with told_to_the_user():
            storage = existing_storage(options)
            found = sorted(selected(storage.results(), options))
            if (status := _ask(found, options)) is not None:
                return status
            for result in found:
                if not options.dry_run:
                    storage.delete(result.key)
                print(result.key)
    except CannotUseStorage as err:
        return complain(err)
    what = "would be removed" if options.dry_run else "removed"
    print(f"{counted(len(found), 'result')} {what}, {_size(found)}", file=sys.stderr)
    missing = [key for key in options.keys if not any(result.key.startswith(key) for result in found)]
    for key in missing:
        print(f"workqueue: no result to remove has a key that begins with {key}", file=sys.stderr)
    return FAILED if missing else OK


def _ask(found: Sequence[StoredResult], options: argparse.Namespace) -> int | None:
    """Ask before all results are removed; return the exit status if they must not be."""
    if not is_everything(options) or options.yes or options.dry_run:
        return None
    if not can_ask():
        return refuse("--all removes every result, and there is no terminal to ask on; add --yes if you mean it")
    if not found or is_yes(f"Remove {counted(len(found), 'result')} ({_size(found)}) from {options.storage}?"):
        return None
    print("Nothing was removed.", file=sys.stderr)
    return FAILED


def _size(results: Sequence[StoredResult]) -> str:
    return shown_size(sum(result.size for result in results))
