"""4 cluster view: the records of a cluster's log -> all its runs, who makes them, and the place of each in the line.

Every process builds its own from the log: it sees each record once or oftener, in any order between subjects and in the
log's order within one. So a place, the next run and whether a tenant has its share are known without asking anybody.
Pure: no clock, no network. The order of the line is that of `workqueue.engines.local.lineup`. For one thread, but for
`n_ahead`, `by_key` and the counts, which any thread may look at.
"""

from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from workqueue.engines.cluster.records import Job, Own, State

#: Runs that have ended of which old records may still come.
_ENDED_KEPT: Final = 20_000


class Run:
    """One run, as far as this process has heard. It is named by the sequence of its job's record."""

    def __init__(self, number: int, key: str, job: Job) -> None:
        self.number = number
        self.key = key
        self.job = job
        self.own = Own(State.WAIT)
        self.own_sequence = 0
        self.is_cancelled = False

    @property
    def tenant(self) -> str:
        """Whose turn it takes."""
        return self.job.tenant

    @property
    def is_running(self) -> bool:
        """Whether a worker has it."""
        return self.own.state is State.RUN

    @property
    def place(self) -> tuple[int, int]:
        """It sorts by who comes first."""
        return self.job.turn, self.number


class View:
    """All runs that live."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.by_key: dict[str, Run] = {}
        self.running: dict[int, Run] = {}
        self.running_tenants: Counter[str] = Counter()
        self._line: list[tuple[int, int]] = []
        self._turn = 0
        # Of tenants that have a run that lives, and no others.
        self._last_turn: dict[str, int] = {}
        self._n_of_tenant: Counter[str] = Counter()
        self._ended: OrderedDict[int, None] = OrderedDict()

    @property
    def n_waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    @property
    def n_running(self) -> int:
        """How many run."""
        return len(self.running)

    def has_room(self, max_pending: int, capacity: int) -> bool:
        """Whether one more may wait, where so many may, beside those that workers with room will take at once."""
        return self.n_waiting < max_pending + max(0, capacity - self.n_running)

    def waiting(self) -> list[Run]:
        """Those that wait, in order."""
        return [self.runs[number] for _, number in self._line]

    def has_ended(self, number: int) -> bool:
        """Whether this run has ended, a while ago at most."""
        return number in self._ended

    def take_turn(self, tenant: str) -> int:
        """The turn of a new run of this tenant: after its last one, and not before the turn that has come."""
        turn = max(self._turn, self._last_turn.get(tenant, -1) + 1)
        self._last_turn[tenant] = turn  # at once: others may be on their way to the log
        return turn

    def n_ahead(self, number: int) -> int:
        """How many runs come before this one; 0 if it runs, or is not known. Cheap: no more than a bisection."""
        run = self.runs.get(number)
        if run is None or run.is_running:
            return 0
        return len(self.running) + bisect_left(self._line, run.place)

    def choose(self, may_take: Callable[[Run], bool]) -> Run | None:
        """The first in the line that may be taken."""
        for _, number in self._line:
            run = self.runs[number]
            if not run.is_cancelled and may_take(run):
                return run
        return None

    def add(self, number: int, key: str, job: Job) -> None:
        """There is a new run."""
        if number in self.runs or number in self._ended:
            return
        run = self.runs[number] = self.by_key[key] = Run(number, key, job)
        self._n_of_tenant[run.tenant] += 1
        self._last_turn[run.tenant] = max(job.turn, self._last_turn.get(run.tenant, -1))
        insort(self._line, run.place)

    def own(self, number: int, sequence: int, own: Own) -> bool:
        """Somebody has it, gives it back, or has ended it; return whether that was news."""
        run = self.runs.get(number)
        if run is None or sequence <= run.own_sequence:
            return False
        self._leave(run)
        run.own, run.own_sequence = own, sequence
        if own.state is State.END:
            self._forget(run)
        elif own.state is State.RUN:
            self.running[number] = run
            self.running_tenants[run.tenant] += 1
            self._turn = max(self._turn, run.job.turn)
        else:
            insort(self._line, run.place)
        return True

    def cancel(self, number: int) -> None:
        """Somebody wants it stopped."""
        if (run := self.runs.get(number)) is not None:
            run.is_cancelled = True

    def _leave(self, run: Run) -> None:
        if self.running.pop(run.number, None) is not None:
            _count_down(self.running_tenants, run.tenant)
        else:
            del self._line[bisect_left(self._line, run.place)]

    def _forget(self, run: Run) -> None:
        del self.runs[run.number]
        if self.by_key.get(run.key) is run:
            del self.by_key[run.key]
        _count_down(self._n_of_tenant, run.tenant)
        if run.tenant not in self._n_of_tenant:
            self._last_turn.pop(run.tenant, None)
        self._ended[run.number] = None
        if len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)


def _count_down(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
