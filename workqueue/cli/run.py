"""Build one result, with a progress bar, and print where it lies.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME, unless the storage has the result for these arguments already.
Arguments that begin with a dash go behind a double dash: workqueue run --storage DIR -- PROGRAM -x
"""

import argparse
import sys
from pathlib import Path

from workqueue.cli.bar import draw
from workqueue.errors import InvalidParams
from workqueue.streams import to_generator
from workqueue.work_queue import WorkQueue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("program", metavar="PROGRAM", type=Path, help="the program, a path")
    parser.add_argument("arguments", metavar="ARG", nargs="*", help="what it is given before its output file")
    parser.add_argument("--storage", metavar="DIR", type=Path, required=True, help="where results are kept")


def run(options: argparse.Namespace) -> int:
    """Build; print the result's path to stdout, all else to stderr; return the exit status."""
    params = tuple(options.arguments)
    with WorkQueue(options.program, storage_dir=options.storage, max_running=1) as queue:
        try:
            job = queue.ensure_run(params)
        except InvalidParams as err:
            print(f"workqueue: {err}", file=sys.stderr)
            return 2
        if job is not None:
            last = draw(to_generator(job.progress), options.program.name, sys.stderr)
            if last is not None and last.error is not None:
                print(last.error, file=sys.stderr)
                return 1
        print(queue.destination_path_for_params(params))
    return 0
