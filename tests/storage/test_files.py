"""Files that are held are not evicted, by whichever process; and nothing that is not ours is touched."""

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from workqueue.storage.base import StoredResult
from workqueue.storage.files import Files
from workqueue.system import locks

KEY = "0" * 40


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, re.compile("([0-9a-f]{40})"))


def write(files: Files, name: str = KEY, data: bytes = b"x", at: float = 1000.0) -> Path:
    path = files.path(name)
    path.write_bytes(data)
    os.utime(path, (at, at))
    return path


def touched(files: Files) -> None:
    files.touch(KEY)


def held(files: Files) -> None:
    with files.hold(KEY):
        pass


def test_a_held_file_is_not_removed_and_is_once_it_is_let_go(files: Files) -> None:
    write(files)
    with files.hold(KEY) as path, files.hold(KEY):
        assert files.remove(KEY) is False
        assert path.exists()
    assert files.remove(KEY) is True
    assert not path.exists()


HOLDER = """
import re, sys
from pathlib import Path
from workqueue.storage.files import Files
with Files(Path(sys.argv[1]), re.compile("x")).hold(sys.argv[2]):
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_what_another_process_holds_stays_until_it_dies(files: Files) -> None:
    write(files)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, files.directory, KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        assert files.remove(KEY) is False
        process.kill()
        process.wait()
        assert files.remove(KEY) is True


def test_a_forked_child_keeps_nothing_held(files: Files) -> None:
    write(files)
    ours, childs = socket.socketpair()
    with ours, childs:
        with files.hold(KEY):
            pid = os.fork()
            if pid == 0:
                ours.close()
                childs.send(b"lives")
                childs.recv(1)
                os._exit(0)
        childs.close()
        assert ours.recv(5) == b"lives"
        assert files.remove(KEY) is True
    os.waitpid(pid, 0)


def test_to_hold_is_to_use_and_changes_no_time_of_publication(files: Files) -> None:
    path = write(files)
    with files.hold(KEY):
        pass
    status = path.stat()
    assert status.st_mtime == 1000.0
    assert status.st_atime > 1000.0


@pytest.mark.parametrize(
    "make",
    [lambda _: None, Path.mkdir, lambda path: path.symlink_to("/etc/hostname"), os.mkfifo],
    ids=["nothing", "directory", "link", "pipe"],
)
def test_what_is_no_file_of_ours_is_not_there(files: Files, make: Callable[[Path], object]) -> None:
    make(files.path(KEY))
    assert files.status(KEY) is None
    assert list(files.entries()) == []
    with pytest.raises(FileNotFoundError), files.hold(KEY):
        pass


def test_only_what_is_named_as_ours_is_listed(files: Files) -> None:
    write(files)
    for name in ("README", ".evict", "0" * 39, "0" * 41, "G" * 40):
        write(files, name)
    assert list(files.entries()) == [(KEY, StoredResult(KEY, 1, 1000.0, 1000.0))]


def write_beside(files: Files, name: str = KEY) -> set[str]:
    """What readers of a database may leave beside it, and names of others; return the latter."""
    for end in ("-wal", "-shm", "-journal"):
        write(files, name + end)
    theirs = {f"{name}{end}" for end in ("-wal2", "-WAL", ".wal", "-", "-journal~", "-wal-shm")} | {f"x{name}-wal"}
    for other in theirs:
        write(files, other)
    return theirs


def names(files: Files) -> set[str]:
    return {path.name for path in files.directory.iterdir()}


def test_what_readers_left_beside_a_file_is_no_file_of_ours(files: Files) -> None:
    write(files)
    write_beside(files)
    assert [name for name, _ in files.entries()] == files.names() == [KEY]


def removed(files: Files) -> None:
    assert files.remove(KEY) is True


def taken(files: Files) -> None:
    files.take(KEY)


@pytest.mark.parametrize("remove", [removed, taken])
def test_what_readers_left_beside_a_file_goes_with_it(files: Files, remove: Callable[[Files], None]) -> None:
    write(files)
    theirs = write_beside(files)
    remove(files)
    assert names(files) == theirs


def test_what_readers_left_beside_a_file_stays_with_it(files: Files) -> None:
    write(files)
    write_beside(files)
    before = names(files)
    with files.hold(KEY):
        assert files.remove(KEY) is False
    files.remove_strays()
    assert names(files) == before


def test_what_readers_left_is_gone_before_another_file_gets_the_name(files: Files) -> None:
    """A database's new version would be read with the old one's log."""
    write(files)
    theirs = write_beside(files)
    with files.replacing(KEY):
        assert names(files) == {KEY} | theirs
        write(files, data=b"new")
        write(files, f"{KEY}-shm")  # somebody opens the old one at this moment
    assert names(files) == {KEY} | theirs


def test_what_readers_left_beside_files_that_are_gone_is_removed(files: Files) -> None:
    theirs = write_beside(files)
    files.path(f"{'1' * 40}-wal").mkdir()
    files.remove_strays()
    assert names(files) == {f"{'1' * 40}-wal"} | theirs
    Files(files.directory / "none", re.compile("x")).remove_strays()


def test_a_directory_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert list(Files(tmp_path / "none", re.compile("x")).entries()) == []


def test_a_file_that_took_the_place_of_the_one_meant_stays(files: Files) -> None:
    seen = StoredResult(KEY, 1, 1000.0, 1000.0)
    write(files, at=1001.0)
    assert files.remove(KEY, seen=seen) is False
    write(files, at=1000.0)
    assert files.remove(KEY, seen=seen) is True
    assert files.remove(KEY, seen=seen) is True


@pytest.mark.parametrize("use", [touched, held])
def test_a_file_that_was_used_since_the_evictor_looked_stays(files: Files, use: Callable[[Files], None]) -> None:
    write(files, at=1000.0)
    [(_, seen)] = files.entries()
    use(files)
    assert files.remove(KEY, seen=seen) is False
    assert files.path(KEY).exists()


@pytest.mark.parametrize("use", [touched, held])
def test_a_file_that_takes_the_place_of_one_that_is_being_used_keeps_its_time(
    files: Files, monkeypatch: pytest.MonkeyPatch, use: Callable[[Files], None]
) -> None:
    write(files, at=1000.0)
    utime = os.utime

    def replace_first(*of: object, **times: object) -> None:
        new = files.directory / "new"
        new.write_bytes(b"new")
        utime(new, (2000.0, 2000.0))
        new.replace(files.path(KEY))
        utime(*of, **times)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "utime", replace_first)
    use(files)
    assert files.path(KEY).stat().st_mtime == 2000.0


def test_an_evictor_that_is_about_to_remove_a_file_does_not_remove_the_one_that_replaces_it(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who replaces it waits, from the evictor's last look until the file is gone."""
    path = write(files, data=b"old")
    new = tmp_path / "new"
    new.write_bytes(b"new")
    unlink = Path.unlink
    waits = threading.Event()
    lock = locks.lock

    def say_first(fd: int, *, shared: bool) -> None:
        waits.set()
        lock(fd, shared=shared)

    def replace() -> None:
        with files.replacing(KEY):
            new.replace(path)
        waits.set()

    def replace_first(path: Path) -> None:
        publisher.start()
        assert waits.wait(30)
        unlink(path)

    publisher = threading.Thread(target=replace)
    monkeypatch.setattr("workqueue.storage.files.lock", say_first)
    monkeypatch.setattr(Path, "unlink", replace_first)
    assert files.remove(KEY) is True
    publisher.join()
    assert path.read_bytes() == b"new"


