"""1 and 5 identity: a directory -> a name that it keeps wherever it is mounted, made when it is first asked for.

A path says nothing on another host. So a random name lies in the directory, in a file ``.identity``; the first process
that asks makes it.
"""

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError, reason_of
from workqueue.system.own_files import make_directory, open_file, read_file

_NAME: Final = ".identity"
_OURS: Final = re.compile(rb"disk:[0-9a-f]{32}")
_MAX_BYTES: Final = 64


def identity_of(directory: Path) -> str:
    """The directory's name; the directory is made if it is not there.

    Raises:
        StorageError: it cannot be read, or made; the text says why.
    """
    path = directory / _NAME
    try:
        make_directory(directory)
        if not path.exists():
            _make(path)
        data = read_file(path, _MAX_BYTES)
    except OSError as err:
        raise StorageError(f"Cannot tell which storage {directory} is: {reason_of(err)}") from err
    if not _OURS.fullmatch(data):
        raise StorageError(f"Cannot tell which storage {directory} is: {path} is damaged; remove it")
    return data.decode()


def _make(path: Path) -> None:
    # Whole or not at all, and the first counts: a link is made to a name that is not there, or not at all.
    mine = path.with_name(f"{_NAME}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(open_file(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(f"disk:{secrets.token_hex(16)}".encode())
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
    finally:
        mine.unlink(missing_ok=True)
