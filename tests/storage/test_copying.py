"""A copy of an open file: the same content, and nobody else's."""

import errno
import os
import stat
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workqueue.storage import copying
from workqueue.storage.copying import copied

SIZE = 5_000_000


@pytest.fixture
def data() -> bytes:
    return os.urandom(1000) * (SIZE // 1000)


@pytest.fixture
def source(tmp_path: Path, data: bytes) -> Iterator[int]:
    path = tmp_path / "source"
    path.write_bytes(data)
    path.chmod(0o640)
    os.utime(path, (1000.0, 1000.0))
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)
    assert path.read_bytes() == data
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime) == (0o640, 1000.0)


def refused(*_: object) -> int:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def nothing(*_: object) -> int:
    return 0


def by_halves(kernel: Callable[..., int]) -> Callable[..., int]:
    """Copies less than it is asked for, and then no more."""
    n_calls = 0

    def copy(source: int, target: int, count: int, *offsets: int) -> int:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return kernel(source, target, count // 2, *offsets)

    return copy


@pytest.mark.parametrize("kernel", ["as it is", "missing", "refused", "nothing", "by halves"])
def test_a_copy_is_whole_and_private_whatever_the_kernel_copies(
    source: int, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str
) -> None:
    if kernel == "missing":
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    elif kernel == "by halves":
        if not hasattr(os, "copy_file_range"):
            pytest.skip("this system has no copy_file_range")
        monkeypatch.setattr(os, "copy_file_range", by_halves(os.copy_file_range))
    elif kernel != "as it is":
        monkeypatch.setattr(os, "copy_file_range", {"refused": refused, "nothing": nothing}[kernel], raising=False)
    with copied(source, tmp_path) as copy:
        assert copy.path.read_bytes() == data
        status = os.fstat(copy.fd)
        assert (stat.S_IMODE(status.st_mode), status.st_nlink, status.st_uid) == (0o600, 1, os.geteuid())
        assert os.path.samestat(status, copy.path.stat())
        os.lseek(copy.fd, 0, os.SEEK_SET)
        assert os.read(copy.fd, 1000) == data[:1000]


def test_a_copy_never_overwrites_a_file_that_is_there(
    source: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if somebody has guessed its name."""
    monkeypatch.setattr(copying.secrets, "token_hex", lambda _: "known")
    (tmp_path / "copy-known").write_bytes(b"another's")
    with pytest.raises(FileExistsError), copied(source, tmp_path):
        pass
    assert (tmp_path / "copy-known").read_bytes() == b"another's"


def test_a_copy_takes_no_memory_to_speak_of(source: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    tracemalloc.start()
    try:
        with copied(source, tmp_path):
            assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_a_copy_of_what_grows_is_as_long_as_that_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a process that writes for ever would have it copied for ever."""
    pwrite = os.pwrite
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    with (tmp_path / "grows").open("w+b", buffering=0) as file:
        file.write(b"built")

        def grow(fd: int, data: bytes, offset: int) -> int:
            file.write(b"and more")
            return pwrite(fd, data[:2], offset)

        monkeypatch.setattr(os, "pwrite", grow)
        with copied(file.fileno(), tmp_path) as copy:
            assert copy.path.read_bytes() == b"built"


def test_a_copy_of_what_shrinks_is_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fstat = os.fstat
    with (tmp_path / "shrinks").open("w+b", buffering=0) as file:
        file.write(b"built")

        def shrink(fd: int) -> os.stat_result:
            status = fstat(fd)
            file.truncate(2)
            return status

        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", shrink)
            copying = copied(file.fileno(), tmp_path)
            copy = copying.__enter__()
        assert copy.path.read_bytes() == b"bu"
        copying.__exit__(None, None, None)
