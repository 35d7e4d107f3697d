"""The line of a host, purely: against a plain list, whatever is said; and what it promises."""

import random

import pytest

from tests.engines.host.line.plain import PlainLine, Process
from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.record import NO_LIMIT, Record, tenant_of
from workqueue.engines.host.line.state import Line, Task

A, B = "a" * 16, "b" * 16


def key(number: int) -> str:
    return f"{number:040x}"


def line_of(*records: Record, max_running: int = 1, per_tenant: int = NO_LIMIT, own: int = NO_LIMIT) -> Line:
    """A line with two processes."""
    line = Line()
    for record in (*(said.Join(member, max_running, per_tenant, own) for member in (A, B)), *records):
        line.apply(record)
    return line


def enter(member: str, number: int, tenant: str = "", max_pending: int = NO_LIMIT, of: int | None = None) -> said.Enter:
    return said.Enter(member, number, key(number if of is None else of), tenant_of(tenant), max_pending)


def ready(line: Line, preferred: str = "") -> list[tuple[str, int]]:
    return [tuple(task) for _, task in line.ready(preferred)]


def test_places_count_what_waits_in_all_processes() -> None:
    line = line_of(enter(A, 1), said.Begin(A, 1), enter(B, 2), enter(A, 3), enter(B, 4))
    assert [line.n_ahead(Task(*task)) for task in ((A, 1), (B, 2), (A, 3), (B, 4))] == [0, 1, 2, 3]
    assert line.apply(said.Leave(A, 1))
    assert [line.n_ahead(Task(*task)) for task in ((B, 2), (A, 3), (B, 4))] == [0, 1, 2]


def test_one_that_may_not_does_not_begin() -> None:
    line = line_of(enter(A, 1), said.Begin(A, 1), enter(B, 2), said.Begin(B, 2))
    assert list(line.running) == [Task(A, 1)]
    for record in (said.Leave(A, 1), enter(A, 3), said.Begin(A, 3)):  # it is not its turn
        line.apply(record)
    assert not line.running
    assert ready(line) == [(B, 2)]


def test_a_key_has_one_place_and_begins_once() -> None:
    line = line_of(enter(A, 1), said.Begin(A, 1), enter(A, 2), enter(B, 2), enter(B, 3))
    assert [line.n_ahead(Task(*task)) for task in ((A, 2), (B, 2), (B, 3))] == [1, 1, 2]
    line.apply(said.Leave(A, 1))
    line.apply(said.Begin(B, 2))
    line.apply(said.Begin(A, 2))
    assert list(line.running) == [Task(B, 2)]
    # It is about to follow: not one more ahead of it, nor of those behind.
    assert [line.n_ahead(Task(*task)) for task in ((A, 2), (B, 3))] == [0, 1]


def test_a_place_is_kept_while_anybody_waits_for_the_key() -> None:
    line = line_of(enter(A, 1), enter(B, 1), enter(A, 2), said.Leave(A, 1))
    assert line.n_ahead(Task(B, 1)) == 0
    assert line.order() == [key(1), key(2)]


def test_tenants_take_turns_over_all_processes() -> None:
    entries = [enter(A, 1, "x"), enter(A, 2, "x"), enter(A, 3, "x"), enter(B, 4, "y"), enter(B, 5, "y")]
    assert line_of(*entries).order() == [key(number) for number in (1, 4, 2, 5, 3)]


def test_a_tenant_runs_no_more_than_it_may() -> None:
    entries = [enter(A, 1, "x"), said.Begin(A, 1), enter(B, 2, "x"), enter(B, 3, "y")]
    line = line_of(*entries, max_running=3, per_tenant=1)
    assert ready(line) == [(B, 3)]
    line.apply(said.Begin(B, 2))
    assert list(line.running) == [Task(A, 1)]


def test_a_process_runs_no_more_than_it_can() -> None:
    line = line_of(enter(A, 1), said.Begin(A, 1), enter(A, 2), enter(B, 3), max_running=3, own=1)
    assert ready(line) == [(B, 3)]


def test_what_a_dead_process_waited_for_is_out_and_what_it_ran_counts() -> None:
    line = line_of(enter(A, 1), said.Begin(A, 1), enter(A, 2), enter(B, 3), said.Dead(A))
    assert line.n_ahead(Task(B, 3)) == 1
    assert ready(line) == []
    assert line.orphans() == [(Task(A, 1), line.running[Task(A, 1)])]
    line.apply(said.Leave(A, 1))
    assert ready(line) == [(B, 3)]
    assert A not in line.members
    assert not line.apply(enter(A, 4))
    assert line.order() == [key(3)]


def test_one_that_does_not_take_its_turn_is_passed_over_until_it_is_back() -> None:
    line = line_of(enter(A, 1), enter(B, 2), said.Stalled(A))
    assert ready(line) == [(B, 2)]
    assert ready(line, A) == [(A, 1)]
    line.apply(said.Back(A))
    assert ready(line) == [(A, 1)]
    line.apply(said.Stalled(A))
    line.apply(said.Begin(A, 1))  # is as good as a word
    assert list(line.running) == [Task(A, 1)]
    assert not line.members[A].is_stalled


