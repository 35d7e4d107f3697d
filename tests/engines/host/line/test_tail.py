"""The tail: the line that the log makes, read by one that has no part in it, while it goes on, is sealed or removed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.connection import entry
from workqueue.engines.host.line.log import Log
from workqueue.engines.host.line.state import Line
from workqueue.engines.host.line.tail import Tail

ME = "0123456789abcdef"
KEYS = [letter * 40 for letter in "abcdef"]


def apply(log: Log) -> None:
    for record in log.read():
        log.line.apply(record)


def enter(log: Log, number: int) -> None:
    log.append([said.Time(1000 * number), entry(ME, number, KEYS[number], "-")])
    apply(log)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    log.append([said.Join(ME, 1, said.NO_LIMIT, 1)])
    yield log
    log.close()


def test_it_has_the_same_line_as_one_that_takes_part(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    for number in range(4):
        enter(log, number)
        assert tail.read().dump() == log.line.dump() == Tail(tmp_path).read().dump()
    log.append([said.Begin(ME, 0), said.Leave(ME, 2)])
    apply(log)
    assert tail.read().dump() == log.line.dump()
    assert tail.read().order() == [KEYS[1], KEYS[3]]
    assert [group.queued_at for group in tail.read().groups.values()] == [1000, 3000]
    assert [run.queued_at for run in tail.read().running.values()] == [0]


def test_a_log_that_goes_on_in_another_file_is_followed(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    for number in (0, 1):
        enter(log, number)
    log.append([said.Begin(ME, 0)])
    apply(log)
    before = tail.read().dump()
    log.append([said.Seal(), entry(ME, 5, KEYS[5], "-")])
    apply(log)
    assert log.is_sealed
    assert tail.read().dump() == before  # what is said behind a seal counts for nobody
    newer = log.go_on()
    assert tail.read().dump() == newer.line.dump() == Tail(tmp_path).read().dump()
    enter(newer, 2)
    assert tail.read().order() == [KEYS[1], KEYS[2]]
    assert [group.queued_at for group in tail.read().groups.values()] == [1000, 2000]
    newer.close()


def test_nothing_is_made_or_written(tmp_path: Path) -> None:
    assert Tail(tmp_path / "nowhere").read().dump() == Line().dump()
    assert Tail(tmp_path).read().dump() == Line().dump()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_removed_and_made_anew_is_read_anew(tmp_path: Path) -> None:
    directory = tmp_path / "line"
    tail = Tail(directory)
    for number in range(3):
        directory.mkdir()
        log = Log(directory)
        log.append([said.Join(ME, 1, said.NO_LIMIT, 1)])
        enter(log, number)
        assert tail.read().order() == [KEYS[number]]
        log.close()
        shutil.rmtree(directory)
        assert tail.read().order() == []


def test_a_line_that_is_just_being_written_is_taken_when_it_is_whole(log: Log, tmp_path: Path) -> None:
    enter(log, 0)
    data = said.encode(entry(ME, 1, KEYS[1], "-"))
    tail = Tail(tmp_path)
    with (tmp_path / log.name).open("ab", buffering=0) as file:
        for i in range(len(data)):
            assert tail.read().order() == [KEYS[0]]
            file.write(data[i : i + 1])
    assert tail.read().order() == [KEYS[0], KEYS[1]]


def test_a_log_that_was_cut_is_read_anew(log: Log, tmp_path: Path) -> None:
    enter(log, 0)
    size = (tmp_path / log.name).stat().st_size
    enter(log, 1)
    tail = Tail(tmp_path)
    assert tail.read().order() == KEYS[:2]
    os.truncate(tmp_path / log.name, size)
    assert tail.read().order() == KEYS[:1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(0, 2))
def test_whatever_is_in_it_something_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes], n: int
) -> None:
    directory = tmp_path_factory.mktemp("line")
    tail = Tail(directory)
    for i, content in enumerate(data):
        with (directory / f"log-{i * n:010d}").open("ab") as file:
            file.write(content)
        tail.read().dump()


def test_what_has_the_name_of_a_log_and_is_none_is_passed_by(log: Log, tmp_path: Path) -> None:
    enter(log, 0)
    os.mkfifo(tmp_path / "log-0000000007")
    (tmp_path / "log-0000000008").mkdir()
    (tmp_path / "log-0000000009").symlink_to(tmp_path / log.name)
    assert Tail(tmp_path).read().order() == [KEYS[0]]
