"""Directories that are published as one: never torn, never two in one, and what nobody wants any more goes."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from workqueue.errors import ResultNotFound, StorageError
from workqueue.storage import DiskStorage, Origin, eviction, trees

KEY = "0" * 40
OTHER = "1" * 40


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "results")


def publish(storage: DiskStorage, text: str = "built", n_files: int = 3, key: str = KEY) -> None:
    with storage.workspace(key, form="directory") as workspace:
        for i in range(n_files):
            (workspace.output / f"d{i}").mkdir()
            (workspace.output / f"d{i}" / "file").write_text(text)
        workspace.publish()


def publish_file(storage: DiskStorage, text: str = "built") -> None:
    with storage.workspace(KEY) as workspace:
        workspace.output.write_text(text)
        workspace.publish()


def texts(path: Path) -> list[str]:
    return [(path / name / "file").read_text() for name in (names_in(path))]


def there(storage: DiskStorage) -> list[str]:
    """The directories of trees that are there."""
    return names_in(storage.directory / ".trees")


def test_a_tree_is_found_by_its_key(storage: DiskStorage) -> None:
    publish(storage)
    assert texts(storage.path(KEY)) == ["built"] * 3
    with storage.open_with_info(KEY) as (path, info):
        assert texts(path) == ["built"] * 3
    assert info[:3] == (KEY, "directory", 15)
    assert [(result.key, result.size) for result in storage.results()] == [(KEY, 15)]
    assert len(there(storage)) == 1


def test_a_tree_that_is_replaced_is_read_to_its_end_by_path_and_goes_then(storage: DiskStorage) -> None:
    publish(storage, "old")
    with storage.open(KEY) as path:
        publish(storage, "new")
        assert texts(path) == ["old"] * 3
        assert texts(storage.path(KEY)) == ["new"] * 3
        assert len(there(storage)) == 2
    assert len(there(storage)) == 1
    assert len(names_in(storage.directory / ".info")) == 1


def test_a_tree_that_is_deleted_is_read_to_its_end_and_goes_then(storage: DiskStorage) -> None:
    publish(storage)
    with storage.open(KEY) as path:
        assert storage.delete(KEY)
        assert not storage.has(KEY)
        assert texts(path) == ["built"] * 3
    assert there(storage) == names_in(storage.directory / ".info") == []


def test_a_tree_that_is_open_is_not_evicted(storage: DiskStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    small = DiskStorage(storage.directory, max_bytes=10)
    publish(small)
    now = eviction.time.time()
    monkeypatch.setattr(eviction.time, "time", lambda: now + 1000)
    with small.open(KEY) as path:
        monkeypatch.setattr(eviction.time, "time", lambda: now + 5000)
        assert small.evict() == []
        assert texts(path) == ["built"] * 3
    assert [result.key for result in small.evict()] == [KEY]
    assert there(small) == names_in(small.directory / ".info") == []
    with pytest.raises(ResultNotFound), small.open(KEY):
        pass


@pytest.mark.parametrize(("first", "second"), [(publish, publish_file), (publish_file, publish)])
def test_a_result_of_the_other_form_is_replaced_and_nothing_is_left_of_it(
    storage: DiskStorage, first: Callable[[DiskStorage], None], second: Callable[[DiskStorage], None]
) -> None:
    first(storage)
    second(storage)
    info = storage.info(KEY)
    assert info is not None
    assert info.form == ("file" if second is publish_file else "directory")
    assert len(list(storage.results())) == 1
    assert storage.delete(KEY)
    assert not storage.info(KEY)
    assert there(storage) == names_in(storage.directory / ".info") == []


@pytest.mark.parametrize(
    "target",
    [
        "/etc",
        "..",
        ".trees",
        ".trees/x",
        f".trees/{KEY}",
        f".trees/{KEY}.0123456789abcdef",
        f".trees/{OTHER}.0123456789abcdef.15",
        f".trees/{KEY}.0123456789abcdef.15/..",
        f"./.trees/{KEY}.0123456789abcdef.15",
        f".trees/../{KEY}.0123456789abcdef.15",
        f"{KEY}.0123456789abcdef.15",
        f".trees/{KEY}.0123456789abcdef.15\n",
        f".trees/{KEY}.0123456789abcdef.99999999999999999999",
        f".trees/{KEY}.0123456789abcdef.15",  # which is not there
    ],
)
def test_a_link_that_leads_elsewhere_is_not_ours(storage: DiskStorage, target: str) -> None:
    publish(storage, key=OTHER)
    storage.path(KEY).symlink_to(target)
    assert not storage.has(KEY)
    assert storage.info(KEY) is None
    assert [result.key for result in storage.results()] == [OTHER]
    with pytest.raises(ResultNotFound), storage.open(KEY):
        pass
    assert not storage.delete(KEY)
    storage.sweep()
    assert storage.path(KEY).is_symlink()
    publish(storage)
    assert texts(storage.path(KEY)) == ["built"] * 3


def test_a_link_to_the_tree_of_another_key_is_not_ours(storage: DiskStorage) -> None:
    publish(storage, key=OTHER)
    [label] = there(storage)
    storage.path(KEY).symlink_to(f".trees/{label}")
    assert not storage.has(KEY)
    assert [result.key for result in storage.results()] == [OTHER]
    assert not storage.delete(KEY)
    assert texts(storage.path(OTHER)) == ["built"] * 3


def test_a_tree_that_is_a_link_is_not_ours(storage: DiskStorage, tmp_path: Path) -> None:
    publish(storage)
    [label] = there(storage)
    (storage.directory / ".trees" / label).chmod(0o700)
    (storage.directory / ".trees" / label).rename(tmp_path / "elsewhere")
    (storage.directory / ".trees" / label).symlink_to(tmp_path / "elsewhere")
    assert not storage.has(KEY)
    with pytest.raises(StorageError), storage.open(KEY):
        pass
    storage.sweep()
    assert texts(tmp_path / "elsewhere") == ["built"] * 3


def test_what_is_not_named_like_a_tree_is_left_alone(storage: DiskStorage) -> None:
    publish(storage)
    other = storage.directory / ".trees" / "mine"
    other.mkdir()
    storage.sweep()
    assert other.is_dir()


def test_a_tree_that_no_link_names_goes_with_a_sweep_but_for_one_that_is_on_its_way(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    publish(storage, key=OTHER)
    [label] = there(storage)
    storage.path(OTHER).unlink()  # as if its process had died before the link was made
    replace = os.replace
    seen = []

    def sweep_first(source: Path, target: Path) -> None:
        DiskStorage(storage.directory).sweep()
        seen.extend(there(storage))
        replace(source, target)

    mocker.patch.object(trees.os, "replace", sweep_first)
    publish(storage)
    assert label not in seen
    assert len(seen) == 1
    assert texts(storage.path(KEY)) == ["built"] * 3


def test_a_tree_that_cannot_be_removed_is_gone_for_all_and_a_later_sweep_removes_it(
    storage: DiskStorage, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    publish(storage)
    mocker.patch.object(trees, "remove_tree", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))
    assert storage.delete(KEY)
    assert f"cannot remove {there(storage)[0]}" in caplog.text
    mocker.stopall()
    assert not storage.has(KEY)
    storage.sweep()
    assert there(storage) == []


def test_a_tree_that_another_removes_at_the_same_time_is_removed(
    storage: DiskStorage, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    remove = trees.remove_tree

    def removed_twice(name: str, parent: int) -> None:
        remove(name, parent)
        remove(name, parent)

    publish(storage)
    mocker.patch.object(trees, "remove_tree", removed_twice)
    assert storage.delete(KEY)
    assert there(storage) == []
    assert caplog.text == ""


def test_a_process_without_a_descriptor_to_spare_leaves_the_tree_to_a_later_sweep(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    publish(storage)
    unlink = os.unlink

    def refuse(_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def use_up(path: str) -> None:
        unlink(path)
        mocker.patch.object(trees, "open_directory", refuse)

    mocker.patch.object(trees.os, "unlink", use_up)
    assert storage.delete(KEY)
    mocker.stopall()
    assert not storage.has(KEY)
    assert len(there(storage)) == 1
    storage.sweep()
    assert there(storage) == []


def test_all_of_a_tree_outlasts_a_power_cut_before_it_has_its_name_and_the_name_when_it_is_published(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    flushed: set[int] = set()
    missing: list[Path] = []
    fsync, replace = os.fsync, os.replace

    def note(fd: int) -> None:
        flushed.add(os.fstat(fd).st_ino)
        fsync(fd)

    def look_first(source: Path, target: Path) -> None:
        top = storage.directory / ".trees"
        missing.extend(path for path in (top, *top.rglob("*")) if path.lstat().st_ino not in flushed)
        flushed.clear()
        replace(source, target)

    mocker.patch.object(os, "fsync", note)
    mocker.patch.object(trees.os, "replace", look_first)
    publish(storage)
    assert missing == []
    assert storage.directory.stat().st_ino in flushed


def test_a_link_that_cannot_be_made_is_an_error_and_nothing_is_left(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    publish(storage, "old")
    mocker.patch.object(trees.os, "replace", side_effect=OSError(28, "No space left on device"))
    with pytest.raises(StorageError, match="No space left on device"):
        publish(storage, "new")
    assert len(there(storage)) == 1
    assert texts(storage.path(KEY)) == ["old"] * 3
    assert names_in(storage.directory / ".tmp") == []


def test_a_reader_that_comes_while_a_tree_is_replaced_reads_one_or_the_other(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    """Between its look at the link and its lock, the tree is replaced and removed."""
    publish(storage, "old")
    opened = trees.Trees.open
    once = iter([True])

    def replace_first(self: trees.Trees, tree: trees.Tree) -> int:
        if next(once, False):
            publish(storage, "new")
        return opened(self, tree)

    mocker.patch.object(trees.Trees, "open", replace_first)
    with storage.open(KEY) as path:
        assert texts(path) == ["new"] * 3


def test_of_many_who_publish_delete_and_read_each_reads_one_tree(storage: DiskStorage) -> None:
    n_rounds = 15
    begin = threading.Barrier(6)

    def write(text: str) -> None:
        begin.wait()
        for _ in range(n_rounds):
            publish(storage, text, 5)

    def delete() -> None:
        begin.wait()
        for _ in range(n_rounds):
            storage.delete(KEY)
            storage.sweep()

    def look() -> list[set[str]]:
        begin.wait()
        seen = []
        for _ in range(n_rounds * 3):
            try:
                with storage.open_with_info(KEY) as (path, info):
                    found = texts(path)
                    assert len(found) == 5
                    assert info.size == sum(map(len, found))
                    seen.append(set(found))
            except ResultNotFound:
                continue
        return seen

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(write, "a"), pool.submit(write, "b"), pool.submit(delete)]
        read = [pool.submit(look) for _ in range(3)]
        for future in done:
            future.result()
        for future in read:
            assert all(texts_seen in ({"a"}, {"b"}) for texts_seen in future.result())
    storage.sweep()
    storage.delete(KEY)
    storage.sweep()
    assert there(storage) == []


def test_ten_thousand_files(storage: DiskStorage, mocker: MockerFixture) -> None:
    mocker.patch.object(trees, "flush_directory")
    mocker.patch("workqueue.storage.tree_output.flush")  # it takes 6 s
    with storage.workspace(KEY, form="directory") as workspace:
        for i in range(100):
            (workspace.output / str(i)).mkdir()
            for j in range(100):
                (workspace.output / str(i) / str(j)).write_bytes(b"%d" % j)
        workspace.publish(Origin("program"))
    info = storage.info(KEY)
    assert info is not None
    assert info.size == 100 * 190
    with storage.open(KEY) as path:
        assert sum(len(files) for _, _, files in os.walk(path)) == 10_000
    assert storage.delete(KEY)
    assert there(storage) == []
