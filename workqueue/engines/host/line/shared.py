"""4 host line shared: the line as one queue of one process has it: its tasks enter, take their turns, and leave.

Each call says what happens in the log, reads on to its own words, and looks at what they came to. While a task waits,
the waker's thread reads what others say, and looks which of them have died, or do not take their turns.
"""

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line import waker as waking
from workqueue.engines.host.line.connection import Connection, entry
from workqueue.engines.host.line.lookout import Lookout
from workqueue.engines.host.line.record import NO_LIMIT, Record
from workqueue.engines.host.line.state import Line, Task
from workqueue.engines.local.lineup import CannotBegin, Place
from workqueue.errors import QueueFull, StorageError, reason_of

#: After a look that failed there is none for so long. It may have written to the log before it failed, which the kernel
#: tells at once, and the next would do the same: thousands a second. The look that comes once a second makes up for it.
REST_SECONDS: Final = 0.5

logger = logging.getLogger("workqueue")


class Stage(Enum):
    """Where a task of this process is."""

    NEW = "new"
    WAITS = "waits"
    BEGINS = "begins"
    """A thread is about to say that it begins it."""

    BEGAN = "began"
    """It may begin, and no thread has come yet."""

    RUNS = "runs"


@dataclass
class Mine:
    """A task of this process."""

    key: str
    tenant: str
    stage: Stage = Stage.NEW


