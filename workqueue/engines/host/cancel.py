"""4 host cancel: a run of any process, cancelled by one that has no part in it: by a notice to all."""

import os
from pathlib import Path

from workqueue.engines.base import SeenRun
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.notices import ALL, Notices
from workqueue.errors import StorageError, reason_of
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner


def cancel_run(storage_dir: str | os.PathLike[str], run: SeenRun, notices: Notices | None = None) -> None:
    """Have all processes that share this storage cancel a run that was seen there. It returns at once.

    What waits ends when its process hears of it, what runs as soon as its program has stopped; unless it has ended by
    itself first.

    Args:
        storage_dir: the storage's directory.
        run: one of its picture.
        notices: those of a process that has a part in the storage, which does not read its own; None: it has none.

    Raises:
        StorageError: they cannot be told, or another user has the storage; the text says why.
    """
    check_owner(Path(storage_dir), OWN_DIRECTORIES)
    directory = Path(storage_dir) / ".jobs"
    # First, as in `HostEngine.cancel`: a client that asks from now on is not told of this run's end.
    Journals(directory).mark_cancelled(run.key)
    try:
        # One that waits may wait for the end of a run of its key that is being cancelled already.
        (notices or Notices(directory)).post(run.key if run.is_running else run.key + ALL)
    except OSError as err:
        raise StorageError(f"Cannot tell the processes in {directory} of a cancel: {reason_of(err)}") from err
