"""The line as a plain list, by which the real one is judged: slow, and short enough to be read."""

from dataclasses import dataclass, field

from workqueue.engines.host.line.state import Task


@dataclass
class Waiting:
    """A key that waits, and whose tasks."""

    turn: int
    number: int
    key: str
    tenant: str
    tasks: list[Task]


@dataclass
class Process:
    max_running: int
    max_per_tenant: int
    max_of_its_own: int
    is_stalled: bool = False


@dataclass
class PlainLine:
    processes: dict[str, Process] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    running: dict[Task, Waiting] = field(default_factory=dict)
    turn: int = 0
    n_entered: int = 0
    last_turn: dict[str, int] = field(default_factory=dict)

    def enter(self, task: Task, key: str, tenant: str, max_pending: int) -> None:
        for other in self.waiting:
            if other.key == key:
                other.tasks.append(task)
                return
        before = self.last_turn.get(tenant)
        turn = self.turn if before is None else max(self.turn, before + 1)
        self.n_entered += 1
        new = Waiting(turn, self.n_entered, key, tenant, [task])
        self.waiting.append(new)
        ready = self.ready()
        must_wait = new in self.in_order() and new not in [waiting for waiting, _ in ready]
        if must_wait and len(self.in_order()) - len(ready) > max_pending:
            self.waiting.remove(new)
            return
        self.last_turn[tenant] = turn

    def in_order(self) -> list[Waiting]:
        """Those whose key does not run."""
        keys = {run.key for run in self.running.values()}
        waiting = [waiting for waiting in self.waiting if waiting.key not in keys]
        return sorted(waiting, key=lambda waiting: (waiting.turn, waiting.number))

    def ready(self, preferred: str = "") -> list[tuple[Waiting, Task]]:
        found: list[tuple[Waiting, Task]] = []
        for waiting in self.in_order():
            tenants = [run.tenant for run in self.running.values()] + [other.tenant for other, _ in found]
            members = [task.member for task in self.running] + [task.member for _, task in found]
            for task in sorted(waiting.tasks, key=lambda task: task.member != preferred):
                process = self.processes[task.member]
                if process.is_stalled and task.member != preferred:
                    continue
                if (
                    len(members) < process.max_running
                    and tenants.count(waiting.tenant) < process.max_per_tenant
                    and members.count(task.member) < process.max_of_its_own
                ):
                    found.append((waiting, task))
                    break
        return found

    def begin(self, task: Task) -> bool:
        waiting = next((waiting for waiting in self.waiting if task in waiting.tasks), None)
        if waiting is None:
            return False
        self.processes[task.member].is_stalled = False
        if (waiting, task) not in self.ready(task.member):
            return False
        self.take_out(task)
        self.running[task] = waiting
        self.turn = max(self.turn, waiting.turn)
        return True

    def take_out(self, task: Task) -> None:
        for waiting in self.waiting:
            if task in waiting.tasks:
                waiting.tasks.remove(task)
        self.waiting = [waiting for waiting in self.waiting if waiting.tasks]

    def leave(self, task: Task) -> None:
        self.take_out(task)
        self.running.pop(task, None)
        self.forget()

    def die(self, member: str) -> None:
        """What it runs goes on."""
        for task in [task for waiting in self.waiting for task in waiting.tasks if task.member == member]:
            self.take_out(task)
        self.forget()

    def forget(self) -> None:
        tenants = {waiting.tenant for waiting in (*self.waiting, *self.running.values())}
        self.last_turn = {tenant: turn for tenant, turn in self.last_turn.items() if tenant in tenants}

    def n_ahead(self, task: Task) -> int:
        for waiting in self.waiting:
            if task in waiting.tasks:
                # Those that another process runs, of the same key, it is about to follow.
                running = [run for other, run in self.running.items() if run.key != waiting.key]
                own = [run for other, run in self.running.items() if run.key == waiting.key]
                is_others = any(other.member != task.member for other in self.running if self.running[other] in own)
                n_own = len(own) - is_others
                place = (waiting.turn, waiting.number)
                return len(running) + n_own + sum((o.turn, o.number) < place for o in self.in_order())
        return 0
