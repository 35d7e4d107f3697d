"""1 and 5 trees: directories that are published as one, below a directory of links that name them.

A directory cannot take another's place by a rename, but a link can. So ``<directory>/<name>`` is a symbolic link to
``.trees/<name>.<16 hexadecimal digits>.<size>``, which is a directory that nobody else will ever be: its digits are
random. What leads anywhere else is not ours.

* A reader holds a shared flock on the tree, and has looked again, with the lock, whether the link still names it.
* Who publishes holds one, too, from before the tree comes here until the link names it.
* So a tree that no link names, and that can be locked exclusively, is dead for good, and whoever finds it removes it:
  the one that replaced it, its last reader, or a sweep. Who evicts one takes the exclusive lock, without waiting, and
  removes the link first.
"""

import contextlib
import logging
import os
import re
import secrets
import stat
import time
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.storage.flushing import flush_directory
from workqueue.storage.removal import remove_tree
from workqueue.storage.tree_output import OutputTree
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import lock, try_lock
from workqueue.system.own_files import give_to_owner, make_directory, open_directory

logger = logging.getLogger("workqueue")

_PARENT: Final = ".trees"
_LABEL: Final = re.compile(r"(?P<name>[^/]+)\.(?P<etag>[0-9a-f]{16})\.(?P<size>[0-9]{1,19})")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree(NamedTuple):
    """A tree that a link names."""

    label: str
    """What it is called in its directory."""

    etag: str
    """16 hexadecimal digits, other ones for every tree."""

    size: int
    """Of all its files, in bytes."""


class Trees:
    """The trees of one directory. Callable from any thread and any number of processes.

    Args:
        directory: where the links are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._trees = directory / _PARENT

    def linked(self, name: str) -> Tree | None:
        """The tree that the link of this name leads to; None if it is no such link."""
        try:
            target = os.readlink(f"{self._directory}/{name}")  # noqa: PTH115 - a Path takes longer to make
        except OSError:
            return None
        match = _LABEL.fullmatch(target.removeprefix(f"{_PARENT}/"))
        if match is None or match["name"] != name or not target.startswith(f"{_PARENT}/"):
            return None
        return Tree(match[0], match["etag"], int(match["size"]))

    def path(self, tree: Tree) -> Path:
        """Where it lies: a path that never becomes another's."""
        return self._trees / tree.label

    def status(self, tree: Tree) -> os.stat_result | None:
        """That of the tree's directory, whose times are those of the result; None without one."""
        try:
            status = os.lstat(f"{self._trees}/{tree.label}")
        except OSError:
            return None
        return status if stat.S_ISDIR(status.st_mode) else None

    def open(self, tree: Tree) -> int:
        """Open it, with `open_own`.

        Raises:
            OSError: it is not there, or cannot be opened.
        """
        parent = open_directory(self._trees)
        try:
            return open_own(lambda: os.open(tree.label, _DIRECTORY, dir_fd=parent))
        finally:
            os.close(parent)

    def publish(self, name: str, output: OutputTree, *, is_to_last: bool) -> Tree:
        """Make it the tree of this name, in place of what has it: a file, or a link.

        Args:
            name: the link's.
            output: which loses its name; the link is made beside it first, in the run's private directory.
            is_to_last: whether the name is to outlast a power cut.

        Raises:
            OSError: it is not in its place; or it is, and may not outlast a power cut.
        """
        self._make_parent(output.mode)
        tree = Tree(f"{name}.{secrets.token_hex(8)}.{output.size}", "", output.size)
        tree = tree._replace(etag=tree.label.split(".")[-2])
        # Where there are no locks, nobody removes anything.
        with contextlib.suppress(OSError):
            lock(output.fd, shared=True)
        try:
            self._move_in(output, tree, is_to_last=is_to_last)
            link = output.path.with_name("link")
            link.symlink_to(f"{_PARENT}/{tree.label}")
            give_to_owner(link)
            os.replace(link, self._directory / name)  # noqa: PTH105 - beside the rename it belongs with
            if is_to_last:
                _flush(self._directory)
        finally:
            if self.linked(name) != tree:
                self._remove_locked(output.fd, tree.label)
        return tree

    def remove_if_dead(self, name: str, tree: Tree) -> None:
        """Remove a tree that no link names, unless somebody has it open; it never raises."""
        if self.linked(name) == tree:
            return
        with contextlib.suppress(OSError):
            fd = self.open(tree)
            try:
                # Looked at again: it may have been on its way to its link.
                if try_lock(fd) and self.linked(name) != tree:
                    self._remove(tree.label)
            finally:
                close_own(fd)

    def remove(self, name: str, tree: Tree) -> None:
        """Remove the link, and the tree that it names, whose exclusive lock the caller has.

        Raises:
            OSError: the link cannot be removed.
        """
        os.unlink(f"{self._directory}/{name}")  # noqa: PTH108 - a Path takes longer to make
        # First: what is left, should this process die in between, is a dead tree.
        self._remove(tree.label)

    def remove_dead(self) -> None:
        """Remove all that no link names and nobody has open; it never raises."""
        try:
            labels = os.listdir(self._trees)  # noqa: PTH208 - names are all that is wanted
        except OSError:
            return
        for match in filter(None, map(_LABEL.fullmatch, labels)):
            self.remove_if_dead(match["name"], Tree(match[0], match["etag"], int(match["size"])))

    def _make_parent(self, mode: int) -> None:
        """Make the directory of all trees; who may read a tree, such as a group, must come through it."""
        make_directory(self._trees)
        wanted = 0o700 | (mode & 0o077)
        if stat.S_IMODE(os.lstat(self._trees).st_mode) != wanted:
            self._trees.chmod(wanted)

    def _move_in(self, output: OutputTree, tree: Tree, *, is_to_last: bool) -> None:
        os.rename(output.path, self.path(tree))  # noqa: PTH104 - as above
        os.fchmod(output.fd, output.mode)
        now = time.time_ns()
        os.utime(output.fd, ns=(now, now))
        if is_to_last:
            flush_directory(output.fd)
            _flush(self._trees)

    def _remove_locked(self, fd: int, label: str) -> None:
        """Remove what could not be published, if it came so far."""
        with contextlib.suppress(OSError):
            if try_lock(fd):
                self._remove(label)

    def _remove(self, label: str) -> None:
        try:
            parent = open_directory(self._trees)
        except OSError:
            return
        try:
            remove_tree(label, parent)
        except FileNotFoundError:
            pass
        except OSError:
            logger.exception("cannot remove %s", label)
        finally:
            os.close(parent)


def _flush(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flush_directory(fd)
    finally:
        os.close(fd)
