"""Does something to a tree again and again, in a child that is killed before its first system call, its second, ...

Started as a process of one thread, since it forks. It prints how often it killed; what it finds wrong ends it.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workqueue.storage import DiskStorage
from workqueue.storage.archive import archived, unpack
from workqueue.storage.copies import Copies
from workqueue.storage.runs import Runs

KEY = "0" * 40
VERSION = "0123456789abcdef"

#: What changes something on the disk, or opens what is locked.
CALLS = ("chmod", "fchmod", "link", "mkdir", "open", "rename", "replace", "rmdir", "symlink", "unlink", "utime")

OLD, NEW = ["old"] * 4, ["new"] * 4


def fill(top: Path, text: str) -> None:
    for name in ("a", "b"):
        (top / name / "in").mkdir(parents=True)
        (top / name / "file").write_text(text)
        (top / name / "in" / "file").write_text(text)
    (top / "link").symlink_to("a/file")


def texts(top: Path) -> list[str]:
    if top.is_file():
        return [top.read_text()] * 4
    assert (top / "link").is_symlink()
    return [path.read_text() for path in sorted(top.glob("*/**/file"))]


def publish(storage: DiskStorage, text: str) -> None:
    with storage.workspace(KEY, form="directory") as workspace:
        fill(workspace.output, text)
        workspace.publish()


def publish_file(storage: DiskStorage, text: str) -> None:
    with storage.workspace(KEY) as workspace:
        workspace.output.write_text(text)
        workspace.publish()


def delete(storage: DiskStorage, _: str) -> None:
    storage.delete(KEY)


def evict(storage: DiskStorage, _: str) -> None:
    os.utime(storage.path(KEY), (1000, 1000))
    DiskStorage(storage.directory, max_bytes=1).evict()


def on_disk(directory: Path, first: Callable[..., None], then: Callable[..., None]) -> int:
    """Kill in the middle of what comes second; the result is that of the first, or of the second, or gone by it."""
    storage = DiskStorage(directory)

    def check() -> None:
        fresh = DiskStorage(directory)
        fresh.sweep()
        results = list(fresh.results())
        if results or then not in (delete, evict):
            with fresh.open_with_info(KEY) as (path, info):
                assert texts(path) in (OLD, NEW), texts(path)
                assert info.size in (12, 3), info
                assert info.size == results[0].size
        assert os.listdir(directory / ".tmp") == []  # noqa: PTH208
        linked = [os.readlink(path).split("/")[1] for path in directory.iterdir() if path.is_symlink()]  # noqa: PTH115
        trees = directory / ".trees"
        assert (os.listdir(trees) if trees.exists() else []) == linked  # noqa: PTH208
        fresh.delete(KEY)
        assert not trees.exists() or os.listdir(trees) == []  # noqa: PTH208

    return kill_each(lambda: first(storage, "old"), lambda: then(storage, "new"), check)


def unpacking(directory: Path) -> int:
    """Kill in the middle of a copy that is fetched from a bucket."""
    source = directory / "source"
    source.mkdir(parents=True)
    fill(source, "new")
    data = b"".join(archived(source))
    host = directory / "host"

    def fetch(path: Path) -> bool:
        path.mkdir()
        unpack(iter([data]), path)
        return True

    def hold() -> None:
        with Copies(host, None, 0o400).hold(KEY, VERSION, fetch, "directory") as path:
            assert path is not None
            assert texts(path) == NEW

    def check() -> None:
        copies = Copies(host, None, 0o400)
        Runs(host / ".tmp").sweep()
        copies.sweep()
        assert not (host / ".tmp").exists() or os.listdir(host / ".tmp") == []  # noqa: PTH208
        hold()
        assert [copy.size for copy in copies.results()] == [12]
        assert len(list(host.glob("cache/*/.trees/*"))) == 1
        copies.delete(KEY)
        assert list(host.glob("cache/*/.trees/*")) == []

    return kill_each(lambda: None, hold, check)


def kill_each(before: Callable[[], None], act: Callable[[], None], check: Callable[[], None]) -> int:
    for number in range(1, 1000):
        before()
        pid = os.fork()
        if not pid:
            try:
                kill_at(number)
                act()
            except BaseException:  # noqa: BLE001 - it must not go on as its parent
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        check()
        if status == 0:
            return number - 1
    raise AssertionError("it takes more calls than anybody expects")


def kill_at(number: int) -> None:
    """From now on count the calls of this process, and kill it in place of this one."""
    left = [number]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


SCENES: dict[str, Callable[[Path], int]] = {
    "publish": lambda directory: on_disk(directory, publish, publish),
    "file to tree": lambda directory: on_disk(directory, publish_file, publish),
    "tree to file": lambda directory: on_disk(directory, publish, publish_file),
    "delete": lambda directory: on_disk(directory, publish, delete),
    "evict": lambda directory: on_disk(directory, publish, evict),
    "unpack": unpacking,
}

if __name__ == "__main__":
    os.fsync = lambda _: None  # a process that is killed loses nothing that it has written; it is what takes the time
    sys.stdout.write(str(SCENES[sys.argv[1]](Path(sys.argv[2]))))
