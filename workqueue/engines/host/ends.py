"""4 host ends: how the last runs of all processes ended, told for an hour to whoever looks at them.

Two files beside the journals, ``.jobs/.ends`` and ``.ends-before``. The process that made a run appends one line to the
first, in one write, which the kernel puts behind those of others; when that has grown, it takes the place of the
second. So a kill between two of these steps costs the order nothing, and both files together are bounded. A line begins
with a line break too, and ends with its checksum: what was cut short is no line, and spoils no other. Lines that are
older than an hour are told no more, and stay in the files until newer ones push them out.

No directory of their own: whoever has the storage could make it a link, and root would write where that leads.
"""

import contextlib
import itertools
import json
import logging
import math
import os
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.engines.base import SeenEnd
from workqueue.errors import reason_of
from workqueue.progress import Progress
from workqueue.storage.disk import KEY
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock
from workqueue.system.own_files import open_file

#: The files' names; no key begins with a dot.
NAME: Final = ".ends"
BEFORE: Final = ".ends-before"

#: So many are told, and as old ones.
MAX_ENDS: Final = 200
MAX_SECONDS: Final = 3600.0

#: A file that is longer makes way for a new one; it holds more than MAX_ENDS of the longest lines.
MAX_BYTES: Final = 1024 * 1024

#: No line is longer: what does not fit is left out of the error.
MAX_LINE: Final = 5000

#: Of an error, what stands before what the program wrote to stderr; and as much of that, from its end.
_MAX_REASON: Final = 300
_MAX_STDERR: Final = 4000

#: What parts the two.
_MARK: Final = "\nstderr:\n"

_TENANT: Final = re.compile("|[0-9a-f]{16}")

#: No returncode is beyond, whatever a file says, and no time.
_MAX_STATUS: Final = 2**31
_MAX_TIME: Final = 1e11

_JSON: Final = json.JSONEncoder(separators=(",", ":"))

_Files = list[tuple[int, int, int] | None]

logger = logging.getLogger("workqueue")


class Ends:
    """The ends of one storage's runs. Callable from any thread and any number of processes.

    Args:
        directory: where the journals are.
    """

    def __init__(self, directory: Path) -> None:
        self._new = directory / NAME
        self._old = directory / BEFORE
        # What was read last, and of which files: whoever looks once a second reads what is new.
        self._last_read: tuple[_Files, tuple[SeenEnd, ...]] = ([], ())

    def add(self, end: SeenEnd) -> None:
        """Keep it, its error bounded. It never raises: whoever looks does without it then."""
        try:
            self._append(encode(end))
        except OSError as err:
            logger.warning("cannot keep how a run ended: %s", reason_of(err), extra={"key": end.key})

    def read(self) -> list[SeenEnd]:
        """Those of the last hour, MAX_ENDS at most, newest first; it writes nothing.

        Raises:
            OSError: they cannot be read.
        """
        files, ends = self._last_read
        now_there = self._files()  # before they are read: what comes meanwhile is read next time
        if files != now_there:
            ends = tuple(itertools.islice(self._newest_first(), MAX_ENDS))
            self._last_read = (now_there, ends)
        now = time.time()
        return [end for end in ends if now - end.ended_at <= MAX_SECONDS]

    def _files(self) -> _Files:
        found: list[tuple[int, int, int] | None] = []
        for path in (self._new, self._old):
            try:
                status = path.lstat()
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
            except FileNotFoundError:
                found.append(None)
        return found

    def _newest_first(self) -> Iterator[SeenEnd]:
        seen = None
        for path in (self._new, self._old):
            try:
                fd = open_own(lambda path=path: open_file(path, os.O_RDONLY))  # type: ignore[misc]
            except FileNotFoundError:
                continue
            try:
                status = os.fstat(fd)
                if seen == status.st_ino:  # it has taken the place of the old one meanwhile
                    continue
                seen = status.st_ino
                data = os.pread(fd, 2 * MAX_BYTES, max(0, status.st_size - 2 * MAX_BYTES))
            finally:
                close_own(fd)
            yield from filter(None, map(decode, reversed(data.split(b"\n"))))

    def _append(self, line: bytes) -> None:
        fd = open_own(lambda: open_file(self._new, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        try:
            os.write(fd, line)
            if os.fstat(fd).st_size > MAX_BYTES:
                self._turn_over(fd)
        finally:
            close_own(fd)

    def _turn_over(self, fd: int) -> None:
        # One of two that find it long would move a new, short one over it, had it not the lock of that very file. One
        # that is killed here has moved it or has not.
        if try_lock(fd) and is_file_of(fd, self._new):
            with contextlib.suppress(FileNotFoundError):
                self._new.replace(self._old)


def encode(end: SeenEnd) -> bytes:
    """What to append, MAX_LINE bytes at most."""
    error = end.progress.error
    reason, mark, stderr = (error or "").partition(_MARK)
    reason, stderr = reason[:_MAX_REASON], stderr[-_MAX_STDERR:]
    while True:
        said = None if error is None else reason + mark + stderr
        times = (end.queued_at, end.began_at, end.ended_at)
        text = _JSON.encode([end.key, end.tenant, *times, end.progress.returncode, said]).encode()
        if len(text) <= MAX_LINE:
            return b"\n%b %08x\n" % (text, zlib.crc32(text))
        # A character may take twelve bytes.
        reason, stderr = reason[: len(reason) * 3 // 4], stderr[len(stderr) // 4 + 1 :]


def decode(line: bytes) -> SeenEnd | None:
    """What a line says, without its break; None when it says nothing that can be relied upon."""
    text, _, checksum = line.rpartition(b" ")
    if not text or len(text) > MAX_LINE or b"%08x" % zlib.crc32(text) != checksum:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match content:
        case [str() as key, str() as tenant, queued_at, began_at, ended_at, int() as returncode, str() | None as error]:
            is_ours = KEY.fullmatch(key) and _TENANT.fullmatch(tenant) and _is_time(ended_at)
            if not (is_ours and _is_end(returncode, error) and _is_times(queued_at, began_at)):
                return None
            progress = Progress(0, 1.0, None, returncode, error)
            return SeenEnd(key, tenant, progress, queued_at, began_at, ended_at, stderr_of(error))
    return None


def stderr_of(error: str | None) -> str:
    """What a program wrote to stderr, as far as an error tells."""
    return (error or "").partition(_MARK)[2]


def _is_end(returncode: int, error: str | None) -> bool:
    is_status = not isinstance(returncode, bool) and abs(returncode) <= _MAX_STATUS
    return is_status and (returncode == 0) == (error is None)


def _is_times(*times: object) -> bool:
    return all(time is None or _is_time(time) for time in times)


def _is_time(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value) and 0 <= value <= _MAX_TIME
