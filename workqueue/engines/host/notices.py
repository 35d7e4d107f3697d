"""4 host notices: what one process tells all that share a storage: that a key was cancelled.

A job of the key may wait in any of them, in the line of a process that has no journal to be told by. So a cancel is a
line in a file that all of them read on. A process does not read its own: it has cancelled its job, and by the time it
reads may have another of the same key.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of

#: The file's name, beside the journals; no key begins with a dot.
NAME: Final = ".cancelled"

#: A file that has grown so far makes way for a new one.
_MAX_BYTES: Final = 1024 * 1024


class Notices:
    """The notices of one storage. `post` is callable from any thread, the rest by one at a time.

    Args:
        directory: where the journals are.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._sender = secrets.token_hex(8)
        self._fd: int | None = None
        self._offset = 0
        self._text = b""

    def open(self) -> None:
        """Read what is posted from now on. Raises OSError when it cannot."""
        self._fd = open_own(self._open_file)
        self._offset = os.fstat(self._fd).st_size

    def post(self, key: str) -> None:
        """Tell all others that this key was cancelled. Raises OSError when it cannot."""
        fd = self._open_file()
        try:
            os.write(fd, f"{self._sender} {key}\n".encode())
            if os.fstat(fd).st_size > _MAX_BYTES and is_file_of(fd, self._path):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def read(self) -> list[str]:
        """The keys that others have cancelled since the last call. Raises OSError when it cannot."""
        if self._fd is None:
            return []
        keys = self._read_on()
        if not is_file_of(self._fd, self._path):
            close_own(self._fd)
            self._fd = open_own(self._open_file)
            self._offset = 0
            keys += self._read_on()
        return keys

    def close(self) -> None:
        """Read no more."""
        if self._fd is not None:
            close_own(self._fd)
            self._fd = None

    def _read_on(self) -> list[str]:
        assert self._fd is not None
        while data := os.pread(self._fd, 65536, self._offset):
            self._offset += len(data)
            self._text += data
        *lines, self._text = self._text.split(b"\n")
        notices = [line.decode().split() for line in lines]
        return [key for sender, key in notices if sender != self._sender]

    def _open_file(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
