"""The log of the line: one order for all, whatever becomes of its files."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from workqueue.engines.host.line import log as logs
from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.log import Log, Lost, sweep
from workqueue.engines.host.line.record import NO_LIMIT, encode

A, B = "a" * 16, "b" * 16


def enter(number: int, member: str = A) -> said.Enter:
    return said.Enter(member, number, f"{number:040x}", "-", NO_LIMIT)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Log, Log]]:
    with closing(Log(tmp_path)) as one, closing(Log(tmp_path)) as other:
        yield one, other


def test_all_read_what_each_appends_in_one_order(two: tuple[Log, Log]) -> None:
    one, other = two
    one.append([enter(1)])
    other.append([enter(2), enter(3)])
    one.append([enter(4)])
    assert one.read() == other.read() == [enter(1), enter(2), enter(3), enter(4)]
    assert one.read() == other.read() == []


def test_one_that_comes_later_reads_all(two: tuple[Log, Log], tmp_path: Path) -> None:
    two[0].append([said.Join(A, 1, NO_LIMIT, 1), enter(1)])
    with closing(Log(tmp_path)) as late:
        assert late.line.order() == [f"{1:040x}"]
        assert late.read() == []


def test_a_record_is_read_when_it_is_whole(two: tuple[Log, Log], tmp_path: Path) -> None:
    one, _ = two
    data = encode(enter(1))
    with (tmp_path / one.name).open("ab", buffering=0) as file:
        for i in range(len(data)):
            assert one.read() == []
            file.write(data[i : i + 1])
    assert one.read() == [enter(1)]


@pytest.mark.parametrize(
    "junk", [b"x" * 100_000, encode(enter(7))[:-3], b"\0" * 300, b"\n" * 300, encode(enter(7))[3:-1]]
)
def test_junk_spoils_no_other_record(two: tuple[Log, Log], tmp_path: Path, junk: bytes) -> None:
    one, other = two
    one.append([enter(1)])
    with (tmp_path / one.name).open("ab", buffering=0) as file:
        file.write(junk)
    one.append([enter(2)])
    assert other.read() == [enter(1), enter(2)]


def applied(log: Log) -> Log:
    for record in log.read():
        log.line.apply(record)
    return log


def test_what_comes_behind_a_seal_counts_for_nobody(two: tuple[Log, Log], tmp_path: Path) -> None:
    one, other = two
    one.append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
    other.append([enter(2), said.Seal()])
    for log in two:
        assert applied(log).is_sealed
        log.go_on()
        assert log.line.order() == [f"{1:040x}"]
        assert log.number == 2
    assert [path.name for path in tmp_path.iterdir()] == [one.name]
    other.append([enter(3)])
    assert one.read() == other.read() == [enter(3)]


def test_one_that_sleeps_through_several_goes_on_with_the_last(two: tuple[Log, Log], tmp_path: Path) -> None:
    one, other = two
    one.append([said.Join(A, 1, NO_LIMIT, 1)])
    for number in range(1, 4):
        one.append([enter(number), said.Seal()])
        applied(one).go_on()
    applied(other).go_on()
    assert other.number == one.number == 4
    assert other.line.order() == one.line.order() == [f"{number:040x}" for number in range(1, 4)]
    assert len(list(tmp_path.iterdir())) == 1


def test_one_that_comes_when_nobody_goes_on_makes_the_next(two: tuple[Log, Log], tmp_path: Path) -> None:
    """As when the one that sealed it was killed, or is stopped, before it could."""
    two[0].append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
    with closing(Log(tmp_path)) as late:
        assert (late.number, late.line.order()) == (2, [f"{1:040x}"])
    applied(two[1]).go_on()
    assert two[1].line.order() == [f"{1:040x}"]


def test_all_go_on_with_the_same_however_many_make_it(tmp_path: Path) -> None:
    found = [Log(tmp_path) for _ in range(8)]
    found[0].append([said.Join(A, 1, NO_LIMIT, 1), *map(enter, range(1, 50)), said.Seal()])
    start = threading.Barrier(len(found))

    def go_on(log: Log) -> None:
        start.wait()
        applied(log).go_on()

    threads = [threading.Thread(target=go_on, args=(log,)) for log in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found[0].append([enter(60)])
    assert all(log.read() == [enter(60)] for log in found)
    assert len(list(tmp_path.iterdir())) == 1
    for log in found:
        log.close()


@pytest.mark.parametrize("how", ["removed", "cut", "its directory is removed"])
def test_a_log_that_is_taken_away_is_missed(two: tuple[Log, Log], tmp_path: Path, how: str) -> None:
    one, _ = two
    one.append([enter(1)])
    one.read()
    if how == "removed":
        (tmp_path / one.name).unlink()
    elif how == "cut":
        os.truncate(tmp_path / one.name, 3)
    else:
        shutil.rmtree(tmp_path)
    with pytest.raises(Lost):
        one.read()


def test_a_log_that_nobody_can_read_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MAX_READ", 1000)
    (tmp_path / "log-0000000001").write_bytes(b"x" * 2000)
    with closing(Log(tmp_path)) as log:
        log.append([enter(1)])
        assert log.read() == [enter(1)]


def test_what_is_said_in_part_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def write(self, fd: int, data: bytes) -> int:
            return os.write(fd, data[:10])

    with closing(Log(tmp_path)) as log:
        with monkeypatch.context() as patch:
            patch.setattr(logs, "os", FullDisk())
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                log.append([enter(1)])
        log.append([enter(2)])
        assert log.read() == [enter(2)]


def test_what_was_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    names = ["log-0000000001", "log-0000000002", "new-" + "a" * 16, "notes", "member-" + "a" * 16]
    for name in names:
        (tmp_path / name).touch()
    sweep(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log-0000000002", "member-" + "a" * 16, "notes"]
    sweep(tmp_path / "nowhere", 2)
