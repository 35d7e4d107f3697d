"""4 host soon: a writer closed a file -> the moments at which to look at it again.

A file's last writer, when it dies, closes the file first and loses its lock a moment later.
"""

from typing import Final, NamedTuple

from workqueue.engines.host.watches import File

#: Seconds after a writer closed a file at which to look again.
_LOOKS_AFTER_CLOSE: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)


class _Entry(NamedTuple):
    at: float
    file: File


class Soon:
    """Files to look at again. Used by one thread. All times are of `time.monotonic`."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    @property
    def next_at(self) -> float | None:
        """When the next is due; None when none is."""
        return min((entry.at for entry in self._entries), default=None)

    def was_closed(self, file: File, now: float) -> None:
        """Look at it some more times, at growing distances."""
        self._entries += [_Entry(now + seconds, file) for seconds in _LOOKS_AFTER_CLOSE]

    def take_due(self, now: float) -> set[File]:
        """Those that are due by now, which are not due any more."""
        due = {entry.file for entry in self._entries if entry.at <= now}
        self._entries = [entry for entry in self._entries if entry.at > now]
        return due
