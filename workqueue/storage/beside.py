"""1 and 5 beside: the details of results of this host, in a directory of ours beside them.

``.info/<key>.<etag>``, so the details of one publication are never taken for another's, and who removes or replaces a
result removes its own. They are written once the result has its name: what is there without its result is left over,
and will not be wanted again. Callable from any thread and any number of processes.
"""

import contextlib
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from workqueue.storage.details import MAX_BYTES, Details, packed, unpacked
from workqueue.system.own_files import make_directory, open_directory, open_file, read_file

logger = logging.getLogger("workqueue")

_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

_OURS: Final = re.compile("([0-9a-f]{40})[.]([0-9a-f]{16})")


class Beside:
    """The details of the results of one directory.

    Args:
        directory: ours alone; made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, key: str, etag: str, details: Details) -> None:
        """Keep them; it never raises: a result is none the worse without."""
        try:
            # Not by a rename: what is half written is no JSON, and says nothing.
            fd = self._opened(self._path(key, etag))
            try:
                os.write(fd, packed(details))
            finally:
                os.close(fd)
        except OSError as err:
            logger.warning("cannot keep how a result came to be: %s", err, extra={"key": key})

    def _opened(self, path: str) -> int:
        try:
            return open_file(path, _WRITE)
        except FileNotFoundError:  # nearly always there is a directory; to ask each time costs each publication
            make_directory(self._directory)
            return open_file(path, _WRITE)

    def read(self, key: str, etag: str) -> Details:
        """What is known; nothing where nothing of ours is there."""
        try:
            return unpacked(read_file(self._path(key, etag), MAX_BYTES))
        except OSError:
            return Details()

    def remove(self, key: str, etag: str) -> None:
        """Forget them; it never raises."""
        with contextlib.suppress(OSError):
            os.unlink(self._path(key, etag))  # noqa: PTH108 - a Path takes longer to make

    def remove_strays(self, etag_of: Callable[[str], str | None]) -> None:
        """Remove what belongs to no result that is there; it never raises.

        Args:
            etag_of: from a key, the etag of its result; None without one.
        """
        try:
            parent = open_directory(self._directory)
        except OSError:
            return
        try:
            for name in os.listdir(parent):  # noqa: PTH208 - a Path knows of no open directory
                match = _OURS.fullmatch(name)
                if match and etag_of(match[1]) != match[2]:
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=parent)
        except OSError:
            return
        finally:
            os.close(parent)

    def _path(self, key: str, etag: str) -> str:
        return f"{self._directory}/{key}.{etag}"
