"""Directories that programs leave: what is no result is refused in words that say what to do; the rest is made ours."""

import contextlib
import os
import socket
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from workqueue.errors import OutputError, ResultNotFound, StorageError
from workqueue.storage import DiskStorage, tree_output

KEY = "0" * 40


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "results")


@contextlib.contextmanager
def as_ordinary_user(directory: Path) -> Iterator[None]:
    """Become another user if this is root, who may read any directory, whatever its permissions."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(directory, 54321, 54321)  # numbers without a name will do
    os.setegid(54321)
    os.seteuid(54321)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def publish(storage: DiskStorage, leave: Callable[[Path], object]) -> None:
    with storage.workspace(KEY, form="directory") as workspace:
        leave(workspace.output)
        workspace.publish()


def refused(storage: DiskStorage, leave: Callable[[Path], object], words: str) -> None:
    """It is refused in these words, and nothing is left of it."""
    with pytest.raises(OutputError, match=words):
        publish(storage, leave)
    with pytest.raises(ResultNotFound), storage.open(KEY):
        pass
    assert sorted(path.name for path in storage.directory.iterdir()) == [".tmp"]
    assert list((storage.directory / ".tmp").iterdir()) == []


def with_file(leave: Callable[[Path], object]) -> Callable[[Path], None]:
    def both(top: Path) -> None:
        (top / "file").write_bytes(b"built")
        (top / "in").mkdir()
        leave(top)

    return both


def a_socket(top: Path) -> None:
    # Bound by a short name: the path of a socket has room for 107 bytes.
    fd = os.open(top / "in", os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{fd}/s")
    finally:
        os.close(fd)


def deep(top: Path) -> None:
    for _ in range(tree_output.MAX_DEPTH + 1):
        top = top / "d"
        top.mkdir()


def a_file_in_its_place(top: Path) -> None:
    top.rmdir()
    top.write_bytes(b"built")


def a_link_in_its_place(top: Path) -> None:
    real = top.with_name("real")
    top.rename(real)
    (real / "file").write_bytes(b"built")
    top.symlink_to("real")


def a_pipe_in_its_place(top: Path) -> None:
    top.rmdir()
    os.mkfifo(top)


def empty_ones(top: Path) -> None:
    (top / "d" / "e").mkdir(parents=True)


def a_link_to_nothing(top: Path) -> None:
    (top / "link").symlink_to("link")


def nothing(_: Path) -> None:
    pass


EMPTY = "it should have written files to its output directory, which is empty"


@pytest.mark.parametrize(
    ("leave", "words"),
    [
        (nothing, EMPTY),
        (empty_ones, EMPTY),
        (a_link_to_nothing, EMPTY),
        (Path.rmdir, "Failed to stat output directory: .*No such file"),
        (a_file_in_its_place, "its output must be a directory .*; it left a file"),
        (a_link_in_its_place, "its output must be a directory .*; it left a link"),
        (a_pipe_in_its_place, "its output must be a directory .*; it left a link, pipe or device"),
        (with_file(lambda top: os.mkfifo(top / "in" / "p")), "holds a socket, pipe or device, 'in/p'; it must remove"),
        (with_file(lambda top: (top / "l").symlink_to("/etc/passwd")), "symbolic link, 'l', that may lead out of it"),
        (with_file(lambda top: (top / "l").symlink_to(top / "file")), "copy what it leads to, or make it relative"),
        (with_file(lambda top: (top / "in" / "l").symlink_to("../../x")), "symbolic link, 'in/l', that may lead out"),
        (with_file(lambda top: (top / "l").symlink_to("in/..")), "with no '..' but at its beginning"),
        (deep, "nested deeper than 100 directories"),
    ],
)
def test_what_is_no_result_is_refused(storage: DiskStorage, leave: Callable[[Path], object], words: str) -> None:
    refused(storage, leave, words)


@pytest.mark.skipif(sys.platform != "linux", reason="the path of a socket is too short elsewhere")
def test_a_socket_is_refused(storage: DiskStorage) -> None:
    refused(storage, with_file(a_socket), "holds a socket, pipe or device, 'in/s'; it must remove")


def a_database(path: Path, mode: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("CREATE TABLE t (x)")


def test_a_database_in_it_must_be_closed_and_readable_for_who_may_not_write(storage: DiskStorage) -> None:
    refused(storage, lambda top: a_database(top / "db", "WAL"), r"PRAGMA journal_mode=DELETE .*\('db'\)")

    def with_journal(top: Path) -> None:
        a_database(top / "db", "DELETE")
        (top / "db-journal").write_bytes(b"open")

    refused(storage, with_journal, r"an SQLite journal beside .* close the database .*\('db'\)")
    publish(storage, lambda top: a_database(top / "db", "DELETE"))
    with storage.open(KEY) as path, contextlib.closing(sqlite3.connect(f"file:{path}/db?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_what_is_called_like_a_journal_of_no_database_is_a_file(storage: DiskStorage) -> None:
    publish(storage, lambda top: [(top / name).write_bytes(b"x") for name in ("a", "a-wal", "a-journal")])
    with storage.open(KEY) as path:
        assert (names_in(path)) == ["a", "a-journal", "a-wal"]


def test_all_of_it_is_read_only_and_links_within_are_kept(storage: DiskStorage) -> None:
    def leave(top: Path) -> None:
        (top / "in" / "deep").mkdir(parents=True)
        (top / "in" / "deep" / "file").write_bytes(b"built")
        (top / "in" / "up").symlink_to("../in/deep")
        (top / "nowhere").symlink_to("missing")
        (top / "in").chmod(0o777)

    publish(storage, leave)
    with storage.open(KEY) as path:
        assert (path / "in" / "up" / "file").read_bytes() == b"built"
        assert (path / "nowhere").is_symlink()
        modes = {item.name: stat.S_IMODE(item.lstat().st_mode) for item in path.rglob("*") if not item.is_symlink()}
        assert modes == {"in": 0o500, "deep": 0o500, "file": 0o400}
        assert stat.S_IMODE(path.stat().st_mode) == 0o500


def test_the_permissions_are_those_of_the_storage(tmp_path: Path) -> None:
    storage = DiskStorage(tmp_path / "results", 0o440)
    publish(storage, with_file(lambda _: None))
    with storage.open(KEY) as path:
        assert [stat.S_IMODE(item.stat().st_mode) for item in (path, path / "in", path / "file")] == [
            0o550,
            0o550,
            0o440,
        ]
        # Whose group may read it may come to it.
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_directory_may_be_removed_and_made_anew(storage: DiskStorage) -> None:
    def leave(top: Path) -> None:
        top.rmdir()
        top.mkdir()
        (top / "file").write_bytes(b"built")

    publish(storage, leave)
    with storage.open(KEY) as path:
        assert (path / "file").read_bytes() == b"built"


def test_what_has_another_name_is_copied(storage: DiskStorage, tmp_path: Path) -> None:
    cache = tmp_path / "a file of the program's own"
    cache.write_bytes(b"version 1")
    cache.chmod(0o640)

    def leave(top: Path) -> None:
        (top / "in").mkdir()
        os.link(cache, top / "in" / "a")
        (top / "b").write_bytes(b"twice")
        os.link(top / "b", top / "c")

    publish(storage, leave)
    assert (stat.S_IMODE(cache.stat().st_mode), cache.stat().st_nlink) == (0o640, 1)
    cache.write_bytes(b"version 2")
    with storage.open(KEY) as path:
        found = {item.name: (item.read_bytes(), item.stat().st_nlink) for item in path.rglob("*") if item.is_file()}
        assert found == {"a": (b"version 1", 1), "b": (b"twice", 1), "c": (b"twice", 1)}
        assert (names_in(path)) == ["b", "c", "in"]


def test_the_entries_and_bytes_of_a_directory_are_counted(tmp_path: Path) -> None:
    top = tmp_path / "out"
    (top / "in").mkdir(parents=True)
    (top / "in" / "file").write_bytes(b"built")
    (top / "link").symlink_to("in/file")
    with tree_output.owned_tree(top, 0o400, is_to_last=False) as tree:
        assert (tree.size, tree.n_entries) == (5, 3)


def test_a_file_that_nobody_else_can_change_is_not_copied(storage: DiskStorage) -> None:
    """To copy a large directory would take minutes, and as much room again."""
    left = {}

    def leave(top: Path) -> None:
        with_file(lambda _: None)(top)
        left["file"] = (top / "file").stat().st_ino

    publish(storage, leave)
    with storage.open(KEY) as path:
        assert (path / "file").stat().st_ino == left["file"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a file is open for writing")
def test_who_still_has_a_file_open_for_writing_changes_no_result(storage: DiskStorage) -> None:
    with (
        storage.workspace(KEY, form="directory") as workspace,
        (workspace.output / "file").open("wb", buffering=0) as writer,
    ):
        writer.write(b"built")
        workspace.publish()
        writer.write(b" and changed")
    with storage.open_with_info(KEY) as (path, info):
        assert (path / "file").read_bytes() == b"built"
        assert info.size == 5


def test_a_directory_that_its_program_closed_is_looked_at_all_the_same() -> None:
    def leave(top: Path) -> None:
        (top / "in").mkdir()
        (top / "in" / "file").write_bytes(b"built")
        (top / "in").chmod(0)
        top.chmod(0)

    # Not below tmp_path, which another user cannot enter.
    with tempfile.TemporaryDirectory() as directory, as_ordinary_user(Path(directory)):
        storage = DiskStorage(directory)
        publish(storage, leave)
        with storage.open(KEY) as path:
            assert (path / "in" / "file").read_bytes() == b"built"


def test_few_descriptors_are_open_at_once_and_none_is_left(storage: DiskStorage, mocker: MockerFixture) -> None:
    most = 0
    check = tree_output.check_database

    def look(fd: int, path: Path) -> None:
        nonlocal most
        most = max(most, len(names_in(Path("/dev/fd"))))
        check(fd, path)

    mocker.patch.object(tree_output, "check_database", look)

    def leave(top: Path) -> None:
        for i in range(30):
            (top / f"d{i}" / "e").mkdir(parents=True)
            for j in range(10):
                (top / f"d{i}" / "e" / str(j)).write_bytes(b"x")

    before = len(names_in(Path("/dev/fd")))
    publish(storage, leave)
    assert most - before < 10
    assert len(names_in(Path("/dev/fd"))) == before


def test_a_disk_that_cannot_keep_it_is_an_error_and_nothing_is_left(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    mocker.patch.object(tree_output, "flush", side_effect=OSError(5, "Input/output error"))
    with pytest.raises(StorageError, match="Input/output error"):
        publish(storage, with_file(lambda _: None))
    assert not storage.has(KEY)
    assert list((storage.directory / ".tmp").iterdir()) == []
