"""2 failures: a key -> how its run failed a while ago, for those who ask again too soon.

A program that failed by itself would fail again, and a page that reloads would have it run again and again. Each
failure is a small file beside the results, ``.failed/<key>``, so that all processes that share a storage know it.
Callable from any thread and any number of processes.
"""

import contextlib
import json
import logging
import math
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.progress import Progress
from workqueue.system.own_files import make_directory, open_file, read_file

#: Each holds an error of up to 64 KiB.
MAX_REMEMBERED: Final = 256

#: JSON takes six bytes for some characters.
_MAX_BYTES: Final = 1024 * 1024

#: What our files there are called: by a key, or, while one is written, by a key and a random number.
_OURS: Final = re.compile(r"[0-9a-f]{40}|\.[0-9a-f]{40}\.[0-9a-f]{8}")

#: An exit status is no greater.
_MAX_STATUS: Final = 255

logger = logging.getLogger("workqueue")


class _Kept(NamedTuple):
    at: float
    returncode: int
    error: str | None


def check_ttl(ttl: float) -> None:
    """Refuse what is no time to remember a failure.

    Raises:
        ValueError: with what it must be.
    """
    if not 0 <= ttl < math.inf:
        raise ValueError(f"failure_ttl must be a number of seconds, 0 or more; got {ttl!r}")


class FailureFiles:
    """Runs that failed, in files: each for `ttl` seconds, the newest MAX_REMEMBERED at most.

    Args:
        ttl: seconds; 0: nothing is remembered.
        directory: where they are kept; made with the first.
        clock: the time of day in seconds, as `time.time`: processes have no other in common.

    Raises:
        ValueError: for a ttl that is no such number.
    """

    def __init__(self, ttl: float, directory: Path, clock: Callable[[], float] = time.time) -> None:
        check_ttl(ttl)
        self._ttl = ttl
        self._directory = directory
        self._clock = clock

    def remember(self, key: str, outcome: Progress) -> None:
        """See `workqueue.engines.base.Failures`."""
        if not self._ttl or outcome.returncode is None or outcome.returncode <= 0:
            return
        try:
            make_directory(self._directory)
            self._write(key, json.dumps([self._clock(), outcome.returncode, outcome.error]))
            self._forget_oldest()
        except OSError as err:
            logger.warning("cannot remember a failure: %s", err, extra={"key": key})

    def get(self, key: str) -> Progress | None:
        """See `workqueue.engines.base.Failures`."""
        if not self._ttl:
            return None
        try:
            data = read_file(f"{self._directory}/{key}", _MAX_BYTES)
        except OSError:
            return None
        kept = _decode(data)
        # Below 0 the clock was set back; then nobody can tell.
        if kept is None or not 0 <= self._clock() - kept.at < self._ttl:
            self.forget(key)
            return None
        return Progress(fraction=1.0, returncode=kept.returncode, error=kept.error)

    def forget(self, key: str) -> None:
        """See `workqueue.engines.base.Failures`."""
        if self._ttl:
            with contextlib.suppress(OSError):
                (self._directory / key).unlink()

    def _write(self, key: str, text: str) -> None:
        # Whole or not at all: others may read it at any moment.
        path = self._directory / f".{key}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
                file.write(text)
            path.replace(self._directory / key)
        finally:
            path.unlink(missing_ok=True)

    def _forget_oldest(self) -> None:
        found = os.listdir(self._directory)  # noqa: PTH208 - names are all that is wanted, of hundreds
        names = list(filter(_OURS.fullmatch, found))
        if len(names) <= MAX_REMEMBERED:
            return
        ages: list[tuple[int, Path]] = []
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another process forgets it, too
                path = self._directory / name
                ages.append((path.lstat().st_mtime_ns, path))
        for _, path in sorted(ages)[:-MAX_REMEMBERED]:
            path.unlink(missing_ok=True)


def _decode(data: bytes) -> _Kept | None:
    """What a file says; None when it is none of ours, or was damaged."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match content:
        case [int() | float() as at, int() as returncode, str() | None as error] if (
            not isinstance(at, bool) and not isinstance(returncode, bool) and 0 < returncode <= _MAX_STATUS
        ):
            return _Kept(at, returncode, error)
    return None
