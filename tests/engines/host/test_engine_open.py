"""A request that cannot meet other processes: it is told so, and leaves nothing open."""

import errno
import os
import threading
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from workqueue import WorkQueue
from workqueue.engines.host import notices
from workqueue.engines.host.changes import Changes
from workqueue.engines.host.follower import Follower

DESCRIPTORS = Path("/dev/fd")


def test_a_refused_request_leaks_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while no thread can be started, or no descriptor had: the following thread cannot begin."""
    program = write_program(tmp_path / "program", "echo built > $output")

    def refuse(_: Changes) -> None:
        raise RuntimeError("can't start new thread")

    with WorkQueue(program, storage_dir=tmp_path / "storage") as queue:
        with monkeypatch.context() as patch:
            patch.setattr(Changes, "__init__", refuse)
            n_open = len(os.listdir(DESCRIPTORS))  # noqa: PTH208
            for i in range(5):
                assert "can't start new thread" in str(ensure(queue, str(i)).wait(10).error)
            assert len(os.listdir(DESCRIPTORS)) == n_open  # noqa: PTH208
        assert ensure(queue, "a").wait(10).returncode == 0


@pytest.mark.parametrize("step", ["fstat of the notices", "follow"])
def test_a_request_that_is_refused_at_a_later_step_leaks_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    program = write_program(tmp_path / "program", "echo built > $output")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with WorkQueue(program, storage_dir=tmp_path / "storage") as queue:
        n_threads = threading.active_count()
        n_open = len(os.listdir(DESCRIPTORS))  # noqa: PTH208
        with monkeypatch.context() as patch:
            if step == "follow":
                patch.setattr(Follower, "follow", refuse)
            else:
                patch.setattr(notices, "os", FailingStatus())
            for i in range(3):
                assert os.strerror(errno.EIO) in str(ensure(queue, str(i)).wait(10).error)
        assert len(os.listdir(DESCRIPTORS)) == n_open  # noqa: PTH208
        assert threading.active_count() == n_threads
        assert ensure(queue, "a").wait(10).returncode == 0


class FailingStatus:
    """In place of `os`: no open file can be looked at."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def fstat(self, fd: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
