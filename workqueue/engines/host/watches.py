"""4 host watches: files that are followed <-> the numbers by which the kernel tells of them.

Not thread-safe: the follower's lock guards it. It is held over one call to the kernel, so that nobody is told of a
number which is not noted yet.
"""

from pathlib import Path

from workqueue.engines.host.changes import LOST, Change, Changes

File = tuple[Path, str]
"""A file's directory, and its name in it; of the directory itself the name is empty."""


class Watches:
    """What the kernel tells of: directories, and of the files those alone that are followed and exist.

    Args:
        changes: where it tells.
    """

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self._files: dict[int, File] = {}
        self._numbers: dict[File, int] = {}

    @property
    def files(self) -> set[File]:
        """Those that are watched."""
        return set(self._numbers)

    def add(self, file: File) -> None:
        """Have the kernel tell of a file, if it is there; or of the one that has its name by now."""
        directory, name = file
        number = self.changes.watch_file(directory, name) if name else self.changes.watch_directory(directory)
        if number != LOST:
            self._files[number] = file
            self._numbers[file] = number

    def discard(self, file: File) -> None:
        """Have it tell no more of this file."""
        number = self._numbers.pop(file, None)
        if number is not None and self._files.pop(number, None) is not None:
            self.changes.unwatch(number)

    def discard_directory(self, directory: Path) -> None:
        """Have it tell no more of this directory, nor of any file in it."""
        for file in [file for file in self._numbers if file[0] == directory]:
            self.discard(file)

    def file_of(self, change: Change) -> File | None:
        """Of which file this tells; None when it is of none that is watched any more."""
        watched = self._files.get(change.number)
        if watched is None:
            return None
        if change.is_over:
            self._forget(change.number)
            return None
        directory, name = watched
        return directory, name or change.name

    def _forget(self, number: int) -> None:
        file = self._files.pop(number)
        if self._numbers.get(file) == number:  # not that of another, which has taken its name
            del self._numbers[file]
