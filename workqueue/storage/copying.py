"""1 and 5 copying: an open file of somebody else's -> a new one with the same content, that is ours alone."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.system.real_threads import in_real_thread

#: What the kernel is asked for at once: where blocks can be shared (Btrfs, XFS) that takes no time, else a second.
_KERNEL_BYTES: Final = 2**30

#: What is held in memory, where the kernel does not copy.
_CHUNK_BYTES: Final = 2**20


class Copy(NamedTuple):
    """A file of this process alone, until it is given another name."""

    fd: int
    """Open for reading and writing; closed when the context ends."""

    path: Path


@contextlib.contextmanager
def copied(fd: int, directory: Path) -> Iterator[Copy]:
    """A copy of an open file, as long as that is now; the original's mode, content and times stay as they are.

    Args:
        fd: open for reading.
        directory: where the copy is made, under a name that nobody knows before; to be removed by whoever owns it.

    Raises:
        OSError: on entering: it cannot be made.
    """
    path = directory / f"copy-{secrets.token_hex(8)}"
    copy = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # No further, however long it grows meanwhile. It may be long: greenlets go on.
        in_real_thread(lambda: _copy(fd, copy, os.fstat(fd).st_size))
        yield Copy(copy, path)
    finally:
        os.close(copy)


def _copy(source: int, target: int, size: int) -> None:
    done = _copy_in_kernel(source, target, size)
    while data := os.pread(source, min(size - done, _CHUNK_BYTES), done):
        while data:
            n_written = os.pwrite(target, data, done)
            data = data[n_written:]
            done += n_written


def _copy_in_kernel(source: int, target: int, size: int) -> int:
    """As much as the kernel copies by itself, or shares; what is in its way is told by who goes on from there."""
    done = 0
    with contextlib.suppress(OSError, AttributeError):  # not for these file systems; not on macOS
        while n_copied := os.copy_file_range(source, target, min(size - done, _KERNEL_BYTES), done, done):
            done += n_copied
    return done
