"""4 host looks: which function looks at which file.

Not thread-safe: the follower's lock guards it.
"""

from collections.abc import Callable
from pathlib import Path

from workqueue.engines.host.watches import File

Look = Callable[[], None]
"""Looks at one file; called by the following thread alone."""


class Looks:
    """The functions that look, of any number of queues, for each file of the directories that are open."""

    def __init__(self) -> None:
        self._functions: dict[Path, dict[str, list[Look]]] = {}
        self._always: set[File] = set()

    @property
    def directories(self) -> list[Path]:
        """Those that are open."""
        return list(self._functions)

    @property
    def directories_with_any(self) -> list[Path]:
        """Those of which at least one file is looked at."""
        return [directory for directory, functions in self._functions.items() if functions]

    @property
    def always(self) -> list[File]:
        """The files to look at now and then whether they exist or not."""
        return list(self._always)

    def open(self, directory: Path) -> None:
        """Its files may be looked at."""
        self._functions[directory] = {}

    def close(self, directory: Path) -> None:
        """Its files are not looked at any more."""
        del self._functions[directory]

    def add(self, file: File, look: Look, *, always: bool) -> None:
        """Have one more function look at this file."""
        self._functions.setdefault(file[0], {}).setdefault(file[1], []).append(look)
        if always:
            self._always.add(file)

    def remove(self, file: File, look: Look) -> bool:
        """Have it look no more; return whether none is left that looks at this file. Idempotent."""
        # By equality, since a bound method is a new object each time.
        left = [other for other in self.of(file) if other != look]
        if left:
            self._functions[file[0]][file[1]] = left
            return False
        self._functions.get(file[0], {}).pop(file[1], None)
        self._always.discard(file)
        return True

    def of(self, file: File) -> list[Look]:
        """The functions that look at this file."""
        return list(self._functions.get(file[0], {}).get(file[1], ()))

    def files(self) -> list[File]:
        """All that is to be watched: the directories, by an empty name, and the files."""
        return [(directory, name) for directory, functions in self._functions.items() for name in ("", *functions)]
