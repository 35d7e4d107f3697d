"""The command line: each command is a module, `parser` puts them together, `exit_statuses` says how they end."""

import logging
import os
import sys
from collections.abc import Sequence

from workqueue.cli.encoding import print_everything
from workqueue.cli.exit_statuses import FAILED, INTERRUPTED, USAGE
from workqueue.cli.parser import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status.

    Args:
        arguments: what follows ``workqueue`` on the command line; None: the process's own.

    Raises:
        SystemExit: for a command line that is wrong, with status 2; after a help or the version, with 0.
    """
    # Warnings are about the program, and the commands say the same themselves.
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    print_everything()
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help(sys.stderr)
        return USAGE
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has left, as `head` does. Python would complain when it flushes at exit.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        return FAILED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    return status
