"""Files and directories of ours: nothing else that has their names is opened, listed or made another's."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workqueue import StorageError, WorkQueue
from workqueue.system.own_files import (
    check_owner,
    make_directory,
    open_directory,
    open_file,
    read_file,
)
from workqueue.testing import ManualEngine

#: Nobody's; a number without a name will do.
OTHER = 54321

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def link(path: Path) -> None:
    path.with_name("target").write_text("mine")
    path.symlink_to(path.with_name("target"))


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, link, dangling_link, circle])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT])
def test_only_a_regular_file_is_opened_and_nothing_is_waited_for(
    tmp_path: Path, make: Callable[[Path], None], flags: int
) -> None:
    make(tmp_path / "file")
    with pytest.raises(OSError, match=r"regular file|symbolic link|Is a directory"):
        open_file(tmp_path / "file", flags)


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="too large"):
        read_file(tmp_path / "file", 4)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_whatever_the_umask_nobody_else_writes_where_we_have_made_it(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        make_directory(tmp_path / "var" / "storage" / ".jobs")
        os.close(open_file(tmp_path / "var" / "storage" / ".jobs" / "file", os.O_RDWR | os.O_CREAT))
    assert mode_of(tmp_path / "var") == 0o755 & ~mask
    assert mode_of(tmp_path / "var" / "storage") == 0o755 & ~mask
    assert mode_of(tmp_path / "var" / "storage" / ".jobs") == 0o700
    assert mode_of(tmp_path / "var" / "storage" / ".jobs" / "file") == 0o600


@pytest.mark.parametrize("name", ["file", "dangling", "file/below", "dangling/below"])
def test_a_directory_that_cannot_be_made_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(OSError, match=r"exists|Not a directory|No such file"):
        make_directory(tmp_path / name)


@pytest.mark.parametrize("is_made", ["storage", "storage/.jobs"])
def test_a_directory_that_another_process_is_making_too_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_made: str
) -> None:
    """The other has made the parent, or all, just after we found that the parent is missing."""
    mkdir = Path.mkdir

    def racing(path: Path, mode: int = 0o777, **options: bool) -> None:
        try:
            mkdir(path, mode, **options)
        except FileNotFoundError:
            mkdir(tmp_path / is_made, parents=True)
            raise

    monkeypatch.setattr(Path, "mkdir", racing)
    make_directory(tmp_path / "storage" / ".jobs")
    assert (tmp_path / "storage" / ".jobs").is_dir()


def test_a_directory_is_not_opened_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    os.close(open_directory(tmp_path / "there"))
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        open_directory(tmp_path / "link")


@needs_root
def test_a_directory_of_another_user_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.chown(tmp_path / "directory", OTHER, OTHER)
    with pytest.raises(PermissionError, match="It belongs to user 54321"):
        open_directory(tmp_path / "directory")


@needs_root
def test_what_root_makes_in_another_users_directory_belongs_to_that_user(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER, OTHER)
    make_directory(tmp_path / ".jobs")
    os.close(open_directory(tmp_path / ".jobs"))
    os.close(open_file(tmp_path / ".jobs" / "file", os.O_RDWR | os.O_CREAT))
    for path in (tmp_path / ".jobs", tmp_path / ".jobs" / "file"):
        assert (path.stat().st_uid, path.stat().st_gid) == (OTHER, OTHER)


@needs_root
def test_a_storage_that_another_user_owns_is_refused_in_words_that_say_whose_it_is() -> None:
    # Not below tmp_path, where another user cannot come.
    with tempfile.TemporaryDirectory() as directory:
        storage = Path(directory, "storage")
        storage.mkdir()
        Path(directory).chmod(0o755)
        said = r"storage belongs to user root, and this process runs as user 54321\."
        with as_user(OTHER), pytest.raises(StorageError, match=said):
            WorkQueue("program", storage_dir=storage, engine=ManualEngine())
        check_owner(storage, ())


@pytest.mark.parametrize("name", [".tmp", ".jobs", ".failed"])
def test_a_link_in_place_of_a_directory_of_ours_is_refused_and_nothing_behind_it_is_touched(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "home" / f"{'a' * 40}.{'0' * 16}").mkdir(parents=True)
    (tmp_path / "home" / ("b" * 40)).touch()
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / name).symlink_to(tmp_path / "home")
    before = sorted((tmp_path / "home").iterdir())
    with pytest.raises(StorageError, match=rf"{name} is a symbolic link; .* Remove the link"):
        WorkQueue("program", storage_dir=tmp_path / "storage", engine=ManualEngine())
    assert sorted((tmp_path / "home").iterdir()) == before
    (tmp_path / "storage" / name).unlink()


@needs_root
def test_a_directory_of_ours_that_a_third_user_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".jobs").mkdir()
    os.chown(tmp_path / ".jobs", OTHER, OTHER)
    with pytest.raises(StorageError, match=r"\.jobs belongs to user 54321, and the storage to user root\."):
        check_owner(tmp_path, (".jobs",))


def test_what_merely_lies_in_our_directories_stays(tmp_path: Path) -> None:
    kept = [
        tmp_path / ".tmp" / "my-cache" / "file",
        tmp_path / ".tmp" / f"{'a' * 40}.dead" / "file",
        tmp_path / ".jobs" / "crontab",
        tmp_path / ".failed" / "notes",
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    WorkQueue("/bin/sh", storage_dir=tmp_path).close()
    assert [path for path in kept if not path.exists()] == []
    shutil.rmtree(tmp_path / ".tmp")
