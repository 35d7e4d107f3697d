"""4 local lineup: the order of one engine's tasks, fair between tenants, and the place of each.

The order is that of start-time fair queueing (Goyal, Vin and Cheng, 1996) with tasks of equal cost: a task's turn is
the one after its tenant's last, and no earlier than the turn that has come. So tenants alternate whatever they have
queued, one tenant's tasks keep their order, and a line of one tenant is first come, first served. A turn is given on
entering and never changes: nothing is ever renumbered, and a place is computed for the one who asks, by bisection: a
task that waits has all that run before it, and those of the waiting whose turn is earlier.

A task cannot start while its tenant runs as many as it may, or while another of its key runs, which is then being
cancelled. Those behind it may overtake it. Callable from any thread.
"""

import threading
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """One task in the line; it sorts by who comes first."""

    turn: int
    number: int


class CannotBegin(Exception):
    """The first task that may begin cannot, for this reason."""

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(why)
        self.place = place


class Order(Protocol):
    """A line: which task is next, and how many are ahead of each. Callable from any thread."""

    @property
    def n_waiting(self) -> int:
        """How many tasks of this engine wait. Cheap."""
        ...

    @property
    def n_tasks(self) -> int:
        """How many come before one that would come now."""
        ...

    def call_when_moved(
        self, moved: Callable[[], None], wake: Callable[[int], None], has_thread: Callable[[], bool]
    ) -> None:
        """From now on call these when others than this engine have moved the line; none may wait or raise.

        Args:
            moved: called when a place may have changed.
            wake: called with how many tasks of this engine may begin.
            has_thread: called by `announce`: whether a thread is idle, and will come to this task if it begins now.
        """
        ...

    def enter(self, key: str = "", tenant: str = "") -> Place:
        """Note a task; return what names it in the other calls. Cheap.

        Args:
            key: no two tasks of one key run at once; empty: it is like no other.
            tenant: whose turn it takes.
        """
        ...

    def announce(self, place: Place, max_pending: int | None = None) -> None:
        """Join the line.

        Raises:
            QueueFull: more would wait than `max_pending`.
            StorageError: others cannot be told.
        """
        ...

    def take(self) -> Place | None:
        """Start the first that can; None when none can.

        Raises:
            CannotBegin: one can, and others cannot be told.
        """
        ...

    def moved_others(self, place: Place) -> bool:
        """Whether others have one more ahead since this one came, or began, and it is for this engine to tell them."""
        ...

    def leave(self, place: Place) -> None:
        """The task has ended, whether it ran or not. Idempotent."""
        ...

    def n_ahead(self, place: Place) -> int:
        """How many tasks come before this one; 0 for one that runs or has left."""
        ...


class _Entry(NamedTuple):
    key: str
    tenant: str


class LineUp:
    """The tasks that wait, in order, and those that run.

    Args:
        max_running_per_tenant: how many tasks of one tenant may run at once; None: any number.
    """

    def __init__(self, max_running_per_tenant: int | None = None) -> None:
        self._max_running_per_tenant = max_running_per_tenant
        self._lock = threading.Lock()  # guards all below
        self._n_entered = 0
        self._turn = 0
        # Sorted. Taking one out moves what is behind it, 8 bytes each: 5 us in a line of 20,000.
        self._waiting: list[Place] = []
        self._entries: dict[Place, _Entry] = {}
        self._running: set[Place] = set()
        self._running_keys: Counter[str] = Counter()
        self._running_tenants: Counter[str] = Counter()
        # Of the tenants that are in the line or run, and no others: tenants may be as many as users.
        self._last_turn: dict[str, int] = {}
        self._n_of_tenant: Counter[str] = Counter()
        # Those that wait and may run one more. Most looks for a task that can start find one near the front, or none
        # at all; without this the latter would look at every task of a tenant that has a thousand and runs its one.
        self._open_tenants: set[str] = set()

    @property
    def n_waiting(self) -> int:
        """How many tasks wait."""
        return len(self._waiting)

    @property
    def n_tasks(self) -> int:
        """How many tasks wait or run."""
        return len(self._entries)

    def enter(self, key: str = "", tenant: str = "") -> Place:
        """Join the line; return what names this task in the other calls.

        Args:
            key: no two tasks of one key run at once; empty: it is like no other.
            tenant: whose turn it takes.
        """
        with self._lock:
            self._n_entered += 1
            turn = max(self._turn, self._last_turn.get(tenant, -1) + 1)
            place = Place(turn, self._n_entered)
            self._last_turn[tenant] = turn
            self._n_of_tenant[tenant] += 1
            self._entries[place] = _Entry(key, tenant)
            insort(self._waiting, place)
            self._note(tenant)
            return place

    def announce(self, place: Place, max_pending: int | None = None) -> None:
        """Nothing: there is nobody else, and the length of the line is the caller's to bound."""

    def call_when_moved(
        self, moved: Callable[[], None], wake: Callable[[int], None], has_thread: Callable[[], bool]
    ) -> None:
        """Nothing: nobody else moves it."""

    def take(self) -> Place | None:
        """Start the first that can; None when none can."""
        with self._lock:
            for i, place in enumerate(self._waiting if self._open_tenants else ()):
                if self._can_start(place):
                    self._start(i)
                    return place
            return None

    def moved_others(self, place: Place) -> bool:
        """Whether others have one more ahead since this one came, or began: it comes before some, or overtook some."""
        with self._lock:
            i, is_waiting = self._look_up(place)
            return i + 1 < len(self._waiting) if is_waiting else i > 0

    def start(self, place: Place) -> None:
        """Start this one, whether or not it is its turn."""
        with self._lock:
            self._start(self._index(place))

    def leave(self, place: Place) -> None:
        """The task has ended, whether it ran or not. Idempotent."""
        with self._lock:
            entry = self._entries.pop(place, None)
            if entry is None:
                return
            key, tenant = entry
            if place in self._running:
                self._running.discard(place)
                _count_down(self._running_keys, key)
                _count_down(self._running_tenants, tenant)
            else:
                del self._waiting[self._index(place)]
            _count_down(self._n_of_tenant, tenant)
            self._note(tenant)
            if tenant not in self._n_of_tenant:
                del self._last_turn[tenant]

    def n_ahead(self, place: Place) -> int:
        """How many tasks come before this one; 0 for one that runs or has left."""
        with self._lock:
            i, is_waiting = self._look_up(place)
            return len(self._running) + i if is_waiting else 0

    def _can_start(self, place: Place) -> bool:
        key, tenant = self._entries[place]
        return tenant in self._open_tenants and not (key and key in self._running_keys)

    def _start(self, i: int) -> None:
        place = self._waiting.pop(i)
        key, tenant = self._entries[place]
        self._turn = max(self._turn, place.turn)
        self._running.add(place)
        self._running_keys[key] += 1
        self._running_tenants[tenant] += 1
        self._note(tenant)

    def _note(self, tenant: str) -> None:
        n_running = self._running_tenants[tenant]
        may_start = self._max_running_per_tenant is None or n_running < self._max_running_per_tenant
        if may_start and self._n_of_tenant[tenant] > n_running:
            self._open_tenants.add(tenant)
        else:
            self._open_tenants.discard(tenant)

    def _look_up(self, place: Place) -> tuple[int, bool]:
        """How many that wait come before it, and whether it waits itself."""
        i = self._index(place)
        return i, i < len(self._waiting) and self._waiting[i] == place

    def _index(self, place: Place) -> int:
        return bisect_left(self._waiting, place)


def _count_down(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
