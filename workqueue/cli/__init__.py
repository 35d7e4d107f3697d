"""The command line: ``run``, ``check``, ``adapt``, ``demo``; ``ls``, ``rm``, ``gc``; ``worker``, ``top``, ``cancel``.

Exit statuses: 0, it went well; 1, the program failed or broke its contract, or nobody reads the output; 2, the command
was used wrongly; 130, interrupted.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from workqueue.cli import adapt, cancel, check, demo, gc, ls, rm, run, top, worker

_COMMANDS = {
    "run": run,
    "check": check,
    "adapt": adapt,
    "demo": demo,
    "worker": worker,
    "top": top,
    "cancel": cancel,
    "ls": ls,
    "rm": rm,
    "gc": gc,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status.

    Args:
        arguments: what follows ``workqueue`` on the command line; None: the process's own.
    """
    # Warnings are about the program, and say what the commands say themselves.
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does; Python would complain once more when it flushes at exit.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workqueue", description="Run a slow program once for each set of parameters, and watch its progress."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        summary, _, details = (command.__doc__ or "").partition("\n\n")
        subparser = commands.add_parser(
            name, help=summary, description=details, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