class SharedLine:
    """One queue's part in the line of a host. Callable from any thread, once it is open.

    Args:
        directory: where the log is.
        max_running: how many tasks of all processes may run when one of this queue begins.
        max_running_per_tenant: how many of one tenant; None: any number.
        max_of_its_own: how many this queue can run itself; None: nobody knows.
        is_locked: whether anything of this key's run lives; raises OSError when nobody can tell.
    """

    def __init__(
        self,
        directory: Path,
        max_running: int,
        max_running_per_tenant: int | None,
        max_of_its_own: int | None,
        is_locked: Callable[[str], bool],
    ) -> None:
        self._directory = directory
        self._moved: Callable[[], None] = lambda: None
        self._wake: Callable[[int], None] = lambda _: None
        self._has_thread: Callable[[], bool] = lambda: False
        self._numbers = itertools.count(1)
        # Guards all below, and what there is to see of the line; taken with the connection's `files` held, never the
        # other way round, and never over I/O, so that whoever asks for a place waits for no disk.
        self._lock = threading.Lock()
        self._mine: dict[int, Mine] = {}
        self._rests_until = 0.0  # of the waker's thread
        self._n_waiting = 0
        self._n_began = 0
        most, of_tenant, own = (
            NO_LIMIT if limit is None else min(limit, NO_LIMIT)
            for limit in (max_running, max_running_per_tenant, max_of_its_own)
        )
        limits = (most, of_tenant, own)
        self._connection = Connection(directory, limits, self._restate, self._lock)
        self._lookout = Lookout(self._connection, is_locked, self._look, self._look_for_dead)

    def call_when_moved(
        self, moved: Callable[[], None], wake: Callable[[int], None], has_thread: Callable[[], bool]
    ) -> None:
        """See `Order.call_when_moved`."""
        self._moved, self._wake, self._has_thread = moved, wake, has_thread

    def open(self) -> None:
        """Join the others.

        Raises:
            OSError, RuntimeError: there is no such directory to be had, no descriptor or no thread.
        """
        with self._connection.files, contextlib.ExitStack() as undo:
            undo.callback(self._connection.close)
            self._connection.join()
            self._lookout.bury()  # those that died while nobody waited
            waking.waker.open(self._directory)
            undo.pop_all()

    def close(self) -> None:
        """Leave the others; what still runs counts for as long as its key is locked."""
        with self._connection.files:
            self._connection.close()
            watched = self._lookout.end()
        self._lookout.forget(watched)
        waking.waker.close(self._directory)

    @property
    def n_waiting(self) -> int:
        """How many tasks of this queue wait."""
        return self._n_waiting

    @property
    def _waits(self) -> bool:
        """Whether a task of this queue waits for its turn."""
        return self._n_waiting > self._n_began

    @property
    def _runs(self) -> bool:
        """Whether a task of this queue runs, or may."""
        with self._lock:
            return len(self._mine) > self._n_waiting - self._n_began

    @property
    def n_tasks(self) -> int:
        """How many come before one that would come now, of all processes."""
        with self._lock:
            return self._connection.line.n_tasks

    def n_ahead(self, place: Place) -> int:
        """How many tasks of all processes come before this one; 0 for one that runs or has left."""
        with self._lock:
            mine, line = self._mine.get(place.number), self._connection.line
            if mine is None or mine.stage in (Stage.BEGAN, Stage.RUNS):
                return 0
            if mine.stage is Stage.NEW:
                return line.n_tasks
            return line.n_ahead(Task(self._connection.member, place.number))

    def moved_others(self, _: Place) -> bool:
        """False: the waker's thread tells of moves."""
        return False

    def enter(self, key: str = "", tenant: str = "") -> Place:
        """See `Order.enter`."""
        with self._lock:
            place = Place(0, next(self._numbers))
            self._mine[place.number] = Mine(key, said.tenant_of(tenant))
            self._n_waiting += 1
            return place

    def announce(self, place: Place, max_pending: int | None = None) -> None:
        """See `Order.announce`."""
        mine = self._mine.get(place.number)
        if mine is None:  # it has left
            return
        at_once = self._has_thread()  # asked without a lock of ours: it takes one of the engine's
        try:
            with self._connection.files:
                if not self._connection.is_open:
                    raise StorageError("The line was closed")
                self._say_enters(place.number, mine, max_pending, at_once)
                if mine.stage is not Stage.BEGAN and self._lookout.begin() and mine.stage is Stage.NEW:
                    # What was in the way may have been of a process that died while nobody looked.
                    self._say_enters(place.number, mine, max_pending, at_once)
        except OSError as err:
            self._unsay(place.number)
            raise StorageError(f"Cannot join the line in {self._directory}: {reason_of(err)}") from err
        with self._lock:
            if place.number in self._mine and mine.stage is Stage.NEW:
                raise QueueFull("the queue is full; try again later")

    def take(self) -> Place | None:
        """See `Order.take`."""
        if (begun := self._take_begun()) is not None:
            return begun
        number: int | None = None
        try:
            with self._connection.files:
                if not self._connection.is_open:
                    return None
                self._connection.read()
                if self._connection.is_stalled:
                    self._connection.say(said.Back(self._connection.member))
                while self._waits:
                    number = self._choose()
                    if number is not None:
                        self._connection.say(said.Begin(self._connection.member, number))
                        if self._has_begun(number):
                            self._lookout.guard()
                            return Place(0, number)
                    elif not self._lookout.begin():
                        break
        except OSError as err:
            why = f"Cannot take a turn in the line in {self._directory}: {reason_of(err)}"
            if (number := self._give_back(number)) is not None:
                raise CannotBegin(Place(0, number), why) from err
            logger.warning("%s", why)
        return None

    def leave(self, place: Place) -> None:
        """See `Order.leave`."""
        with self._lock:
            mine = self._mine.pop(place.number, None)
            if mine is None:
                return
            self._n_waiting -= mine.stage is not Stage.RUNS
            self._n_began -= mine.stage is Stage.BEGAN
            if mine.stage is Stage.NEW:
                # `announce` finds that it has left, and says so. No file is waited for: an engine may call this with
                # its own lock.
                return
        with self._connection.files:
            if not self._connection.is_open:  # what it has is out already
                return
            try:
                self._connection.say(said.Leave(self._connection.member, place.number))
                return
            except OSError as err:
                logger.warning("cannot tell other processes that a job has ended: %s", err, extra={"key": mine.key})
        self._unsay(place.number)  # said at one of the looks that come

    # With the files

    def _say_enters(self, number: int, mine: Mine, max_pending: int | None, at_once: bool) -> None:
        connection = self._connection
        with self._lock:
            if number not in self._mine:  # it has left, before anything was said of it
                return
        records: list[Record] = [entry(connection.member, number, mine.key, mine.tenant, max_pending)]
        if at_once and connection.may_begin_at_once:
            # In one breath: a job that need not wait then costs two words, not three. Without a thread, it would keep a
            # slot that others cannot pass it over for.
            records.append(said.Begin(connection.member, number))
        connection.say(*records)
        with self._lock:
            has_left = number not in self._mine
            if not has_left and mine.stage is Stage.NEW:
                if Task(connection.member, number) in connection.line.running:
                    mine.stage = Stage.BEGAN
                    self._n_began += 1
                elif connection.is_in(number):
                    mine.stage = Stage.WAITS
        if mine.stage is Stage.BEGAN:
            self._lookout.guard()
        if has_left:  # meanwhile; `leave` has said nothing, since it found it new
            connection.say(said.Leave(connection.member, number))

    def _take_begun(self) -> Place | None:
        """The first of ours that has begun already, and waits for a thread."""
        with self._lock:
            if not self._n_began:
                return None
            number, mine = next((n, mine) for n, mine in self._mine.items() if mine.stage is Stage.BEGAN)
            mine.stage = Stage.RUNS
            self._n_began -= 1
            self._n_waiting -= 1
            return Place(0, number)

    def _choose(self) -> int | None:
        """The first of ours that may begin, and is not just beginning on another thread."""
        with self._lock:
            for number in self._connection.ready():
                mine = self._mine.get(number)
                if mine is not None and mine.stage is Stage.WAITS:
                    mine.stage = Stage.BEGINS
                    return number
            return None

    def _has_begun(self, number: int) -> bool:
        with self._lock:
            mine = self._mine.get(number)
            if mine is None:
                return False
            has_begun = Task(self._connection.member, number) in self._connection.line.running
            mine.stage = Stage.RUNS if has_begun else Stage.WAITS
            self._n_waiting -= has_begun
            return has_begun

    def _give_back(self, number: int | None) -> int | None:
        """The task that could not begin: the one that was to; or, if nobody would look again, the first that waits."""
        with self._lock:
            if number is None:
                waiting = [n for n, mine in self._mine.items() if mine.stage is Stage.WAITS]
                return None if self._lookout.watched else next(iter(waiting), None)
            mine = self._mine.get(number)
            if mine is None or mine.stage is not Stage.BEGINS:
                return None
            mine.stage = Stage.WAITS
            return number

    def _unsay(self, number: int) -> None:
        """It may have been said that it comes, and will not."""
        with self._connection.files, contextlib.suppress(OSError):
            if self._connection.is_open:
                self._connection.unsaid.append(said.Leave(self._connection.member, number))
                self._lookout.watch()

    def _restate(self, line: Line, before: str, member: str) -> list[Record]:
        """See `Restate`; those that wait in the order in which they did."""
        records: list[Record] = []
        for number, mine in self._mine.items():
            if mine.stage in (Stage.BEGAN, Stage.RUNS):
                run = line.running.get(Task(before, number))
                records.append(said.Runs(member, number, mine.key, mine.tenant, 0 if run is None else run.turn))
        waiting = [n for n, mine in self._mine.items() if mine.stage in (Stage.WAITS, Stage.BEGINS)]
        waiting.sort(key=lambda number: line.n_ahead(Task(before, number)))
        return records + [entry(member, n, self._mine[n].key, self._mine[n].tenant) for n in waiting]

    # By the waker's thread

    def _look_for_dead(self) -> None:
        self._look(for_dead=True)

    def _look(self, *, for_dead: bool = False) -> None:
        """Read what others say."""
        if time.monotonic() < self._rests_until:
            return
        n_ready = 0
        try:
            with self._connection.files:
                if not self._connection.is_open:
                    return
                n_ready = self._look_at_all(for_dead=for_dead)
        except OSError as err:
            self._rests_until = time.monotonic() + REST_SECONDS
            logger.warning("cannot read the line in %s: %s", self._directory, reason_of(err))
        with self._lock:
            has_moved, self._connection.has_moved = self._connection.has_moved, False
        if has_moved:
            self._moved()
        if n_ready:
            self._wake(n_ready)

    def _look_at_all(self, *, for_dead: bool) -> int:
        """Return how many of ours may begin, or are to say that we are back."""
        connection, lookout = self._connection, self._lookout
        if connection.unsaid:
            connection.say()
        connection.read()
        if for_dead:
            lookout.bury()
        elif self._waits:
            lookout.bury_now_and_then()
        if self._runs:
            lookout.guard()
        if self._waits:
            lookout.pass_over()
            lookout.watch()
            return max(len(connection.ready()), connection.is_stalled)
        if not connection.unsaid:
            lookout.forget(lookout.end(is_guarded=self._runs))
        return 0
