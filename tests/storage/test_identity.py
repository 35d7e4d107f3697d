"""A directory's name that it keeps wherever it is mounted."""

import threading
from pathlib import Path

import pytest

from workqueue.errors import StorageError
from workqueue.storage import DiskStorage


def test_all_that_come_at_once_agree(tmp_path: Path) -> None:
    storage = DiskStorage(tmp_path / "deep" / "results")
    found: list[str] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(storage.identity)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in storage.directory.iterdir()] == [".identity"]


def test_it_goes_with_the_directory(tmp_path: Path) -> None:
    identity = DiskStorage(tmp_path / "here").identity
    (tmp_path / "here").rename(tmp_path / "there")
    assert DiskStorage(tmp_path / "there").identity == identity
    assert DiskStorage(tmp_path / "here").identity != identity


@pytest.mark.parametrize("content", [b"", b"disk:", b"s3://bucket", b"x" * 1000])
def test_a_damaged_one_is_no_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".identity").write_bytes(content)
    with pytest.raises(StorageError, match="Cannot tell which storage"):
        _ = DiskStorage(tmp_path).identity


def test_a_link_is_no_name(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("disk:" + "0" * 32)
    (tmp_path / ".identity").symlink_to("elsewhere")
    with pytest.raises(StorageError, match="symbolic link"):
        _ = DiskStorage(tmp_path).identity
