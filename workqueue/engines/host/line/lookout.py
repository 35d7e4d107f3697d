"""4 host line lookout: the files of other processes, watched while a task of this one waits: who died, who stalls?"""

import contextlib
import math
import time
from collections.abc import Callable
from typing import Final

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line import waker as waking
from workqueue.engines.host.line.connection import Connection
from workqueue.engines.host.line.member import bury_if_dead, name_of
from workqueue.engines.host.line.record import Record
from workqueue.engines.host.line.state import Task
from workqueue.engines.host.looks import Look

#: How long a process may leave its turn untaken before it is passed over; looked for once a second.
STALL_SECONDS: Final = 1.0

#: Looks as far apart as this say nothing of what was between: this process did not run, or nothing waited.
_MAX_PAUSE: Final = 2.0

#: How long nobody is looked for who died unnoticed; less than the second between two looks, so that each looks.
BURY_SECONDS: Final = 0.9


class Lookout:
    """Used by whoever holds the connection's `files`, but for `forget`.

    Args:
        connection: to the line.
        is_locked: whether anything of this key's run lives; raises OSError when nobody can tell.
        look: called by the waker when others have said something, and once a second.
        look_for_dead: likewise, when one has died perhaps.
    """

    def __init__(
        self, connection: Connection, is_locked: Callable[[str], bool], look: Look, look_for_dead: Look
    ) -> None:
        self._connection = connection
        self._is_locked = is_locked
        self._looks = look, look_for_dead
        self.watched: set[str] = set()
        self._guarded = ""
        self._ready_since: dict[Task, float] = {}
        self._buried_at = self._looked_at = -math.inf
        connection.gone_on = self._gone_on

    def begin(self) -> bool:
        """Be told from now on; return whether it was not so before. Raises OSError."""
        if self.watched:
            return False
        self.watch()
        self._connection.read()  # what was said before the kernel was asked to tell
        self.bury()
        return True

    def watch(self) -> None:
        """Have the kernel tell of the log that there is by now, and of all that are there."""
        connection, (look, look_for_dead) = self._connection, self._looks
        log_name = connection.log_name
        wanted = {log_name: look}
        wanted |= {name_of(member): look_for_dead for member in connection.line.members if member != connection.member}
        self.forget(self.watched.difference(wanted))
        for name in wanted.keys() - self.watched:
            waking.waker.follow(connection.directory, name, wanted[name], always=name == log_name)
        self.watched = set(wanted)

    def guard(self) -> None:
        """Look once a second whether the log is there, though nothing waits: what runs is to count in another, too.

        By following our own file, which nobody writes to: so others that say something wake nobody.
        """
        name = name_of(self._connection.member)
        if name != self._guarded:
            self.forget({self._guarded})
            self._guarded = name
            waking.waker.follow(self._connection.directory, name, self._looks[0], always=True)

    def end(self, *, is_guarded: bool = False) -> set[str]:
        """Be told no more, but for what `guard` does if that is to go on; return what is to be given to `forget`."""
        watched, self.watched = self.watched, set()
        if not is_guarded:
            watched.add(self._guarded)
            self._guarded = ""
        return watched

    def forget(self, names: set[str]) -> None:
        """Have the kernel tell no more of these files."""
        for name in filter(None, names):
            for look in self._looks:
                waking.waker.unfollow(self._connection.directory, name, look)

    def _gone_on(self) -> None:
        if self.watched:
            self.watch()

    def bury_now_and_then(self) -> None:
        """Bury, unless that was done a moment ago; raises OSError.

        Nothing tells when a dead process's program ends: no file of it is closed but the lock of its key, which the
        program alone has open.
        """
        if time.monotonic() - self._buried_at >= BURY_SECONDS:
            self.bury()

    def bury(self) -> None:
        """Say who has died, and which of their programs have. Raises OSError."""
        connection = self._connection
        self._buried_at = time.monotonic()
        dead: list[Record] = []
        for name, member in connection.line.members.items():
            if name != connection.member and not member.is_dead:
                with contextlib.suppress(OSError):
                    if bury_if_dead(connection.directory, name):
                        dead.append(said.Dead(name))
        if dead:
            connection.say(*dead)
        over: list[Record] = []
        for task, run in connection.line.orphans():
            with contextlib.suppress(OSError):
                if not self._is_locked(run.key):
                    over.append(said.Leave(*task))
        if over:
            connection.say(*over)

    def pass_over(self) -> None:
        """Say who does not take its turn. Raises OSError."""
        connection, now = self._connection, time.monotonic()
        ready = [task for _, task in connection.line.ready() if task.member != connection.member]
        if now - self._looked_at > _MAX_PAUSE:
            self._ready_since.clear()
        self._looked_at = now
        self._ready_since = {task: self._ready_since.get(task, now) for task in ready}
        late = {task.member for task, since in self._ready_since.items() if now - since > STALL_SECONDS}
        if late:
            connection.say(*map(said.Stalled, sorted(late)))
