"""The options of a command that choose results of a storage, by key, size and age."""

import argparse
import time
from collections.abc import Iterable, Iterator

from workqueue.cli.quantities import age, size
from workqueue.storage.base import StoredResult


def add_selection(parser: argparse.ArgumentParser, without_keys: str) -> None:
    """Declare them.

    Args:
        parser: of the command.
        without_keys: what a command line without a key means.
    """
    parser.add_argument(
        "keys",
        metavar="KEY",
        type=_beginning,
        nargs="*",
        default=[],
        help=f"the key of a result, or how it begins ({without_keys})",
    )
    add = parser.add_argument_group("only some results").add_argument
    add("--larger-than", metavar="SIZE", type=size, help="those that are larger, such as 500M or 2G")
    add("--older-than", metavar="AGE", type=age, help="those built longer ago: 90s, 30m, 12h, 7d, 2w")
    add("--unused-for", metavar="AGE", type=age, help="those that nobody has asked for or opened for so long")


def _beginning(text: str) -> str:
    # Every key begins with nothing: an empty word, which a shell makes of a variable that is not set, would be all
    # keys.
    if not text:
        raise argparse.ArgumentTypeError("a key is empty; give its first characters")
    return text


def is_everything(options: argparse.Namespace) -> bool:
    """Whether the options leave out no result."""
    return not options.keys and all(
        limit is None for limit in (options.larger_than, options.older_than, options.unused_for)
    )


def selected(results: Iterable[StoredResult], options: argparse.Namespace) -> Iterator[StoredResult]:
    """Those results that the options choose."""
    now = time.time()
    for result in results:
        if (
            (not options.keys or result.key.startswith(tuple(options.keys)))
            and (options.larger_than is None or result.size > options.larger_than)
            and (options.older_than is None or now - result.published_at > options.older_than)
            and (options.unused_for is None or now - result.used_at > options.unused_for)
        ):
            yield result
