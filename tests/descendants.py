"""The processes that a process has started, and those that they have, to see whether any is left."""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple


class _Process(NamedTuple):
    """One, and no other that is given its number later."""

    pid: int
    began: str

    @property
    def is_there(self) -> bool:
        """Whether it lives."""
        return _seen(self.pid) == self and _state(self.pid) != "Z"


class Descendants:
    """Those that a process has at this moment; none where there is no /proc."""

    def __init__(self, pid: int) -> None:
        self._found: set[_Process] = set()
        self._add(pid)

    def _add(self, parent: int) -> None:
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                for pid in map(int, file.read_text().split()):
                    if (process := _seen(pid)) is not None and process not in self._found:
                        self._found.add(process)
                        self._add(pid)

    def __len__(self) -> int:
        return len(self._found)

    def wait_gone(self, timeout: float = 10.0) -> None:
        """Wait until none of them lives any more, or fail."""
        deadline = time.monotonic() + timeout
        while left := [process for process in self._found if process.is_there]:
            assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid, _ in left]
            time.sleep(0.005)


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _seen(pid: int) -> _Process | None:
    fields = _fields(pid)
    return _Process(pid, fields[19]) if fields else None


def _state(pid: int) -> str:
    return (_fields(pid) or ["Z"])[0]
