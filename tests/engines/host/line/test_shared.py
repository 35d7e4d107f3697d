"""One line for several queues, each as a process of its own would have it."""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.server import eventually
from workqueue import Progress, WorkQueue
from workqueue.engines.host import follower as following
from workqueue.engines.host.line import connection, lookout, shared
from workqueue.engines.host.line import log as logs
from workqueue.engines.host.line import record as said
from workqueue.engines.host.line import waker as waking
from workqueue.engines.host.line.record import Record
from workqueue.engines.host.line.shared import SharedLine
from workqueue.engines.local.lineup import CannotBegin, Place
from workqueue.errors import QueueFull, StorageError
from workqueue.system.descriptors import close_own
from workqueue.testing import ScriptedProgram, output


def key(number: int) -> str:
    return f"{number:040x}"


class Hall:
    """Where lines are: the directory, and which keys are locked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.locked: set[str] = set()
        self.lines: list[SharedLine] = []
        self.moves: dict[SharedLine, threading.Event] = {}
        self.wakes: dict[SharedLine, threading.Event] = {}

    def line(self, max_running: int = 1, *, per_tenant: int | None = None, has_threads: bool = True) -> SharedLine:
        line = SharedLine(self.directory, max_running, per_tenant, None, lambda key: key in self.locked)
        moves, wakes = threading.Event(), threading.Event()
        line.call_when_moved(moves.set, lambda _: wakes.set(), lambda: has_threads)
        self.moves[line], self.wakes[line] = moves, wakes
        line.open()
        self.lines.append(line)
        return line

    def kill(self, line: SharedLine) -> None:
        """As SIGKILL does: all that it has open is closed, and nothing is said."""
        self.lines.remove(line)
        with line._connection.files:
            log, lifeline = line._connection._log, line._connection._lifeline
            assert log is not None
            assert lifeline is not None
            log.close()
            close_own(lifeline._fd)
            line._connection._log = line._connection._lifeline = None
            watched = line._lookout.end()
        line._lookout.forget(watched)
        waking.waker.close(self.directory)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hall = Hall(tmp_path / "line")
    yield hall
    for line in hall.lines:
        line.close()


def go(line: SharedLine, number: int, tenant: str = "", max_pending: int | None = None) -> Place:
    place = line.enter(key(number), tenant)
    line.announce(place, max_pending)
    return place


def test_one_line_for_all(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    first, second, third = go(one, 1), go(other, 2), go(one, 3)
    assert one.take() == first
    assert one.take() is None
    assert other.take() is None
    assert (one.n_ahead(first), other.n_ahead(second), one.n_ahead(third)) == (0, 1, 2)
    one.leave(first)
    one.leave(first)
    assert hall.wakes[other].wait(10)
    assert other.n_ahead(second) == 0
    assert one.take() is None
    assert other.take() == second
    assert hall.moves[one].wait(10)
    eventually(lambda: one.n_ahead(third) == 1)
    other.leave(second)
    assert hall.wakes[one].wait(10)
    assert one.take() == third


def test_a_task_that_need_not_wait_has_nothing_followed(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    place = go(one, 1)
    assert one.take() == place
    one.leave(place)
    assert one._lookout.watched == other._lookout.watched == set()
    assert other.n_tasks == 0


def test_when_nothing_waits_any_more_nothing_is_followed(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    first, second = go(one, 1), go(other, 2)
    assert one.take() == first
    other.leave(second)
    go(one, 3)
    eventually(lambda: not other._lookout.watched)


def test_a_dead_ones_tasks_are_out_at_once_and_its_run_when_its_program_is_dead(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    first, _, third = go(one, 1), go(one, 2), go(other, 3)
    hall.locked.add(key(1))
    assert one.take() == first
    other._look()
    assert other.n_ahead(third) == 2
    hall.kill(one)
    eventually(lambda: other.n_ahead(third) == 1)
    assert other.take() is None
    hall.locked.clear()
    assert hall.wakes[other].wait(10)
    assert other.take() == third
    assert len(list(hall.directory.iterdir())) == 2


def test_the_end_of_a_dead_ones_program_is_found_though_nothing_tells_of_it(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = hall.line(), hall.line()
    hall.locked.add(key(1))
    assert go(one, 1) == one.take()
    hall.lines.remove(one)
    one.close()
    second = go(other, 2)
    assert other.take() is None
    hall.locked.clear()
    monkeypatch.setattr(lookout, "BURY_SECONDS", 0.0)
    other._look()
    assert other.n_ahead(second) == 0
    assert other.take() == second


def test_one_that_died_before_anybody_looked_is_not_waited_for(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    assert one.take() is None
    go(one, 1)
    assert one.take() is not None
    go(one, 2)
    hall.kill(one)
    place = go(other, 3, max_pending=0)
    assert other.n_ahead(place) == 0
    assert other.take() == place


def test_one_that_closes_leaves_the_line(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    assert go(one, 1) == one.take()
    waiting = go(other, 2)
    hall.lines.remove(one)
    one.close()
    eventually(lambda: other.n_ahead(waiting) == 0)
    with pytest.raises(StorageError, match="closed"):
        go(one, 3)
    assert one.take() is None


def test_one_that_does_not_take_its_turn_is_passed_over_until_it_does(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, other = hall.line(has_threads=False), hall.line()
    first, second = go(stopped, 1), go(other, 2)
    assert other.take() is None
    monkeypatch.setattr(lookout, "STALL_SECONDS", -1.0)
    other._look()  # of the following thread: it is the first look at a turn that is not taken
    monkeypatch.undo()
    assert other.take() == second
    third = go(other, 3)
    other.leave(second)
    assert other.take() == third  # still
    other.leave(third)
    assert stopped.take() == first
    other._look()
    fourth = go(other, 4)
    stopped.leave(first)
    fifth = go(stopped, 5)
    assert stopped.take() is None  # all turns are taken again
    assert other.take() == fourth
    other.leave(fourth)
    assert stopped.take() == fifth


def test_one_that_is_passed_over_says_that_it_is_back(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, other = hall.line(has_threads=False), hall.line()
    go(stopped, 1), go(other, 2)
    assert other.take() is None
    monkeypatch.setattr(lookout, "STALL_SECONDS", -1.0)
    other._look()
    monkeypatch.undo()
    second = other.take()
    assert second is not None
    stopped._look()
    assert stopped._connection.is_stalled
    assert stopped.take() is None  # a thread is there, and the turn is another's
    assert not stopped._connection.is_stalled


def test_one_that_leaves_before_it_is_announced_does_not_come(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    line = hall.line()
    place = line.enter(key(1))
    files = line._connection.files

    class Late:
        def __enter__(self) -> None:
            line.leave(place)
            files.acquire()

        def __exit__(self, *_: object) -> None:
            files.release()

    with monkeypatch.context() as patch:
        patch.setattr(line._connection, "files", Late())
        line.announce(place)
    assert (line.n_tasks, line.n_waiting) == (0, 0)


def test_one_that_leaves_while_it_is_announced_is_out(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it waits for nobody who has the files: an engine may call with its own lock."""
    line = hall.line()
    place = line.enter(key(1))
    say = line._connection.say

    def say_and_leave(*records: Record) -> None:
        say(*records)
        if isinstance(records[0], said.Enter):
            thread = threading.Thread(target=line.leave, args=(place,), daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()

    with monkeypatch.context() as patch:
        patch.setattr(line._connection, "say", say_and_leave)
        line.announce(place)
    assert (line.n_tasks, line.n_waiting) == (0, 0)
    assert line.take() is None


def test_one_that_was_stopped_itself_takes_nobody_else_for_stopped(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(lookout, "time", Clock)
    late, other = hall.line(has_threads=False), hall.line()
    go(late, 1), go(other, 2)
    assert other.take() is None
    for seconds, is_stalled in ((0.0, False), (100.0, False), (0.9, False), (0.9, True)):
        now[0] += seconds
        other._look()
        late._look()
        assert late._connection.is_stalled == is_stalled


def test_an_observer_that_takes_long_holds_up_no_turn(hall: Hall, tmp_path: Path) -> None:
    one, other = hall.line(), hall.line()
    first, second = go(one, 1), go(other, 2)
    assert one.take() == first
    assert other.take() is None
    entered, gate = threading.Event(), threading.Event()

    def observe() -> None:
        entered.set()
        gate.wait(30)

    following.follower.open(tmp_path)
    try:
        following.follower.follow(tmp_path, "journal", observe, always=True)
        assert entered.wait(10)
        one.leave(first)
        assert hall.wakes[other].wait(10)
        assert other.take() == second
    finally:
        gate.set()
        following.follower.close(tmp_path)


def test_a_job_without_a_thread_takes_nobodys_slot(tmp_path: Path) -> None:
    """The one thread of its queue still tells of the end of another, to an observer that takes long."""
    ended, gate = threading.Event(), threading.Event()

    def tell(progress: Progress) -> None:
        if progress.returncode is not None:
            ended.set()
            gate.wait(30)

    with ScriptedProgram(tmp_path / "program", output(b"built")) as program:
        queues = [WorkQueue(program.path, storage_dir=tmp_path / "storage", max_running=1) for _ in range(2)]
        one, other = queues
        try:
            job = one.ensure_run(("a",))
            assert job is not None
            job.progress.subscribe(tell)
            assert ended.wait(20)
            waiting, others = one.ensure_run(("b",)), other.ensure_run(("c",))
            assert waiting is not None
            assert others is not None
            assert others.wait(20).returncode == 0
            assert [run[0] for run in program.runs] == ["a", "c"]
            gate.set()
            assert waiting.wait(20).returncode == 0
        finally:
            gate.set()
            for queue in queues:
                queue.close(0)


def test_no_more_wait_than_may_of_all(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    assert go(one, 1) == one.take()
    go(one, 2, max_pending=1)
    with pytest.raises(QueueFull):
        go(other, 3, max_pending=1)
    go(other, 2, max_pending=1)  # waits for what waits
    go(other, 3, max_pending=2)


def test_no_more_of_a_tenant_run_than_may(hall: Hall) -> None:
    one, other = hall.line(3, per_tenant=1), hall.line(3, per_tenant=1)
    assert go(one, 1, "x") == one.take()
    go(other, 2, "x")
    third = go(other, 3, "y")
    assert other.take() == third
    assert other.take() is None


def test_a_key_is_begun_once(hall: Hall) -> None:
    lines = [hall.line(8) for _ in range(4)]
    places = {line: go(line, 1) for line in lines}
    begun = [line for line in lines if line.take() is not None]
    assert len(begun) == 1
    assert [line.n_ahead(places[line]) for line in lines] == [0] * 4


def in_threads(functions: list[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as err:
            errors.append(err)
            raise

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.parametrize("max_bytes", [logs.MAX_BYTES, 500])
def test_never_more_run_than_may_whatever_is_done_at_once(
    hall: Hall, max_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while logs are sealed all the time, some in the middle of a task's three words."""
    monkeypatch.setattr(logs, "MAX_BYTES", max_bytes)
    lines = [hall.line(2) for _ in range(4)]
    running: set[int] = set()
    most: list[int] = []
    lock = threading.Lock()
    done: list[int] = []

    def work(line: SharedLine, first: int) -> None:
        places = {}
        for number in range(first, first + 20):
            place = go(line, number)
            places[place] = number
        while places:
            place = line.take()  # type: ignore[assignment]
            if place is None:
                hall.wakes[line].wait(5)
                hall.wakes[line].clear()
                continue
            number = places.pop(place)
            with lock:
                running.add(number)
                most.append(len(running))
            with lock:
                running.discard(number)
                done.append(number)
            line.leave(place)

    in_threads([lambda line=line, i=i: work(line, 100 * i) for i, line in enumerate(lines)])  # type: ignore[misc]
    assert sorted(done) == sorted(100 * i + j for i in range(4) for j in range(20))
    assert 1 <= max(most) <= 2
    assert lines[0].n_waiting == 0
    lines[0]._look()
    assert lines[0].n_tasks == 0
    assert len([path for path in hall.directory.iterdir() if path.name.startswith("log-")]) == 1
    assert len(list(hall.directory.iterdir())) == 5


def test_a_directory_that_is_removed_is_made_anew(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    first, second, third, fourth = go(one, 1), go(other, 2), go(one, 3), go(one, 4)
    assert one.take() == first
    shutil.rmtree(hall.directory)
    one._look()
    other._look()
    one._look()
    assert one.n_ahead(first) == 0
    # Each keeps its order; which of the two comes first is anybody's guess.
    assert one.n_ahead(third) < one.n_ahead(fourth)
    assert sorted((one.n_ahead(third), one.n_ahead(fourth), other.n_ahead(second))) == [1, 2, 3]
    assert one.take() is None
    assert other.take() is None
    one.leave(first)
    assert {one.take(), other.take()} in ({third, None}, {second, None})


def seal(line: SharedLine) -> None:
    with line._connection.files:
        log = line._connection._log
        assert log is not None
        log.append([said.Seal()])


def test_a_directory_that_is_removed_behind_a_seal_is_made_anew(hall: Hall) -> None:
    one, other = hall.line(), hall.line()
    seal(other)
    other.take()
    hall.lines.remove(other)
    other.close()
    shutil.rmtree(hall.directory)
    place = go(one, 1)
    assert one.take() == place


def test_what_runs_counts_in_a_directory_that_is_made_anew_though_nothing_waits(hall: Hall) -> None:
    one, other = hall.line(3), hall.line(3)
    first = go(one, 1)
    assert one.take() == first
    shutil.rmtree(hall.directory)
    second = go(other, 2)
    assert other.take() == second
    eventually(lambda: one.n_tasks == other.n_tasks == 2)
    one.leave(first), other.leave(second)
    eventually(lambda: not one._lookout._guarded and not other._lookout._guarded)


def test_a_directory_that_is_moved_is_made_anew(hall: Hall) -> None:
    one = hall.line()
    first = go(one, 1)
    assert one.take() == first
    hall.directory.rename(hall.directory.with_suffix(".old"))
    other = hall.line()
    second = go(one, 2)  # it says again what it runs
    third = go(other, 3)
    assert other.take() is None
    assert {one.n_ahead(second), other.n_ahead(third)} == {1, 2}


def test_one_that_could_not_go_on_does_when_it_can(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the line of before meanwhile, and that of all then."""
    one, other = hall.line(), hall.line()
    first = go(one, 1)
    assert one.take() == first
    seal(other)
    one.leave(first)  # said behind the seal, and again in the next log

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(logs, "Log", refuse)
        with pytest.raises(StorageError, match=os.strerror(errno.EMFILE)):
            go(other, 2)
        assert other.n_tasks == 1
    second = go(other, 3)
    assert other.take() == second
    one._look()
    assert one._connection.line.running.keys() == other._connection.line.running.keys()


def test_a_look_that_fails_is_no_news_to_the_next(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says first what is still unsaid, and what it says is told to it. Without a rest it would do so for ever."""
    one, other = hall.line(), hall.line()
    first = go(one, 1)
    assert one.take() == first
    waits = go(other, 2)
    n_looks, tried = 0, threading.Event()
    read = other._connection.read

    def fail() -> None:
        nonlocal n_looks
        n_looks += 1
        tried.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with other._connection.files:
        monkeypatch.setattr(other._connection, "read", fail)
        other._connection.unsaid.append(said.Back(other._connection.member))
    with monkeypatch.context() as patch:
        patch.setattr(shared, "REST_SECONDS", 3600.0)
        go(one, 3)  # which the kernel tells the other of
        assert tried.wait(10)
        for _ in range(3):
            other._look()
        assert n_looks == 1
    monkeypatch.setattr(other._connection, "read", read)
    other._rests_until = 0.0
    one.leave(first)
    assert hall.wakes[other].wait(10)
    assert other.take() == waits


def test_limits_may_be_as_large_as_anybody_likes(hall: Hall) -> None:
    one, other = (hall.line(2**40, per_tenant=1) for _ in range(2))
    assert go(one, 1, "x") == one.take()
    go(other, 2, "x", max_pending=2**40)
    assert other.take() is None
    third = go(other, 3, "y")
    assert other.take() == third


def test_one_that_comes_buries_whom_it_finds_dead(hall: Hall) -> None:
    lines = [hall.line(100) for _ in range(3)]
    for number, line in enumerate(lines):
        assert go(line, number) == line.take()
        hall.kill(line)
    late = hall.line(100)
    assert late.n_tasks == 0
    assert len(list(hall.directory.iterdir())) == 2


def test_one_that_was_taken_for_dead_joins_anew(hall: Hall) -> None:
    """Somebody has removed its file, who is none of us."""
    one, other = hall.line(), hall.line()
    first, second = go(one, 1), go(one, 2)
    assert one.take() == first
    for path in hall.directory.glob("member-*"):
        path.unlink()
    third = go(other, 3)
    one._look()
    other._look()
    hall.locked.clear()
    assert (one.n_ahead(second), other.n_ahead(third)) in ((1, 2), (2, 1))
    one.leave(first)
    one._look()
    other._look()
    assert {one.take(), other.take()} in ({second, None}, {third, None})


class Failing:
    """In place of `os`: nothing can be written."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_and_what_has_left_is_said_later(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = hall.line(), hall.line()
    first, second = go(one, 1), go(other, 2)
    assert one.take() == first
    with monkeypatch.context() as patch:
        patch.setattr(logs, "os", Failing())
        with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
            go(one, 3)
        one.leave(first)
        assert other.take() is None
    assert hall.wakes[other].wait(10)
    with monkeypatch.context() as patch:
        patch.setattr(logs, "os", Failing())
        with pytest.raises(CannotBegin, match=os.strerror(errno.ENOSPC)) as caught:
            other.take()
    assert caught.value.place == second
    assert other.take() == second


def test_a_few_descriptors_however_many_wait(hall: Hall) -> None:
    n_before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    line = hall.line()
    n_threads_before = threading.active_count()
    for number in range(500):
        go(line, number)
    # The line's two, and what the following thread has: poll, a pipe, inotify.
    assert len(os.listdir("/dev/fd")) - n_before <= 8  # noqa: PTH208
    assert threading.active_count() <= n_threads_before + 1
    assert line.n_waiting == 500


@pytest.mark.parametrize("step", ["make_directory", "Log", "Lifeline"])
def test_a_line_that_cannot_be_opened_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    hall = Hall(tmp_path / "line")
    n_open = len(os.listdir("/dev/fd"))  # noqa: PTH208
    with monkeypatch.context() as patch:
        patch.setattr(connection, step, refuse)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            hall.line()
    assert len(os.listdir("/dev/fd")) == n_open  # noqa: PTH208
    line = hall.line()
    assert go(line, 1) == line.take()
    line.close()
