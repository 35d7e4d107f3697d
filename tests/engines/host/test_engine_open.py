"""A request that cannot meet other processes: it is told so, and leaves nothing open."""

import os
from pathlib import Path

import pytest

from tests.conftest import ensure, write_program
from workqueue import WorkQueue
from workqueue.engines.host.changes import Changes

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
