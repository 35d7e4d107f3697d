"""A path that stays a file's own while it is open, and goes with its reader, also one that is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from workqueue.storage import DiskStorage, pins

KEY = "0" * 40


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "results")


def publish(storage: DiskStorage, text: str) -> None:
    with storage.workspace(KEY) as workspace:
        workspace.output.write_text(text)
        workspace.publish()


def left(storage: DiskStorage) -> list[str]:
    return [path.name for path in (storage.directory / ".open").iterdir()]


def test_a_path_is_its_files_own_though_that_is_replaced_and_deleted(storage: DiskStorage) -> None:
    publish(storage, "old")
    with storage.open_with_info(KEY) as (path, info):
        publish(storage, "the new one")
        storage.delete(KEY)
        storage.sweep()  # of other processes, at any time
        assert path.read_text() == "old"
        assert info.size == 3
    assert left(storage) == []


def test_what_is_replaced_just_before_it_is_linked_is_opened_again(storage: DiskStorage, mocker: MockerFixture) -> None:
    publish(storage, "old")
    link = os.link
    once = iter([True])

    def replace_first(source: Path, target: Path, **more: bool) -> None:
        if next(once, False):
            publish(storage, "the new one")
        link(source, target, **more)

    mocker.patch.object(pins.os, "link", replace_first)
    with storage.open_with_info(KEY) as (path, info):
        assert (path.read_text(), info.size) == ("the new one", 11)
    assert left(storage) == []


def test_where_no_link_can_be_made_the_files_own_name_has_to_do(storage: DiskStorage, mocker: MockerFixture) -> None:
    publish(storage, "old")
    mocker.patch.object(pins.os, "link", side_effect=PermissionError(1, "Operation not permitted"))
    with storage.open_with_info(KEY) as (path, info):
        assert path == storage.path(KEY)
        assert (path.read_text(), info.size) == ("old", 3)


KILLED = """
import os, signal, sys
from workqueue.storage import DiskStorage
with DiskStorage(sys.argv[1]).open_with_info(sys.argv[2]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_reader_left_goes_with_a_sweep_and_nothing_else(storage: DiskStorage) -> None:
    publish(storage, "old")
    command = [sys.executable, "-c", KILLED, str(storage.directory), KEY]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == -signal.SIGKILL
    assert len(left(storage)) == 1
    (storage.directory / ".open" / "mine").touch()
    with storage.open_with_info(KEY) as (mine, _):
        DiskStorage(storage.directory).sweep()
        # Both are names of one file, which has a reader.
        assert mine.exists()
    storage.sweep()
    assert left(storage) == ["mine"]