@pytest.mark.parametrize("max_pending", [0, 2])
def test_no_more_wait_than_may(max_pending: int) -> None:
    line = line_of(*(enter(A, number, max_pending=max_pending) for number in range(1, 6)))
    assert line.order() == [key(number) for number in range(1, max_pending + 2)]
    assert line.waits(Task(A, 1))
    assert not line.waits(Task(A, max_pending + 2))
    line.apply(enter(B, 9, max_pending=max_pending, of=1))  # waits for what waits already
    assert line.waits(Task(B, 9))


def test_one_that_is_refused_costs_its_tenant_no_turn() -> None:
    line = line_of(enter(A, 1, "x"), *(enter(A, n, "x", max_pending=0) for n in range(2, 9)), enter(B, 20, "x"))
    assert line.order() == [key(1), key(20)]
    line.apply(enter(B, 21, "y"))
    line.apply(enter(B, 22, "x"))
    assert line.order() == [key(1), key(21), key(20), key(22)]


def test_what_cannot_be_is_not_believed() -> None:
    line = line_of(enter(A, 1))
    for record in (enter("c" * 16, 1), said.Begin("c" * 16, 1), said.Leave(B, 7), said.Dead("c" * 16)):
        assert not line.apply(record)
    line.apply(enter(A, 1, of=2))
    assert line.order() == [key(1)]


def told(line: Line) -> object:
    """All that can be asked of a line."""
    tasks = [Task(name, number) for name, member in line.members.items() for number in member.waiting]
    places = {task: line.n_ahead(task) for task in tasks}
    waits = {name: (member.is_stalled, member.is_dead) for name, member in line.members.items()}
    return line.order(), places, set(line.running), waits, ready(line), line.n_tasks