def test_what_cannot_be_looked_at_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), Files(tmp_path / "file", re.compile("x")).hold(KEY):
        pass


def test_a_file_that_is_replaced_while_its_lock_is_waited_for_is_not_the_one_held(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the window between open and lock the evictor takes it away and another is published."""
    write(files, data=b"old")
    lock, n_locks = locks.lock, []

    def replace_first(fd: int, *, shared: bool) -> None:
        if not n_locks:
            files.path(KEY).unlink()
            write(files, data=b"new")
        n_locks.append(fd)
        lock(fd, shared=shared)

    monkeypatch.setattr("workqueue.storage.files.lock", replace_first)
    with files.hold(KEY) as path:
        assert path.read_bytes() == b"new"
        assert files.remove(KEY) is False
    assert len(n_locks) == 2


def test_a_file_that_is_removed_while_its_lock_is_waited_for_is_not_there(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files)
    monkeypatch.setattr("workqueue.storage.files.lock", lambda *_, **__: files.path(KEY).unlink())
    with pytest.raises(FileNotFoundError), files.hold(KEY):
        pass


def test_without_locks_files_are_read_and_never_evicted(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(37, "No locks available")

    write(files)
    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with files.hold(KEY) as path:
        assert path.read_bytes() == b"x"
    with pytest.raises(OSError, match="No locks available"):
        files.remove(KEY)
    assert files.path(KEY).exists()


def test_a_file_that_may_not_be_touched_is_held_all_the_same(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = write(files)
    path.chmod(0o440)
    monkeypatch.setattr(os, "utime", refuse)
    with files.hold(KEY) as held:
        assert stat.S_IMODE(held.stat().st_mode) == 0o440
