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
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from workqueue.progress import Progress

#: Each holds an error of up to 64 KiB.
MAX_REMEMBERED: Final = 256

logger = logging.getLogger("workqueue")


class Failures:
    """Runs that failed, each for `ttl` seconds, the newest MAX_REMEMBERED at most.

    Args:
        ttl: seconds; 0: nothing is remembered.
        directory: where they are kept; made with the first.
        clock: the time of day in seconds, as `time.time`: processes have no other in common.

    Raises:
        ValueError: for a ttl that is no such number.
    """

    def __init__(self, ttl: float, directory: Path, clock: Callable[[], float] = time.time) -> None:
        if not 0 <= ttl < math.inf:
            raise ValueError(f"failure_ttl must be a number of seconds, 0 or more; got {ttl!r}")
        self._ttl = ttl
        self._directory = directory
        self._clock = clock

    def remember(self, key: str, outcome: Progress) -> None:
        """Keep a run's last event, if its program exited, by itself, with a status above 0. It never raises.

        A signal, a cancellation, a full disk and a queue that closes say nothing of what the next run would do.
        """
        if not self._ttl or outcome.returncode is None or outcome.returncode <= 0:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(key, json.dumps([self._clock(), outcome.returncode, outcome.error]))
            self._forget_oldest()
        except OSError as err:
            logger.warning("cannot remember a failure: %s", err, extra={"key": key})

    def get(self, key: str) -> Progress | None:
        """The last event of this key's run that failed no longer ago."""
        if not self._ttl:
            return None
        try:
            at, returncode, error = json.loads((self._directory / key).read_bytes())
            # Below 0 the clock was set back; then nobody can tell.
            is_known = 0 <= self._clock() - at < self._ttl
        except (OSError, ValueError, TypeError):
            return None
        if not is_known:
            self.forget(key)
            return None
        return Progress(fraction=1.0, returncode=returncode, error=error)

    def forget(self, key: str) -> None:
        """Let this key run again."""
        if self._ttl:
            with contextlib.suppress(OSError):
                (self._directory / key).unlink()

    def _write(self, key: str, text: str) -> None:
        # Whole or not at all: others may read it at any moment.
        path = self._directory / f".{key}.{secrets.token_hex(4)}"
        try:
            path.touch(mode=0o600)
            path.write_text(text)
            path.replace(self._directory / key)
        finally:
            path.unlink(missing_ok=True)

    def _forget_oldest(self) -> None:
        names = os.listdir(self._directory)  # noqa: PTH208 - names are all that is wanted, of hundreds
        if len(names) <= MAX_REMEMBERED:
            return
        ages: list[tuple[int, Path]] = []
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another process forgets it, too
                path = self._directory / name
                ages.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(ages)[:-MAX_REMEMBERED]:
            path.unlink(missing_ok=True)
