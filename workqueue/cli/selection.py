"""Which results of a storage a command is about: by key, size and age."""

import argparse
import time
from collections.abc import Iterable, Iterator

from workqueue.cli.quantities import age, size
from workqueue.storage.base import StoredResult


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "keys", metavar="KEY", type=_beginning, nargs="*", help="the key of a result, or its beginning; none: all"
    )
    add = parser.add_argument_group("only results").add_argument
    add("--larger-than", metavar="SIZE", type=size, help="such as 500M or 2G")
    add("--older-than", metavar="AGE", type=age, help="published so long ago: 90s, 30m, 12h, 7d, 2w")
    add("--unused-for", metavar="AGE", type=age, help="not asked for or opened for so long, as far as is known")


def _beginning(text: str) -> str:
    # All keys begin with nothing: what a shell makes of a variable that is not set would remove all results.
    if not text:
        raise argparse.ArgumentTypeError("a key is empty")
    return text


def is_everything(options: argparse.Namespace) -> bool:
    """Whether nothing was said that leaves one out."""
    return not options.keys and all(
        limit is None for limit in (options.larger_than, options.older_than, options.unused_for)
    )


def selected(results: Iterable[StoredResult], options: argparse.Namespace) -> Iterator[StoredResult]:
    """Those that the options are about."""
    now = time.time()
    for result in results:
        if (
            (not options.keys or result.key.startswith(tuple(options.keys)))
            and (options.larger_than is None or result.size > options.larger_than)
            and (options.older_than is None or now - result.published_at > options.older_than)
            and (options.unused_for is None or now - result.used_at > options.unused_for)
        ):
            yield result
