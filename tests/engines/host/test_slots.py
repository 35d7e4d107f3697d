"""Slots of a host: never more than there are, in the order of coming, and nobody holds them up by dying."""

import errno
import os
import threading
from pathlib import Path

import pytest

from tests.servers.server import eventually
from workqueue.engines.host.slots import Slots
from workqueue.errors import StorageError


def never() -> bool:
    return False


def test_those_who_wait_go_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots", 1)
    order: list[int] = []
    threads = []

    def take(i: int) -> None:
        with slots.slot(never) as has_slot:
            assert has_slot
            order.append(i)

    def n_waiting() -> int:
        return len(list((tmp_path / "slots").glob("wait-*")))

    with slots.slot(never):
        for i in range(4):
            threads.append(threading.Thread(target=take, args=(i,)))
            threads[-1].start()
            eventually(lambda i=i: n_waiting() == i + 1)
    for thread in threads:
        thread.join(20)
    assert order == [0, 1, 2, 3]
    assert n_waiting() == 0


def test_as_many_as_there_are_have_one_at_once(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 2)
    with slots.slot(never) as one, slots.slot(never) as other:
        assert one
        assert other
        with slots.slot(lambda: True) as third:
            assert not third


def test_who_is_not_wanted_any_more_stops_waiting(tmp_path: Path) -> None:
    slots, looks = Slots(tmp_path, 1), iter([False, False, True])
    with slots.slot(never), slots.slot(lambda: next(looks)) as has_slot:
        assert not has_slot
    assert list(tmp_path.glob("wait-*")) == []


def test_the_number_of_a_dead_process_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "wait-00000000000000000001-0000dead").touch()
    with Slots(tmp_path, 1).slot(never) as has_slot:
        assert has_slot
    assert list(tmp_path.glob("wait-*")) == []


def test_slots_that_cannot_be_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Cannot lock a file in"), Slots(tmp_path / "file", 1).slot(never):
        pass


def test_a_number_that_cannot_be_removed_costs_no_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(tmp_path, 1)

    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with slots.slot(never) as has_slot:
            assert has_slot
    with slots.slot(lambda: False) as has_slot:
        assert has_slot
    assert list(tmp_path.glob("wait-*")) == []


def test_a_slot_that_cannot_be_locked_leaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workqueue.engines.host import slots as module

    real = module.try_lock

    def refuse_slots(fd: int) -> bool:
        if os.fstat(fd).st_ino == (tmp_path / "slot-0").stat().st_ino:
            raise OSError(errno.ENOLCK, "No locks available")
        return real(fd)

    (tmp_path / "slot-0").touch()
    monkeypatch.setattr(module, "try_lock", refuse_slots)
    with pytest.raises(StorageError, match="No locks available"), Slots(tmp_path, 1).slot(never):
        pass


@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_what_is_no_number_of_ours_holds_up_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wait-00000000000000000001-0000dead"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(path)
    (tmp_path / "wait-for-me").touch()
    with Slots(tmp_path, 1).slot(never) as has_slot:
        assert has_slot
