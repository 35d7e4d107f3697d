"""Build one result, with a progress bar, and print where it is: a path or a URL.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME, unless the storage has the result for these arguments already.
Arguments that begin with a dash go behind a double dash: workqueue run --storage DIR -- PROGRAM -x
"""

import argparse
import sys
import time

from workqueue.cli.form import add_form
from workqueue.cli.naming import add_naming
from workqueue.cli.place import CannotUseStorage, add_for_bucket, complain, told_to_the_user
from workqueue.cli.program import add_program
from workqueue.cli.quantities import shown_age
from workqueue.cli.suffix import add_suffix
from workqueue.errors import InvalidParams, ProgramError, StorageError
from workqueue.params import Params
from workqueue.program.command import path_of
from workqueue.storage.address import storage_at
from workqueue.streams import to_generator
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner
from workqueue.terminal.bar import draw
from workqueue.work_queue import WorkQueue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_program(parser)
    parser.add_argument(
        "--storage", metavar="STORAGE", required=True, help="where results are kept: a directory, or s3://BUCKET/PREFIX"
    )
    add_for_bucket(parser)
    add_suffix(parser)
    add_form(parser)
    add_naming(parser)
    parser.add_argument("--refresh", action="store_true", help="build though there is a result, which it replaces")


def _already_built(queue: WorkQueue, params: Params) -> str:
    try:
        info = queue.result_info(params)
    except StorageError:
        info = None
    if info is None:  # removed by another since
        return "already built"
    return f"already built, {shown_age(time.time() - info.published_at)} ago; --refresh builds it again"


def run(options: argparse.Namespace) -> int:
    """Build; print the result's address to stdout, all else to stderr; return the exit status."""
    params = tuple(options.arguments)
    try:
        with told_to_the_user():
            storage = storage_at(options.storage, options.directory, endpoint=options.endpoint)
            check_owner(storage.directory, OWN_DIRECTORIES)
    except CannotUseStorage as err:
        return complain(err)
    try:
        queue = WorkQueue(
            options.program,
            storage=storage,
            max_running=1,
            suffix=options.suffix,
            name=options.name,
            version=options.version,
            result=options.result,
        )
    except ProgramError as err:
        print(err, file=sys.stderr)
        return 1
    with queue:
        try:
            job = queue.ensure_run(params, refresh=options.refresh)
        except InvalidParams as err:
            print(f"workqueue: {err}", file=sys.stderr)
            return 2
        if job is None:
            print(_already_built(queue, params), file=sys.stderr)
        else:
            # Anew for each heartbeat: while it waits, the time until it starts counts down.
            events = map(job.estimated, to_generator(job.progress))
            last = draw(events, path_of(options.program).name, sys.stderr)
            if last is not None and last.error is not None:
                print(last.error, file=sys.stderr)
                return 1
        print(storage.address(queue.key_for_params(params)))
    return 0
