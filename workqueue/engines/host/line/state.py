"""4 host line state: what was said, in its order -> which task waits at which place, and which may begin; pure.

The order is that of `workqueue.engines.local.lineup`: fair between tenants, turns given on entering. Each process
builds its own from the log, and all that have read as far have the same. It believes nothing that cannot be: a task of
a process that is not there, or that is there already, is not entered.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.recall import Recall
from workqueue.engines.host.line.record import Record


class Task(NamedTuple):
    """One task of one process."""

    member: str
    number: int


class Place(NamedTuple):
    """It sorts by who comes first."""

    turn: int
    number: int


class Run(NamedTuple):
    """What runs."""

    key: str
    tenant: str
    turn: int
    queued_at: int = 0
    """As a group's."""


@dataclass
class Member:
    """One process."""

    limits: said.Join
    is_stalled: bool = False
    is_dead: bool = False
    n_running: int = 0
    waiting: dict[int, str] = field(default_factory=dict)
    """The keys of its tasks that wait."""


@dataclass
class Group:
    """All tasks that wait for one key."""

    key: str
    tenant: str
    place: Place
    queued_at: int = 0
    """When the first of them came, in milliseconds since 1970; 0: nobody has said so."""

    tasks: dict[Task, None] = field(default_factory=dict)


