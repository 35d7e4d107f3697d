"""1 and 5 flushing: files -> on the disk, several at a time.

A disk that is told to flush one file takes as long for the next: 10,000 small files took 25 s one by one, 6 s by 16
threads (ext4). A large file, or a busy disk, takes seconds, for which greenlets of the same thread go on; see
`real_threads`.
"""

import errno
import os
from collections.abc import Sequence
from typing import Final

from workqueue.storage.at_once import at_once
from workqueue.system.real_threads import in_real_thread

#: Each has one file open.
_MAX_THREADS: Final = 16

#: For fewer a thread is not worth while.
_FILES_A_THREAD: Final = 4


def flush(names: Sequence[str], directory: int) -> None:
    """Have the content of all these files outlast a power cut.

    Args:
        names: paths of regular files.
        directory: the open directory that they begin at.

    Raises:
        OSError: of one it is not known. Nobody may try again: the system forgets what it could not write.
    """
    n_threads = min(_MAX_THREADS, len(names) // _FILES_A_THREAD)
    at_once(lambda name: _flush_one(name, directory), names, n_threads, name="workqueue-flush")


def flush_file(fd: int) -> None:
    """Have an open file's content outlast a power cut.

    Raises:
        OSError: it is not known. Nobody may try again: the system forgets what it could not write.
    """
    in_real_thread(lambda: os.fsync(fd))


def flush_directory(fd: int) -> None:
    """Have what an open directory holds outlast a power cut, where its file system can do that.

    Raises:
        OSError: it is not known.
    """
    try:
        flush_file(fd)
    except OSError as err:
        # Some file systems cannot sync a directory; there is nothing better to do on them.
        if err.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _flush_one(name: str, directory: int) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        flush_file(fd)
    finally:
        os.close(fd)
