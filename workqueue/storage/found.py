"""1 and 5 found: what a file or a tree is that has a name, or that a reader holds."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from workqueue.storage.trees import Tree


class Found(NamedTuple):
    """What a file or a tree is; of the latter, its directory."""

    status: os.stat_result
    tree: Tree | None

    @property
    def size(self) -> int:
        """In bytes."""
        return self.status.st_size if self.tree is None else self.tree.size

    @property
    def etag(self) -> str:
        """Names this publication: 16 hexadecimal digits.

        The time of a file's is in nanoseconds, so one that gets the inode of one that was removed has another.
        """
        if self.tree is not None:
            return self.tree.etag
        text = f"{self.status.st_ino} {self.status.st_mtime_ns} {self.status.st_size}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Held(NamedTuple):
    """A file, or a tree, that nobody evicts."""

    fd: int
    """Open for reading."""

    path: Path
    """Where it lies. A tree's is never another's; a file's is, once it was replaced."""

    tree: Tree | None
    """What kind of tree; None: it is a file."""

    def found(self) -> Found:
        """What it is."""
        return Found(os.fstat(self.fd), self.tree)
