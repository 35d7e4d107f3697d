"""Directories in a bucket: one object each, unpacked once a host; what is damaged is an error and leaves nothing."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tests.objects.server import ObjectServer
from workqueue.errors import StorageError
from workqueue.storage import Storage, objects
from workqueue.storage.bucket import Bucket
from workqueue.storage.objects import ObjectStorage

KEY = "0" * 40
LARGE = os.urandom(1_000_000) * 20

MakeStorage = Callable[..., ObjectStorage]


@pytest.fixture
def make_storage(object_server: ObjectServer, prefix: str, tmp_path: Path) -> MakeStorage:
    """Makes storages of one bucket; each `host` has a directory of its own."""

    def make(host: str = "host", **options: object) -> ObjectStorage:
        told = {"url": object_server.url(prefix), "endpoint": object_server.endpoint, **options}
        return ObjectStorage(directory=tmp_path / host, config=object_server.credentials, **told)  # type: ignore[arg-type]

    return make


def publish(storage: Storage, text: bytes = b"built") -> None:
    with storage.workspace(KEY, form="directory") as workspace:
        (workspace.output / "in").mkdir()
        for name in ("a", "in/b"):
            (workspace.output / name).write_bytes(text)
        (workspace.output / "in" / "link").symlink_to("../a")
        workspace.publish()


def content(path: Path) -> tuple[bytes, ...]:
    assert (path / "in" / "link").is_symlink()
    return tuple((path / name).read_bytes() for name in ("a", "in/b", "in/link"))


def trees(storage: ObjectStorage) -> list[Path]:
    return list(storage.directory.glob("cache/*/.trees/*"))


@pytest.mark.parametrize("text", [b"built", LARGE])
def test_it_is_one_object_that_is_unpacked_once(make_storage: MakeStorage, text: bytes, mocker: MockerFixture) -> None:
    publish(make_storage(), text)
    unpack = mocker.spy(objects, "unpack")
    elsewhere = make_storage("another host")
    for _ in range(2):
        with elsewhere.open_with_info(KEY) as (path, info):
            assert content(path) == (text,) * 3
            assert info[:3] == (KEY, "directory", 2 * len(text))
    assert unpack.call_count == 1
    with make_storage().open(KEY) as path:
        assert content(path) == (text,) * 3
    assert unpack.call_count == 1  # the host that built it has it
    [result] = elsewhere.results()
    assert 2 * len(text) < result.size < 2 * len(text) + 10_000


def test_a_copy_that_is_open_stays_while_another_version_takes_its_place(make_storage: MakeStorage) -> None:
    storage = make_storage()
    publish(storage, b"old")
    with storage.open(KEY) as path:
        publish(storage, b"new")
        assert content(path) == (b"old",) * 3
        with storage.open(KEY) as other:
            assert content(other) == (b"new",) * 3
    publish(storage, b"newest")
    assert len(trees(storage)) <= 2
    assert storage.delete(KEY)
    assert trees(storage) == []


def test_a_file_and_a_directory_take_each_others_place(make_storage: MakeStorage) -> None:
    storage, elsewhere = make_storage(), make_storage("another host", revalidate=0)
    publish(storage)
    with storage.workspace(KEY) as workspace:
        workspace.output.write_bytes(b"a file")
        workspace.publish()
    for each in (storage, elsewhere):
        with each.open_with_info(KEY) as (path, info):
            assert (path.read_bytes(), info.form) == (b"a file", "file")
    publish(storage)
    for each in (storage, elsewhere):
        with each.open_with_info(KEY) as (path, info):
            assert (content(path), info.form) == ((b"built",) * 3, "directory")


def test_what_was_known_before_an_upload_is_not_believed_after_it(
    make_storage: MakeStorage, mocker: MockerFixture
) -> None:
    """Also when the bucket does not answer what it has now."""
    storage = make_storage()
    publish(storage, b"old")
    mocker.patch.object(Bucket, "head", side_effect=StorageError("no answer"))
    publish(storage, b"newer")
    mocker.stopall()
    with storage.open_with_info(KEY) as (path, info):
        assert (content(path), info.size) == ((b"newer",) * 3, 10)


def damaged(make: Callable[[tarfile.TarFile], None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        make(tar)
    return buffer.getvalue()


def a_link_out(tar: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc"
    tar.addfile(member)


def a_name_out(tar: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("../../../out")
    member.size = 1
    tar.addfile(member, io.BytesIO(b"x"))


@pytest.mark.parametrize("data", [b"x" * 1024, bytes(100), damaged(a_link_out), damaged(a_name_out)])
def test_what_is_damaged_is_an_error_and_leaves_nothing(
    make_storage: MakeStorage, data: bytes, mocker: MockerFixture, tmp_path: Path
) -> None:
    upload = Bucket.upload

    def damage(self: Bucket, name: str, _: object, __: int, details: object) -> object:
        return upload(self, name, io.BytesIO(data), len(data), details)  # type: ignore[arg-type]

    mocker.patch.object(Bucket, "upload", damage)
    publish(make_storage())
    mocker.stopall()
    elsewhere = make_storage("another host")
    with pytest.raises(StorageError, match=r"Cannot unpack the result: .*; delete it"), elsewhere.open(KEY):
        pass
    assert trees(elsewhere) == []
    assert list(elsewhere.directory.glob(".tmp/*")) == []
    assert not list(tmp_path.rglob("out"))
    assert elsewhere.delete(KEY)
    publish(elsewhere)
    with elsewhere.open(KEY) as path:
        assert content(path) == (b"built",) * 3
