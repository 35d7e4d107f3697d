"""Does something to a large tree again and again, in a child that is killed at a random moment of it.

``python -m benchmarks.tree_kills SCENE DIRECTORY FILES BYTES ROUNDS SEED``, as `benchmarks.faults` starts it: a process
of one thread, since it forks. It prints how many of the children were killed; what it finds wrong ends it, with
status 1.

The same with a small tree, killed before each system call, is `tests/storage/tree_kills.py`.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from workqueue.storage import DiskStorage
from workqueue.storage.archive import archived, unpack
from workqueue.storage.copies import Copies
from workqueue.storage.runs import Runs

KEY = "0" * 40
VERSION = "0123456789abcdef"

OLD, NEW = b"o", b"n"

_BLOCK = 2**20
_FILES_A_DIRECTORY = 100


class Tree:
    """A directory of `n_files` files of `n_bytes` each, all of whose bytes are the same."""

    def __init__(self, n_files: int, n_bytes: int) -> None:
        self.n_files = n_files
        self.n_bytes = n_bytes

    def fill(self, top: Path, byte: bytes) -> None:
        """Write it into an empty directory."""
        block = byte * min(self.n_bytes, _BLOCK)
        for i in range(self.n_files):
            path = top / str(i // _FILES_A_DIRECTORY) / str(i)
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as file:
                for _ in range(self.n_bytes // len(block)):
                    file.write(block)

    def version(self, top: Path) -> bytes:
        """Which byte all of it is.

        Raises:
            AssertionError: it is torn: not whole, or of two versions.
        """
        files = [path for path in top.rglob("*") if path.is_file()]
        assert len(files) == self.n_files, len(files)
        found = {byte for path in files for byte in self._bytes(path)}
        assert len(found) == 1, found
        return bytes(found)

    def _bytes(self, path: Path) -> set[int]:
        assert path.stat().st_size == self.n_bytes, path
        with path.open("rb") as file:
            return {byte for block in iter(lambda: file.read(_BLOCK), b"") for byte in set(block)}


class Disk:
    """A tree that is replaced, or evicted, in a storage on disk."""

    def __init__(self, directory: Path, tree: Tree) -> None:
        self._directory = directory
        self._tree = tree

    def before(self) -> None:
        """There is an old one."""
        self._publish(OLD)

    def replace(self) -> None:
        """Publish a new one."""
        self._publish(NEW)

    def evict(self) -> None:
        """Take it away, as the least recently used."""
        os.utime(DiskStorage(self._directory).path(KEY), (1000, 1000))
        DiskStorage(self._directory, max_bytes=1).evict()

    def check(self, allowed: set[bytes | None]) -> None:
        """It is whole, of one version, and nothing else is left; then it goes."""
        storage = DiskStorage(self._directory)
        storage.sweep()
        found = self._tree.version(storage.path(KEY)) if storage.has(KEY) else None
        assert found in allowed, found
        n_trees = 0 if found is None else 1
        trees = self._directory / ".trees"
        assert len(list(trees.iterdir()) if trees.exists() else []) == n_trees
        assert list((self._directory / ".tmp").iterdir()) == []
        storage.delete(KEY)
        assert not trees.exists() or list(trees.iterdir()) == []

    def _publish(self, byte: bytes) -> None:
        with DiskStorage(self._directory).workspace(KEY, form="directory") as workspace:
            self._tree.fill(workspace.output, byte)
            workspace.publish()


class Copy:
    """A tree that is unpacked, as it comes from a bucket, into a host's copies."""

    def __init__(self, directory: Path, tree: Tree) -> None:
        self._host = directory / "host"
        self._packed = directory / "packed"
        self._tree = tree
        source = directory / "source"
        source.mkdir()
        tree.fill(source, NEW)
        with self._packed.open("wb") as file:
            file.writelines(archived(source))

    def unpack(self) -> None:
        """Fetch it, and look at it."""
        with Copies(self._host, None, 0o400).hold(KEY, VERSION, self._fetch, "directory") as path:
            assert path is not None
            assert self._tree.version(path) == NEW

    def check(self) -> None:
        """It is whole, or can be fetched; nothing else is left; then it goes."""
        Runs(self._host / ".tmp").sweep()
        copies = Copies(self._host, None, 0o400)
        copies.sweep()
        assert not (self._host / ".tmp").exists() or list((self._host / ".tmp").iterdir()) == []
        self.unpack()
        assert len(list(self._host.glob("cache/*/.trees/*"))) == 1
        copies.delete(KEY)
        assert list(self._host.glob("cache/*/.trees/*")) == []

    def _fetch(self, path: Path) -> bool:
        path.mkdir()
        unpack(self._blocks(), path)
        return True

    def _blocks(self) -> Iterator[bytes]:
        with self._packed.open("rb") as file:
            yield from iter(lambda: file.read(_BLOCK), b"")


def kill_each(
    n_rounds: int, seed: int, before: Callable[[], None], act: Callable[[], None], check: Callable[[], None]
) -> int:
    """Kill in the middle of `act`, at random, so many times; return how often it had not ended by itself."""
    chosen = random.Random(seed)
    before()
    began = time.monotonic()
    act()
    seconds = time.monotonic() - began
    check()
    n_killed = 0
    for _ in range(n_rounds):
        before()
        pid = os.fork()
        if not pid:
            act()
            os._exit(0)
        time.sleep(chosen.uniform(0, seconds))  # an injection at random, not an order of things
        os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        n_killed += status != 0
        check()
    return n_killed


def main(scene: str, directory: Path, n_files: int, n_bytes: int, *moments: int) -> int:
    """Play one scene; return how many children were killed."""
    tree = Tree(n_files, n_bytes)
    n_rounds, seed = moments
    if scene == "unpack":
        copy = Copy(directory, tree)
        return kill_each(n_rounds, seed, lambda: None, copy.unpack, copy.check)
    disk = Disk(directory / "storage", tree)
    act, allowed = {"replace": (disk.replace, {OLD, NEW}), "evict": (disk.evict, {OLD, None})}[scene]
    return kill_each(n_rounds, seed, disk.before, act, lambda: disk.check(allowed))


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])))
