"""The log of the line: one order for all, whatever becomes of its files."""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from workqueue.engines.host.line import log as logs
from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.log import Log, Lost, sweep
from workqueue.engines.host.line.record import NO_LIMIT, encode
from workqueue.system.locks import try_lock

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


def gone_on(log: Log) -> Log:
    assert applied(log).is_sealed
    return log.go_on()


def numbers(directory: Path) -> list[int]:
    return sorted(int(path.name[4:]) for path in directory.iterdir())


def test_what_comes_behind_a_seal_counts_for_nobody(two: tuple[Log, Log], tmp_path: Path) -> None:
    one, other = two
    one.append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
    other.append([enter(2), said.Seal()])
    with closing(gone_on(one)) as one, closing(gone_on(other)) as other:
        for log in (one, other):
            assert log.line.order() == [f"{1:040x}"]
            assert log.number == 2
        assert numbers(tmp_path) == [2]
        other.append([enter(3)])
        assert one.read() == other.read() == [enter(3)]


def test_one_that_sleeps_through_several_goes_on_with_the_last(two: tuple[Log, Log], tmp_path: Path) -> None:
    one, other = two
    one.append([said.Join(A, 1, NO_LIMIT, 1)])
    for number in range(1, 4):
        one.append([enter(number), said.Seal()])
        one = gone_on(one)
    with closing(one), closing(gone_on(other)) as other:
        assert other.number == one.number == 4
        assert other.line.order() == one.line.order() == [f"{number:040x}" for number in range(1, 4)]
        assert numbers(tmp_path) == [4]


def test_one_that_comes_when_nobody_goes_on_makes_the_next(two: tuple[Log, Log], tmp_path: Path) -> None:
    """As when the one that sealed it was killed, or is stopped, before it could."""
    two[0].append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
    with closing(Log(tmp_path)) as late:
        assert (late.number, late.line.order()) == (2, [f"{1:040x}"])
    with closing(gone_on(two[1])) as other:
        assert other.line.order() == [f"{1:040x}"]


def test_all_go_on_with_the_same_however_many_make_it(tmp_path: Path) -> None:
    found = [Log(tmp_path) for _ in range(8)]
    found[0].append([said.Join(A, 1, NO_LIMIT, 1), *map(enter, range(1, 50)), said.Seal()])
    start = threading.Barrier(len(found))

    def go_on(i: int) -> None:
        start.wait()
        found[i] = gone_on(found[i])

    threads = [threading.Thread(target=go_on, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found[0].append([enter(60)])
    assert all(log.read() == [enter(60)] for log in found)
    assert numbers(tmp_path) == [2]
    for log in found:
        log.close()


class Os:
    """In place of `os`, where one call does something else, the first time."""

    def __init__(self, name: str, call: Callable[..., object]) -> None:
        self._name, self._call = name, call

    def __getattr__(self, name: str) -> object:
        if name != self._name:
            return getattr(os, name)
        self._name = ""
        return self._call


def refuse(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("call", ["pread", "open", "link", "scandir"])
def test_one_that_cannot_go_on_has_what_it_had_and_tries_again(
    two: tuple[Log, Log], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    one, _ = two
    one.append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
    applied(one)
    with monkeypatch.context() as patch:
        patch.setattr(logs, "open_file" if call == "open" else "os", refuse if call == "open" else Os(call, refuse))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            one.go_on()
    one.append([enter(2)])
    assert one.read() == []  # it is behind the seal
    assert (one.number, one.line.order()) == (1, [f"{1:040x}"])
    with closing(one.go_on()) as one:
        assert (one.number, one.line.order()) == (2, [f"{1:040x}"])


def test_that_older_ones_cannot_be_listed_costs_nothing(
    two: tuple[Log, Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = two
    one.append([said.Seal()])
    applied(one)
    numbers = Log._numbers
    n_listed = iter(range(1, 100))

    def once(log: Log) -> list[int]:
        if next(n_listed) == 4:  # after that of the making, and two of the opening
            refuse()
        return numbers(log)

    monkeypatch.setattr(Log, "_numbers", once)
    with closing(one.go_on()) as one:
        assert one.number == 2
    assert next(n_listed) > 4


def test_what_could_not_be_read_is_read_again(two: tuple[Log, Log], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = two
    monkeypatch.setattr(logs, "_READ_BYTES", 7)
    one.append([enter(1)])
    n_read = iter(range(100))

    class FailingDisk:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def pread(self, fd: int, n_bytes: int, offset: int) -> bytes:
            if next(n_read) == 11:
                refuse()
            return os.pread(fd, n_bytes, offset)

    with monkeypatch.context() as patch:
        patch.setattr(logs, "os", FailingDisk())
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            other.read()
    assert other.read() == [enter(1)]


def test_a_next_log_that_is_swept_away_while_it_is_made_is_made_again(
    two: tuple[Log, Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = two
    one.append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
    applied(one)
    made = iter(range(100))

    def sweep_and_lock(fd: int, *, shared: bool = False) -> bool:
        if not shared and next(made) == 0:  # as one that comes may do, before it is locked
            sweep(tmp_path, one.number)
        return try_lock(fd, shared=shared)

    monkeypatch.setattr(logs, "try_lock", sweep_and_lock)
    with closing(one.go_on()) as next_one:
        assert next_one.line.order() == [f"{1:040x}"]
    assert next(made) == 2


def test_one_that_is_to_go_on_where_there_is_no_directory_is_lost(two: tuple[Log, Log], tmp_path: Path) -> None:
    two[0].append([said.Seal()])
    applied(two[0])
    shutil.rmtree(tmp_path)
    with pytest.raises(Lost):
        two[0].go_on()


def make_directory_at(path: Path) -> None:
    path.mkdir()


def make_pipe_at(path: Path) -> None:
    os.mkfifo(path)


def make_link_at(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("number", [1, 2, 7])
@pytest.mark.parametrize("make", [make_directory_at, make_pipe_at, make_link_at])
def test_what_has_a_logs_name_and_is_no_file_is_no_log(
    tmp_path: Path, make: Callable[[Path], None], number: int
) -> None:
    make(tmp_path / f"log-{number:010d}")
    with closing(Log(tmp_path)) as log:
        log.append([said.Join(A, 1, NO_LIMIT, 1), enter(1), said.Seal()])
        with closing(gone_on(log)) as next_one, closing(Log(tmp_path)) as other:
            assert next_one.number == other.number != number
            assert next_one.line.order() == other.line.order() == [f"{1:040x}"]


def test_a_log_of_processes_that_come_and_go_is_long_though_each_has_read_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 5000)
    with closing(Log(tmp_path)) as log:
        for number in range(100):
            member = f"{number:016x}"
            log.append([said.Join(member, 1, NO_LIMIT, 1), said.Dead(member)])
    with closing(Log(tmp_path)) as late:
        assert late.is_long
    with closing(Log(tmp_path)) as log:
        log.append([said.Join(A, 1, NO_LIMIT, 1), *map(enter, range(200)), said.Seal()])
    with closing(Log(tmp_path)) as log:
        assert not log.is_long  # all that it has still counts


@pytest.mark.parametrize("how", ["removed", "cut", "its directory is removed", "its directory is moved"])
def test_a_log_that_is_taken_away_is_missed(two: tuple[Log, Log], tmp_path: Path, how: str) -> None:
    one, _ = two
    one.append([enter(1)])
    one.read()
    if how == "removed":
        (tmp_path / one.name).unlink()
    elif how == "cut":
        os.truncate(tmp_path / one.name, 3)
    elif how == "its directory is moved":
        tmp_path.rename(tmp_path.with_suffix(".old"))
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
