"""Slots of a host: never more than there are, in the order of coming, and nobody holds them up by dying."""

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