class Line:
    """All tasks that wait or run, of all processes. For one thread at a time."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.groups: dict[str, Group] = {}
        self.running: dict[Task, Run] = {}
        self._keys: Counter[str] = Counter()  # that run
        self._tenants: Counter[str] = Counter()  # that run
        # The places of those groups whose key does not run; the others follow that run, or wait for its end.
        self._order: list[Place] = []
        self._by_place: dict[Place, Group] = {}
        self._turn = 0
        self._n_entered = 0
        # Of tenants that are in the line or run, and no others.
        self._last_turn: dict[str, int] = {}
        self._n_of_tenant: Counter[str] = Counter()
        self._recall = Recall()
        #: The time of day that was said last, as `Group.queued_at`; nothing here goes by it.
        self.time = 0

    @property
    def n_waiting(self) -> int:
        """How many keys wait to be run."""
        return len(self._order)

    @property
    def n_tasks(self) -> int:
        """How many keys wait or run: so many come before one that comes now."""
        return len(self.running) + len(self._order)

    def waits(self, task: Task) -> bool:
        """Whether this task is in the line."""
        member = self.members.get(task.member)
        return member is not None and task.number in member.waiting

    def n_ahead(self, task: Task) -> int:
        """How many keys run or come before this task's; 0 once it runs, or is not known."""
        member = self.members.get(task.member)
        key = None if member is None else member.waiting.get(task.number)
        if key is None:
            return 0
        n_running = len(self.running)
        if self._keys[key]:
            # It is about to follow a run of another process's; one of its own, which is being cancelled, it waits for.
            n_running -= any(run.key == key and other.member != task.member for other, run in self.running.items())
        return n_running + bisect_left(self._order, self.groups[key].place)

    def order(self) -> list[str]:
        """The keys that wait, the first first."""
        return [self._by_place[place].key for place in self._order]

    def ready(self, preferred: str = "") -> Iterator[tuple[Group, Task]]:
        """Those that may begin now, all of them, in order; each with a task of its key whose process can run it.

        Args:
            preferred: a process that is taken before others where it has a task of the key, and though it is stalled.
        """
        n_more, tenants, of_members = 0, Counter[str](), Counter[str]()
        # Most often as many run as may: then nobody is looked at.
        limits = [member.limits for member in self.members.values() if self._can_take(member, preferred)]
        most = max((limit.max_running for limit in limits), default=0)
        most_per_tenant = max((limit.max_running_per_tenant for limit in limits), default=0)
        for place in self._order:
            if len(self.running) + n_more >= most:
                return
            group = self._by_place[place]
            n_of_tenant = self._tenants[group.tenant] + tenants[group.tenant]
            if n_of_tenant >= most_per_tenant:
                continue
            for task in sorted(group.tasks, key=lambda task: task.member != preferred):
                member = self.members[task.member]
                if (
                    self._can_take(member, preferred, of_members[task.member])
                    and len(self.running) + n_more < member.limits.max_running
                    and n_of_tenant < member.limits.max_running_per_tenant
                ):
                    yield group, task
                    n_more += 1
                    tenants[group.tenant] += 1
                    of_members[task.member] += 1
                    break

    def _can_take(self, member: Member, preferred: str, n_more: int = 0) -> bool:
        """Whether a process has a thread for one more, and takes its turns."""
        is_there = not member.is_stalled or member.limits.member == preferred
        return is_there and bool(member.waiting) and member.n_running + n_more < member.limits.max_of_its_own

    def orphans(self) -> list[tuple[Task, Run]]:
        """What dead processes run."""
        return [(task, run) for task, run in self.running.items() if self.members[task.member].is_dead]

    def apply(self, record: Record) -> bool:
        """Take the next thing that was said; return whether a place may have changed."""
        is_first = self._recall.is_first
        waits = self._recall.take(record)
        match record:
            case said.Enter():
                return self._enter(record, waits)
            case said.Begin():
                return self._begin(Task(record.member, record.task))
            case said.Leave():
                return self._leave(Task(record.member, record.task))
            case said.Dead():
                return self._die(record.member)
            case said.Stalled() | said.Back():
                if (member := self.members.get(record.member)) is not None:
                    member.is_stalled = isinstance(record, said.Stalled)
            case said.Join():
                self.members.setdefault(record.member, Member(record))
            case said.Runs() if not self.waits(Task(record.member, record.task)):
                self._run(Task(record.member, record.task), Run(record.key, record.tenant, record.turn, self.time))
            case said.Clock() | said.Time():
                self._set(record, is_first=is_first)
            case _:
                pass
        return False

    def _set(self, record: said.Clock | said.Time, *, is_first: bool) -> None:
        if isinstance(record, said.Time):
            self.time = record.at
        elif is_first:
            self._turn, self._n_entered = record.turn, record.n_entered

    def dump(self) -> list[Record]:
        """What makes the same of an empty one."""
        members = self.members.items()
        found: list[Record] = [said.Clock(self._turn, self._n_entered)]
        found += [member.limits for _, member in members]
        for task, run in self.running.items():
            found += [said.Time(run.queued_at), said.Runs(task.member, task.number, run.key, run.tenant, run.turn)]
        for group in self.groups.values():
            found.append(said.Time(group.queued_at))
            found.append(said.Waits(group.key, group.tenant, *group.place))
            found += [said.Enter(*task, group.key, group.tenant, said.NO_LIMIT) for task in group.tasks]
        found += [said.Dead(name) for name, member in members if member.is_dead]
        found += [said.Stalled(name) for name, member in members if member.is_stalled]
        return [*found, said.Time(self.time)]

    def _enter(self, record: said.Enter, waits: said.Waits | None) -> bool:
        task = Task(record.member, record.task)
        member = self.members.get(task.member)
        if member is None or member.is_dead or task.number in member.waiting or task in self.running:
            return False
        before = self._last_turn.get(record.tenant)
        group = self.groups.get(record.key)
        is_new = group is None
        if group is None and waits is not None:
            group = self._add_group(waits.key, waits.tenant, Place(waits.turn, waits.number))
        elif group is None:
            self._n_entered += 1
            turn = self._turn if before is None else max(self._turn, before + 1)
            group = self._add_group(record.key, record.tenant, Place(turn, self._n_entered))
        group.tasks[task] = None
        member.waiting[task.number] = record.key
        if is_new and self._is_too_many(group, record.max_pending):
            self._leave(task)
            if before is not None:  # one that is refused costs its tenant no turn
                self._last_turn[record.tenant] = before
            return False
        return is_new and bool(self._order) and group.place < self._order[-1]  # else it is behind all others

    def _is_too_many(self, group: Group, max_pending: int) -> bool:
        """Whether more wait than may, with this one, which came last."""
        if self.n_waiting <= max_pending or group.place not in self._by_place:
            return False
        ready = [other for other, _ in self.ready()]
        return all(other is not group for other in ready) and self.n_waiting - len(ready) > max_pending

    def _add_group(self, key: str, tenant: str, place: Place) -> Group:
        group = self.groups[key] = Group(key, tenant, place, self.time)
        self._last_turn[tenant] = max(place.turn, self._last_turn.get(tenant, -1))
        self._n_of_tenant[tenant] += 1
        if not self._keys[key]:
            self._show(group)
        return group

    def _begin(self, task: Task) -> bool:
        if not self.waits(task):
            return False
        member = self.members[task.member]
        member.is_stalled = False
        group = next((group for group, other in self.ready(task.member) if other == task), None)
        if group is None:
            return False
        is_first = self._order[0] == group.place
        self._run(
            task, Run(group.key, group.tenant, group.place.turn, group.queued_at)
        )  # first: its tenant's last turn is not forgotten
        self._take_out(task, group)
        return not is_first  # else those behind it have as many ahead as before

    def _run(self, task: Task, run: Run) -> None:
        member = self.members.get(task.member)
        if member is None or task in self.running:
            return
        self.running[task] = run
        self._turn = max(self._turn, run.turn)
        member.n_running += 1
        self._tenants[run.tenant] += 1
        self._n_of_tenant[run.tenant] += 1
        self._last_turn[run.tenant] = max(run.turn, self._last_turn.get(run.tenant, -1))
        self._keys[run.key] += 1
        if self._keys[run.key] == 1 and (group := self.groups.get(run.key)) is not None:
            self._hide(group)

    def _leave(self, task: Task) -> bool:
        if self.waits(task):
            group = self.groups[self.members[task.member].waiting[task.number]]
            is_last = bool(self._order) and group.place >= self._order[-1]
            self._take_out(task, group)
            return not is_last and not group.tasks
        if (run := self.running.pop(task, None)) is not None:
            member = self.members[task.member]
            member.n_running -= 1
            if member.is_dead and not member.n_running:
                del self.members[task.member]
            _count_down(self._tenants, run.tenant)
            self._forget(run.tenant)
            _count_down(self._keys, run.key)
            if not self._keys[run.key] and (waiting := self.groups.get(run.key)) is not None:
                self._show(waiting)
            return True
        return False

    def _die(self, name: str) -> bool:
        member = self.members.get(name)
        if member is None:
            return False
        for number in list(member.waiting):
            self._leave(Task(name, number))
        member.is_dead = True
        if not member.n_running:
            del self.members[name]
        return True

    def _take_out(self, task: Task, group: Group) -> None:
        """It waits no more; who waits for the same key keeps the place."""
        del self.members[task.member].waiting[task.number]
        del group.tasks[task]
        if not group.tasks:
            del self.groups[group.key]
            self._hide(group)
            self._forget(group.tenant)

    def _show(self, group: Group) -> None:
        insort(self._order, group.place)
        self._by_place[group.place] = group

    def _hide(self, group: Group) -> None:
        if self._by_place.pop(group.place, None) is not None:
            del self._order[bisect_left(self._order, group.place)]

    def _forget(self, tenant: str) -> None:
        _count_down(self._n_of_tenant, tenant)
        if tenant not in self._n_of_tenant:
            self._last_turn.pop(tenant, None)


def _count_down(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
