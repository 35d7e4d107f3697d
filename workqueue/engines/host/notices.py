"""4 host notices: what one process tells all that share a storage: that a key was cancelled.

A job of the key may wait in any of them, in the line of a process that has no journal to be told by. So a cancel is a
line in a file that all of them read on. A process does not read its own: it has cancelled its job, and by the time it
reads may have another of the same key.

A line begins with a line break too, and ends with its checksum: what a full disk, or a killed process, cut short is no
notice, and spoils no other.
"""

import os
import re
import secrets
import zlib
from pathlib import Path
from typing import Final

from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of
from workqueue.system.own_files import open_file

#: The file's name, beside the journals; no key begins with a dot.
NAME: Final = ".cancelled"

#: Behind the key in a notice: those are meant, too, that wait for the end of a run that is being cancelled already.
ALL: Final = "+"

#: A file that has grown so far makes way for a new one.
_MAX_BYTES: Final = 1024 * 1024

#: More than that at once is nothing that processes which share a storage have posted.
_MAX_READ: Final = 4 * _MAX_BYTES

_NOTICE: Final = re.compile(rb"(([0-9a-f]{16}) ([!-~]{1,128})) ([0-9a-f]{8})")

#: No notice is longer.
_MAX_LINE: Final = 256


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
        fd = open_own(self._open_file)
        try:
            size = os.fstat(fd).st_size
        except BaseException:
            close_own(fd)
            raise
        self._use(fd, size)

    def post(self, key: str) -> None:
        """Tell all others that this key was cancelled. Raises OSError when it cannot."""
        fd = self._open_file()
        try:
            said = f"{self._sender} {key}".encode()
            os.write(fd, b"\n%b %08x\n" % (said, zlib.crc32(said)))
            if os.fstat(fd).st_size > _MAX_BYTES and is_file_of(fd, self._path):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def read(self) -> list[str]:
        """The keys that others have cancelled since the last call. Raises OSError when it cannot."""
        if self._fd is None:
            return []
        keys = self._read_on(self._fd)
        if not is_file_of(self._fd, self._path):
            # Opened before the other is closed: without a descriptor to spare we still have that one, and come again.
            try:
                fd = open_own(self._open_file)
            except OSError:
                if keys:
                    return keys  # these were read, and would be lost
                raise
            self._use(fd, 0)
            keys += self._read_on(fd)
        return keys

    def close(self) -> None:
        """Read no more."""
        fd, self._fd = self._fd, None
        if fd is not None:
            close_own(fd)

    def _use(self, fd: int, offset: int) -> None:
        old, self._fd = self._fd, fd
        self._offset, self._text = offset, b""
        if old is not None:
            close_own(old)

    def _read_on(self, fd: int) -> list[str]:
        keys: list[str] = []
        size = os.fstat(fd).st_size
        if not 0 <= size - self._offset <= _MAX_READ:
            self._offset, self._text = max(0, size - _MAX_BYTES), b""
        while data := os.pread(fd, 65536, self._offset):
            self._offset += len(data)
            *lines, rest = (self._text + data).split(b"\n")
            # What is longer is no notice; the next line begins with a line break of its own.
            self._text = rest[:_MAX_LINE]
            notices = filter(None, map(_decode, lines))
            keys += [key for sender, key in notices if sender != self._sender]
        return keys

    def _open_file(self) -> int:
        return open_file(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)


def _decode(line: bytes) -> tuple[str, str] | None:
    """Who says it, and the key; None when it is no notice."""
    match = _NOTICE.fullmatch(line)
    if match is None or zlib.crc32(match[1]) != int(match[4], 16):
        return None
    return match[2].decode(), match[3].decode()
