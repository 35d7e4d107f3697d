"""4 host slots: how many programs run at once on the whole host, among the processes that share a storage.

As many files as there are slots, each locked by the run that has it. Who waits takes a number, a file that is named by
the time and locked while its process waits; only the first of those whose processes live looks for a free slot. So
slots go in the order in which runs came for them, whichever process they are of, and one that dies while it waits
holds up nobody.
"""

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError, reason_of
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock
from workqueue.system.own_files import make_directory, open_file

#: Between two looks; felt by a run that waited for another process's.
LOOK_SECONDS: Final = 0.02

#: What the numbers of those who wait look like; what has another name is not ours.
_NUMBER: Final = re.compile(r"wait-\d{20}-[0-9a-f]{8}")

#: How often a number may be taken away between its making and its lock.
_MAX_TURNS: Final = 1000


class Slots:
    """The slots of one storage. Callable from any thread and any number of processes, all with the same number.

    Args:
        directory: where their files are; made when the first is taken.
        n_slots: how many there are.
    """

    def __init__(self, directory: Path, n_slots: int) -> None:
        self._directory = directory
        self._n_slots = n_slots

    @contextlib.contextmanager
    def slot(self, is_unwanted: Callable[[], bool]) -> Iterator[bool]:
        """Have a slot, when one is free; True, or False once `is_unwanted`.

        Raises:
            StorageError: there can be no such files.
        """
        fd = self._wait(is_unwanted)
        try:
            yield fd is not None
        finally:
            if fd is not None:
                close_own(fd)

    def _wait(self, is_unwanted: Callable[[], bool]) -> int | None:
        try:
            make_directory(self._directory)
            with _number(self._directory) as number:
                while not is_unwanted():
                    if self._is_first(number) and (fd := self._take()) is not None:
                        return fd
                    time.sleep(LOOK_SECONDS)
                return None
        except OSError as err:
            raise StorageError(f"Cannot lock a file in {self._directory}: {reason_of(err)}") from err

    def _take(self) -> int | None:
        for i in range(self._n_slots):
            fd = _open(self._directory / f"slot-{i}")
            try:
                if try_lock(fd):
                    return fd
            except BaseException:
                close_own(fd)
                raise
            close_own(fd)
        return None

    def _is_first(self, number: Path) -> bool:
        """Whether nobody waits that came before; what the dead left is removed on the way."""
        found = os.listdir(self._directory)  # noqa: PTH208 - names are all that is wanted
        for name in sorted(filter(_NUMBER.fullmatch, found)):
            if name == number.name:
                return True
            if not self._is_dead(self._directory / name):
                return False
        return True  # somebody took our number away, who is not one of us

    def _is_dead(self, path: Path) -> bool:
        try:
            fd = open_own(lambda: open_file(path, os.O_RDWR))
        except OSError as err:
            # Nobody waits with what is no file of ours; without a descriptor to spare, nobody can tell.
            if err.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            return True
        try:
            if not try_lock(fd):
                return False
            with contextlib.suppress(OSError):  # it is as dead if it cannot be removed
                if is_file_of(fd, path):
                    path.unlink()
            return True
        finally:
            close_own(fd)


@contextlib.contextmanager
def _number(directory: Path) -> Iterator[Path]:
    for _ in range(_MAX_TURNS):
        # The clock of the host, the same for all processes; not set back, unlike the time of day.
        path = directory / f"wait-{time.monotonic_ns():020d}-{secrets.token_hex(4)}"
        fd = _open(path)
        try:
            # Between the two, somebody may have taken it for a dead one's.
            if try_lock(fd) and is_file_of(fd, path):
                try:
                    yield path
                finally:
                    # It is nobody's once it is not locked. Raising, it would take the slot along that was just got.
                    with contextlib.suppress(OSError):
                        path.unlink()
                return
        finally:
            close_own(fd)
    raise OSError(errno.EBUSY, "whatever is made there is removed before it is locked")


def _open(path: Path) -> int:
    return open_own(lambda: open_file(path, os.O_RDWR | os.O_CREAT))
