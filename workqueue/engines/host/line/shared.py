"""4 host line shared: the line as one queue of one process has it: its tasks enter, take their turns, and leave.

Each call says what happens in the log, reads on to its own words, and looks at what they came to. While a task waits,
the following thread reads what others say, and looks which of them have died, or do not take their turns.
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

from workqueue.engines.host import follower as following
from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.log import Log, Lost, sweep
from workqueue.engines.host.line.member import Lifeline, bury_if_dead, member_of, name_of
from workqueue.engines.host.line.record import NO_LIMIT, Record
from workqueue.engines.host.line.state import Line, Task
from workqueue.engines.local.lineup import CannotBegin, Place
from workqueue.errors import QueueFull, StorageError, reason_of
from workqueue.system.own_files import make_directory

#: How long a process may leave its turn untaken before it is passed over; looked for once a second.
STALL_SECONDS: Final = 1.0

#: How often the log may be lost, or this process be taken for dead, in one call.
_MAX_TURNS: Final = 10

logger = logging.getLogger("workqueue")


class Stage(Enum):
    """Where a task of this process is."""

    NEW = "new"
    WAITS = "waits"
    BEGINS = "begins"
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
        has_threads: whether there is a thread for each task that may begin; else others may keep it waiting.
    """

    def __init__(
        self,
        directory: Path,
        max_running: int,
        max_running_per_tenant: int | None,
        max_of_its_own: int | None,
        is_locked: Callable[[str], bool],
        *,
        has_threads: bool = True,
    ) -> None:
        self._directory = directory
        self._limits = (max_running, max_running_per_tenant or NO_LIMIT, max_of_its_own or NO_LIMIT)
        self._is_locked = is_locked
        self._has_threads = has_threads
        self._moved: Callable[[], None] = lambda: None
        self._wake: Callable[[int], None] = lambda _: None
        self._numbers = itertools.count(1)
        # Whoever reads and writes the files has it, so that all that is read is applied in order; it guards the next.
        # Nothing of a user's is called with it, and n_ahead does without.
        self._files = threading.Lock()
        self._log: Log | None = None
        self._lifeline: Lifeline | None = None
        self._followed: set[str] = set()
        self._unsaid: list[Record] = []
        self._ready_since: dict[Task, float] = {}
        self._lock = threading.Lock()  # guards all below; taken with the other one held, never the other way round
        self._line = Line()
        self._member = ""
        self._mine: dict[int, Mine] = {}
        self._n_waiting = 0
        self._has_moved = False

    def call_when_moved(self, moved: Callable[[], None], wake: Callable[[int], None]) -> None:
        """From now on call `moved` when a place may have changed, and `wake` when so many tasks of ours can begin."""
        self._moved, self._wake = moved, wake

    def open(self) -> None:
        """Join the others.

        Raises:
            OSError, RuntimeError: there is no such directory to be had, no descriptor or no thread.
        """
        with self._files, contextlib.ExitStack() as undo:
            undo.callback(self._close_files)
            self._join()
            following.follower.open(self._directory)
            undo.pop_all()

    def close(self) -> None:
        """Leave the others; what still runs counts for as long as its key is locked."""
        with self._files:
            with contextlib.suppress(OSError):
                if self._log is not None:
                    self._log.append([said.Dead(self._member)])
            followed, self._followed = self._followed, set()
            self._close_files()
        for name in followed:
            following.follower.unfollow(self._directory, name, self._look)
        following.follower.close(self._directory)

    @property
    def n_waiting(self) -> int:
        """How many tasks of this queue wait."""
        return self._n_waiting

    @property
    def n_tasks(self) -> int:
        """How many come before one that would come now, of all processes."""
        with self._lock:
            return self._line.n_tasks

    def n_ahead(self, place: Place) -> int:
        """How many tasks of all processes come before this one; 0 for one that runs or has left."""
        with self._lock:
            mine = self._mine.get(place.number)
            if mine is None or mine.stage is Stage.RUNS:
                return 0
            if mine.stage is Stage.NEW:
                return self._line.n_tasks
            return self._line.n_ahead(Task(self._member, place.number))

    def moved_others(self, _: Place) -> bool:
        """False: the following thread tells of moves."""
        return False

    def enter(self, key: str = "", tenant: str = "") -> Place:
        """Note a task, which joins the line by `announce`."""
        with self._lock:
            place = Place(0, next(self._numbers))
            self._mine[place.number] = Mine(key, said.tenant_of(tenant))
            self._n_waiting += 1
            return place

    def announce(self, place: Place, max_pending: int | None = None) -> None:
        """Join the line.

        Raises:
            QueueFull: as many wait as may.
            StorageError: the others cannot be told.
        """
        with self._lock:
            mine = self._mine.get(place.number)
            if mine is None:  # it has left
                return
        limit = NO_LIMIT if max_pending is None else min(max_pending, NO_LIMIT)
        record = said.Enter("", place.number, mine.key, mine.tenant, limit)
        try:
            with self._files:
                if self._lifeline is None:
                    raise StorageError("The line was closed")
                self._say(record._replace(member=self._member), entered=place.number)
                if not (self._has_threads and self._is_ready(place.number)):
                    was_followed = bool(self._followed)
                    self._follow()
                    # What stood in the way may have been of a process that died while nobody looked.
                    if not was_followed and not self._is_in(place.number):
                        self._say(
                            said.Enter(self._member, place.number, mine.key, mine.tenant, limit), entered=place.number
                        )
        except OSError as err:
            raise StorageError(f"Cannot join the line in {self._directory}: {reason_of(err)}") from err
        with self._lock:
            if place.number in self._mine and mine.stage is Stage.NEW:
                raise QueueFull("the queue is full; try again later")

    def take(self) -> Place | None:
        """Begin the first task of this queue that may; None when none may.

        Raises:
            CannotBegin: one may, and the others cannot be told.
        """
        number = None
        try:
            with self._files:
                if self._lifeline is None:
                    return None
                self._read()
                if self._me_stalled():
                    self._say(said.Back(self._member))
                while self._n_waiting:
                    number = self._choose()
                    if number is not None:
                        self._say(said.Begin(self._member, number))
                        if self._has_begun(number):
                            return Place(0, number)
                    elif self._followed:
                        break
                    else:
                        self._follow()
        except OSError as err:
            why = f"Cannot take a turn in the line in {self._directory}: {reason_of(err)}"
            if number is not None and self._give_back(number):
                raise CannotBegin(Place(0, number), why) from err
            logger.warning("%s", why)
        return None

    def leave(self, place: Place) -> None:
        """The task has ended, or waits no more. Idempotent."""
        with self._lock:
            mine = self._mine.pop(place.number, None)
            if mine is None:
                return
            self._n_waiting -= mine.stage is not Stage.RUNS
        if mine.stage is Stage.NEW:
            return
        with self._files:
            if self._lifeline is None:  # closed: what it has is out already
                return
            record = said.Leave(self._member, place.number)
            try:
                self._say(record)
            except OSError as err:
                # Said at one of the looks that come.
                logger.warning("cannot tell other processes that a job has ended: %s", err, extra={"key": mine.key})
                self._unsaid.append(record)
                self._follow()

    # With the files

    def _join(self) -> None:
        """Be there, with all that this queue has in the line."""
        make_directory(self._directory)
        log = self._log = self._log or Log(self._directory)
        lifeline = Lifeline(self._directory)
        if self._lifeline is not None:
            self._lifeline.close()
        self._lifeline = lifeline
        with self._lock:
            before, line = self._member, self._line
            waiting = sorted(
                (line.n_ahead(Task(before, number)), number)
                for number, mine in self._mine.items()
                if mine.stage in (Stage.WAITS, Stage.BEGINS)
            )
            running = {number: mine for number, mine in self._mine.items() if mine.stage is Stage.RUNS}
            self._member, self._line = lifeline.member, log.line
            records: list[Record] = [said.Join(lifeline.member, *self._limits)]
            for number, mine in running.items():
                run = line.running.get(Task(before, number))
                records.append(said.Runs(self._member, number, mine.key, mine.tenant, 0 if run is None else run.turn))
            for _, number in waiting:
                mine = self._mine[number]
                records.append(said.Enter(self._member, number, mine.key, mine.tenant, NO_LIMIT))
        self._unsaid.clear()
        log.append(records)
        self._apply()
        sweep(self._directory, log.number)
        for member in filter(None, (member_of(path.name) for path in self._directory.iterdir())):
            if member not in self._line.members:
                with contextlib.suppress(OSError):
                    bury_if_dead(self._directory, member)

    def _say(self, *said_now: Record, entered: int | None = None) -> None:
        """Say it, and read on to it; once more where it came behind a seal. What is said twice counts once."""
        records, member = [*self._unsaid, *said_now], self._member
        for _ in range(_MAX_TURNS):
            log = self._open_log()
            number = log.number
            if self._member != member:  # joined anew
                records = [_by(record, member, self._member) for record in records]
                member = self._member
            log.append(records)
            self._read()
            if entered is not None and self._is_in(entered):
                self._note_entered(entered)
            if self._log is log and log.number == number and self._member == member:
                self._unsaid.clear()
                return
        raise Lost

    def _note_entered(self, number: int) -> None:
        with self._lock:
            mine = self._mine.get(number)
            if mine is not None and mine.stage is Stage.NEW:
                mine.stage = Stage.WAITS

    def _read(self) -> None:
        """Read what was said, and seal a log that has grown."""
        for _ in range(_MAX_TURNS):
            try:
                log = self._open_log()
                self._apply()
                if log.is_long:
                    log.append([said.Seal()])
                    self._apply()
                me = self._line.members.get(self._member)
                if me is not None and not me.is_dead:
                    return
                self._join()  # somebody took our file away, and others took us for dead
            except Lost:
                logger.warning("the log of the line in %s was removed; it is made anew", self._directory)
                if self._log is not None:
                    self._log.close()
                self._log = None
        raise Lost

    def _open_log(self) -> Log:
        if self._log is None:
            self._join()
        assert self._log is not None
        return self._log

    def _apply(self) -> None:
        log = self._log
        assert log is not None
        is_sealed = True
        while is_sealed:
            records = log.read()
            with self._lock:
                for record in records:
                    self._has_moved |= self._line.apply(record)
            is_sealed = log.is_sealed
            if is_sealed:
                log.go_on()
                with self._lock:
                    self._line, self._has_moved = log.line, True
                if self._followed:
                    self._watch()

    def _follow(self) -> None:
        """Be told from now on, since a task waits."""
        if not self._followed:
            self._watch()
            self._read()
            self._bury()

    def _watch(self) -> None:
        """Have the kernel tell of what the others say, and of their deaths."""
        assert self._log is not None
        wanted = {self._log.name: self._look}
        wanted |= {name_of(member): self._look_for_dead for member in self._line.members if member != self._member}
        for name in self._followed.difference(wanted):
            self._unfollow(name)
        for name in wanted.keys() - self._followed:
            following.follower.follow(self._directory, name, wanted[name], always=name == self._log.name)
        self._followed = set(wanted)

    def _unfollow(self, name: str) -> None:
        for look in (self._look, self._look_for_dead):
            following.follower.unfollow(self._directory, name, look)

    def _bury(self) -> bool:
        """Say who has died, and which of their programs have; return whether any had."""
        found: list[Record] = []
        for name, member in self._line.members.items():
            if name != self._member and not member.is_dead:
                with contextlib.suppress(OSError):
                    if bury_if_dead(self._directory, name):
                        found.append(said.Dead(name))
        for record in found:
            self._say(record)
        for task, run in self._line.orphans():
            with contextlib.suppress(OSError):
                if not self._is_locked(run.key):
                    found.append(said.Leave(*task))
                    self._say(found[-1])
        return bool(found)

    def _pass_over(self) -> None:
        """Say who does not take his turn."""
        now = time.monotonic()
        ready = [task for _, task in self._line.ready() if task.member != self._member]
        self._ready_since = {task: self._ready_since.get(task, now) for task in ready}
        late = {task.member for task, since in self._ready_since.items() if now - since > STALL_SECONDS}
        for member in late:
            self._say(said.Stalled(member))

    # By the following thread

    def _look_for_dead(self) -> None:
        self._look(for_dead=True)

    def _look(self, *, for_dead: bool = False) -> None:
        """Read what others say."""
        n_ready = 0
        try:
            with self._files:
                if self._lifeline is None:
                    return
                if self._unsaid:
                    self._say()
                self._read()
                if for_dead:
                    self._bury()
                self._pass_over()
                if self._n_waiting:
                    self._watch()
                    n_ready = max(len(self._ready()), self._me_stalled())
                elif not self._unsaid:
                    for name in self._followed:
                        self._unfollow(name)
                    self._followed.clear()
        except OSError as err:
            logger.warning("cannot read the line in %s: %s", self._directory, reason_of(err))
        with self._lock:
            has_moved, self._has_moved = self._has_moved, False
        if has_moved:
            self._moved()
        if n_ready:
            self._wake(n_ready)

    def _close_files(self) -> None:
        if self._log is not None:
            self._log.close()
        if self._lifeline is not None:
            self._lifeline.close()
        self._log = self._lifeline = None

    def _is_in(self, number: int) -> bool:
        task = Task(self._member, number)
        return self._line.waits(task) or task in self._line.running

    def _ready(self) -> list[int]:
        """The tasks of ours that may begin."""
        ready = (task for _, task in self._line.ready(self._member) if task.member == self._member)
        return [task.number for task in ready]

    def _is_ready(self, number: int) -> bool:
        return number in self._ready()

    def _me_stalled(self) -> bool:
        me = self._line.members.get(self._member)
        return me is not None and me.is_stalled

    def _choose(self) -> int | None:
        """The first of ours that may begin, and is not just beginning on another thread."""
        with self._lock:
            for number in self._ready():
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
            has_begun = Task(self._member, number) in self._line.running
            mine.stage = Stage.RUNS if has_begun else Stage.WAITS
            self._n_waiting -= has_begun
            return has_begun

    def _give_back(self, number: int) -> bool:
        """Whether it still waits."""
        with self._lock:
            mine = self._mine.get(number)
            if mine is None or mine.stage is not Stage.BEGINS:
                return False
            mine.stage = Stage.WAITS
            return True


def _by(record: Record, before: str, member: str) -> Record:
    """The same, said by one that has joined anew."""
    if isinstance(record, said.Enter | said.Begin | said.Leave | said.Back) and record.member == before:
        return record._replace(member=member)
    return record
