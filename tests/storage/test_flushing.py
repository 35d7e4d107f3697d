"""Many files are flushed, each once, whoever does it; an error of one is told."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from workqueue.storage import flushing


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for i in range(100):
        (tmp_path / str(i)).write_bytes(b"x")
    return tmp_path


def flushed(directory: Path, mocker: MockerFixture) -> list[str]:
    names = {path.stat().st_ino: path.name for path in directory.iterdir()}
    seen = []
    fsync = os.fsync

    def note(fd: int) -> None:
        seen.append(names[os.fstat(fd).st_ino])
        fsync(fd)

    mocker.patch.object(flushing.os, "fsync", note)
    fd = os.open(directory, os.O_RDONLY)
    try:
        flushing.flush(list(names.values()), fd)
    finally:
        os.close(fd)
    return seen


def test_each_is_flushed_once(directory: Path, mocker: MockerFixture) -> None:
    assert sorted(flushed(directory, mocker)) == sorted(map(str, range(100)))


def test_it_returns_when_the_last_is_flushed(directory: Path, mocker: MockerFixture) -> None:
    """Also when another thread flushes the last file, and takes long."""
    all_have_one, opened = threading.Barrier(flushing._MAX_THREADS + 1), threading.Event()
    seen: list[int] = []
    n_seen: list[int] = []
    of_thread = threading.local()

    def flush_slowly(fd: int) -> None:
        if not hasattr(of_thread, "has_one"):
            of_thread.has_one = True
            all_have_one.wait(30)
            if threading.current_thread() is not flusher:
                assert opened.wait(30)
        seen.append(fd)

    def flush() -> None:
        flushing.flush([str(i) for i in range(100)], fd)
        n_seen.append(len(seen))

    mocker.patch.object(flushing.os, "fsync", flush_slowly)
    fd = os.open(directory, os.O_RDONLY)
    flusher = threading.Thread(target=flush)
    flusher.start()
    flusher.join(0.05)
    opened.set()
    flusher.join()
    os.close(fd)
    assert n_seen == [100]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("0"), os.mkfifo], ids=["link", "pipe"])
def test_what_is_no_file_any_more_is_an_error_and_nobody_waits_for_it(
    directory: Path, make: Callable[[Path], object]
) -> None:
    make(directory / "other")
    fd = os.open(directory, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"\[Errno"):
            flushing.flush(["other"], fd)
    finally:
        os.close(fd)


def test_where_no_thread_starts_this_one_does_it(directory: Path, mocker: MockerFixture) -> None:
    """As at the end of the interpreter."""
    mocker.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread"))
    assert sorted(flushed(directory, mocker)) == sorted(map(str, range(100)))


def test_an_error_is_told_and_nothing_more_is_done(directory: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(flushing.os, "fsync", side_effect=OSError(5, "Input/output error"))
    fd = os.open(directory, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Input/output error"):
            flushing.flush([str(i) for i in range(100)], fd)
    finally:
        os.close(fd)


def test_a_directory_that_cannot_be_flushed_is_no_error_where_none_can(mocker: MockerFixture) -> None:
    mocker.patch.object(flushing.os, "fsync", side_effect=OSError(22, "Invalid argument"))
    flushing.flush_directory(0)
    mocker.patch.object(flushing.os, "fsync", side_effect=OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output error"):
        flushing.flush_directory(0)
