"""Cancel a job of a queue of this host, whichever process has it, for everybody who watches it.

KEY is the job's key, or as much of its beginning as no other has: `workqueue top STORAGE` shows them. A job that waits
ends at once. The program of one that runs gets SIGTERM, and SIGKILL if it is still there 5 seconds later.

Examples:
  workqueue cancel databases 3f2a
  workqueue cancel databases 3f2a --yes
"""

import argparse
import sys

from workqueue.cli import host_top, question
from workqueue.cli.place import CannotUseStorage, refuse, storage_address, told_to_the_user
from workqueue.engines.base import Picture, SeenRun
from workqueue.engines.host.cancel import cancel_run
from workqueue.engines.host.picture import Pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "storage", metavar="STORAGE", type=storage_address, help="the storage_dir of a queue of this host"
    )
    parser.add_argument("key", metavar="KEY", type=_beginning, help="the job's key, or its beginning")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can answer")


def _beginning(text: str) -> str:
    # All keys begin with nothing, which is what a shell makes of a variable that is not set.
    if not text:
        raise argparse.ArgumentTypeError("a key is empty; `workqueue top STORAGE` shows the keys of all jobs")
    return text


def run(options: argparse.Namespace) -> int:
    """Cancel it; print its key; return the exit status."""
    try:
        with told_to_the_user():
            pictures = host_top.pictures_of(options.storage)
            picture = pictures.take()
    except CannotUseStorage as err:
        return refuse(str(err))
    found = [seen for seen in (*picture.running, *picture.waiting) if seen.key.startswith(options.key)]
    if not found:
        print(
            f"workqueue: no job that runs or waits in {options.storage} has a key that begins with {options.key}",
            file=sys.stderr,
        )
        return 1
    if len(found) > 1:
        keys = "".join(f"\n  {seen.key}" for seen in found)
        return refuse(f"{len(found)} jobs have a key that begins with {options.key}; give more of it:{keys}")
    return _cancel(options, found[0], pictures)


def _cancel(options: argparse.Namespace, seen: SeenRun, pictures: Pictures) -> int:
    if not options.yes:
        if not question.can_ask():
            return refuse("there is no terminal to ask on whether to cancel it; add --yes if you mean it")
        if not question.is_yes(f"Cancel the job {seen.key}, {_where(seen)}, for everybody who watches it?"):
            print("Nothing was cancelled.", file=sys.stderr)
            return 1
    try:
        with told_to_the_user():
            now = _same_run(pictures.take(), seen)  # while a person thinks, it may end, and another of its key begin
            if now is None:
                print(f"workqueue: the job {seen.key} has ended meanwhile", file=sys.stderr)
                return 1
            cancel_run(options.storage, now)
    except CannotUseStorage as err:
        return refuse(str(err))
    print(seen.key)
    return 0


def _same_run(picture: Picture, seen: SeenRun) -> SeenRun | None:
    """The run that was seen, as it is by now; it may have begun meanwhile."""
    for run in (*picture.running, *picture.waiting):
        if run.key == seen.key and (not seen.is_running or run.began_at == seen.began_at):
            return run
    return None


def _where(seen: SeenRun) -> str:
    return f"which has done {seen.progress.fraction:.0%}" if seen.is_running else "which waits"