class Walk:
    """Random moves of processes that come, die, stall and limit themselves, told to both lines."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.line, self.plain = Line(), PlainLine()
        self._numbers = iter(range(1, 10_000))
        self.known: list[Task] = []
        for _ in range(3):
            self.join()
        self.enter()

    def step(self) -> None:
        moves = [self.join, self.die, self.stall, self.cancel, self.begin, self.begin]
        moves += [self.enter] * 6 + [self.begin_first] * 5 + [self.end] * 4
        self.chance.choice(moves)()

    def join(self) -> None:
        choose = self.chance.choice
        limits = choose([1, 2, 4]), choose([1, 2, NO_LIMIT]), choose([1, 2, NO_LIMIT])
        record = said.Join(f"{next(self._numbers):016x}", *limits)
        self.plain.processes[record.member] = Process(*limits)
        self.line.apply(record)

    def enter(self) -> None:
        choose = self.chance.choice
        task = Task(choose([*self.plain.processes]), next(self._numbers))
        tenant, limit = tenant_of(choose(["", "x", "y", "z"])), choose([NO_LIMIT, NO_LIMIT, 0, 3])
        of = key(self.chance.randrange(12))
        self.known.append(task)
        self.line.apply(said.Enter(*task, of, tenant, limit))
        self.plain.enter(task, of, tenant, limit)

    def begin(self) -> None:
        """Any, whether it may or not."""
        if self.known:
            task = self.chance.choice(self.known)
            self.line.apply(said.Begin(*task))
            self.plain.begin(task)

    def begin_first(self) -> None:
        for _, task in self.plain.ready()[:1]:
            self.line.apply(said.Begin(*task))
            assert self.plain.begin(task)
            assert task in self.line.running

    def end(self) -> None:
        self._leave([*self.plain.running])

    def cancel(self) -> None:
        self._leave(self.known)

    def _leave(self, tasks: list[Task]) -> None:
        if tasks:
            task = self.chance.choice(tasks)
            self.line.apply(said.Leave(*task))
            self.plain.leave(task)

    def die(self) -> None:
        member = self.chance.choice([*self.plain.processes])
        self.line.apply(said.Dead(member))
        self.plain.die(member)
        self.known = [task for task in self.known if task.member != member or task in self.plain.running]
        del self.plain.processes[member]
        if not self.plain.processes:
            self.join()

    def stall(self) -> None:
        member = self.chance.choice([*self.plain.processes])
        is_stalled = self.chance.random() < 0.6
        self.plain.processes[member].is_stalled = is_stalled
        self.line.apply(said.Stalled(member) if is_stalled else said.Back(member))

    def check(self) -> None:
        line, plain = self.line, self.plain
        assert line.order() == [waiting.key for waiting in plain.in_order()]
        assert set(line.running) == set(plain.running)
        assert [line.n_ahead(task) for task in self.known] == [plain.n_ahead(task) for task in self.known]
        assert ready(line) == [tuple(task) for _, task in plain.ready()]

    def go_on(self) -> None:
        """As when a log is sealed: another line is made of what this one meant."""
        other = Line()
        for record in self.line.dump():
            other.apply(record)
        assert told(other) == told(self.line)
        self.plain.last_turn = dict(other._last_turn)  # it has forgotten turns of those that left
        self.line = other


@pytest.mark.parametrize("seed", range(30))
def test_it_is_as_a_plain_list(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(150):
        walk.step()
        walk.check()
        if walk.chance.random() < 0.1:
            walk.go_on()


def anything(chance: random.Random) -> Record:
    """Of few processes, tasks, keys and places, so that some of it can be."""
    choose, few = chance.choice, chance.randrange
    member, task, of, tenant = choose([A, B, "c" * 16]), few(5), key(few(4)), tenant_of(choose(["", "x"]))
    return choose(
        [
            said.Join(member, few(3), 1 + few(2), 1 + few(2)),
            said.Enter(member, task, of, tenant, choose([0, 2, NO_LIMIT])),
            said.Enter(member, task, of, tenant, NO_LIMIT),
            said.Begin(member, task),
            said.Leave(member, task),
            said.Dead(member),
            said.Stalled(member),
            said.Back(member),
            said.Runs(member, task, of, tenant, few(4)),
            said.Waits(of, tenant, few(3), few(4)),
            said.Clock(few(4), few(4)),
            said.Time(few(3)),
        ]
    )


@pytest.mark.parametrize("begins_with", [[], [said.Clock(2, 3)]], ids=["", "clock"])
@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_said_makes_a_line(seed: int, begins_with: list[Record]) -> None:
    chance = random.Random(seed)
    line = line_of() if not begins_with else Line()
    for record in [*begins_with, *(anything(chance) for _ in range(60))]:
        line.apply(record)
        told(line)
        assert all(group.tasks for group in line.groups.values())
        assert len(line.order()) == len(set(line.order()))
        copy = Line()
        for other in line.dump():
            copy.apply(other)
        assert told(copy) == told(line)
        assert copy.dump() == line.dump()


@pytest.mark.parametrize("seed", range(40))
def test_the_time_of_day_decides_nothing(seed: int) -> None:
    """So processes of a release that does not know it, and takes it for no record, have the same line."""
    chance = random.Random(seed)
    line, old = Line(), Line()
    for record in [said.Clock(2, 3), *(anything(chance) for _ in range(100))]:
        line.apply(record)
        if not isinstance(record, said.Time):
            old.apply(record)
        assert told(line) == told(old)
    copy = Line()  # of a log that goes on, too
    for record in line.dump():
        if not isinstance(record, said.Time):
            copy.apply(record)
    assert told(copy) == told(line)


def test_when_a_key_came_first_is_known_for_as_long_as_it_is_there() -> None:
    line = line_of(
        enter(A, 1),
        said.Time(1000),
        enter(A, 2),
        said.Time(2000),
        enter(B, 2),
        enter(A, 3),
        said.Time(500),
        enter(A, 4),
    )
    for _ in range(2):
        assert {group.key: group.queued_at for group in line.groups.values()} == {
            key(1): 0,
            key(2): 1000,
            key(3): 2000,
            key(4): 500,
        }
        records, line = line.dump(), Line()
        for record in records:
            line.apply(record)
    for task in (1, 2):
        line.apply(said.Begin(A, task))
        assert [run.queued_at for run in line.running.values()] == [1000 * (task - 1)]
        copy = Line()
        for record in line.dump():
            copy.apply(record)
        assert [run.queued_at for run in copy.running.values()] == [1000 * (task - 1)]
        line.apply(said.Leave(A, task))


def test_of_the_beginning_of_a_log_any_part_makes_a_line_in_which_every_place_is_somebodys() -> None:
    """As when the power goes, and the first blocks of the file are all there is."""
    line = line_of(*(enter(A, number) for number in range(20)), enter(B, 7), said.Begin(A, 0), enter(A, 30, of=0))
    records = line.dump()
    for n_records in range(len(records)):
        part = Line()
        for record in records[:n_records]:
            part.apply(record)
        part.apply(said.Dead(A))
        assert part.order() == ([key(7)] if part.waits(Task(B, 7)) else [])


def test_a_place_that_is_told_counts_at_the_beginning_alone_and_once() -> None:
    waits, other = said.Waits(key(1), tenant_of(""), 0, 1), said.Waits(key(2), tenant_of(""), 0, 1)
    join = said.Join(A, 1, NO_LIMIT, NO_LIMIT)
    for records in (
        [join, enter(A, 3), waits, enter(A, 1)],  # without a clock
        [said.Clock(0, 5), join, enter(A, 3), waits, enter(A, 1)],  # too late
        [said.Clock(0, 0), join, enter(A, 3), waits, enter(A, 1)],  # nobody has entered
    ):
        line = Line()
        for record in records:
            line.apply(record)
        assert line.order() == [key(3), key(1)]
    line = Line()
    for record in (said.Clock(0, 5), join, waits, enter(A, 1), other, enter(A, 2), enter(A, 3), waits):
        line.apply(record)
    assert line.order() == [key(1), key(2), key(3)]
    assert len({group.place for group in line.groups.values()}) == 3
