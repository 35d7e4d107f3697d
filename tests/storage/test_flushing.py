"""Many files are flushed, each once, whoever does it; an error of one is told."""

import os
import threading
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
