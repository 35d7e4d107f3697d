"""4 cluster engine: the tasks of a process -> the cluster's log, where workers on any host find them."""

import logging
import os
import ssl
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from typing import Final

from workqueue.engines.base import Picture, Report, Shared, Task
from workqueue.engines.cluster.desk import Desk
from workqueue.engines.cluster.loop import loop
from workqueue.engines.cluster.maker import FULL
from workqueue.engines.cluster.options import (
    access_to,
    check_give_up,
    check_lease,
    check_name,
    secrets_of,
    warn_if_open,
)
from workqueue.engines.cluster.presence import Presence
from workqueue.engines.cluster.records import Failure
from workqueue.engines.cluster.remembered import ClusterFailures
from workqueue.engines.cluster.seal import Seal
from workqueue.engines.cluster.seen import picture_of
from workqueue.engines.cluster.teller import Teller
from workqueue.engines.cluster.ticket import Ticket
from workqueue.engines.cluster.watch import Watch
from workqueue.engines.local.at_exit import end_at_exit
from workqueue.engines.local.engine import CLOSED_PENDING, CLOSED_RUNNING
from workqueue.errors import QueueFull, StorageError
from workqueue.progress import Progress, cancelled, failed
from workqueue.redaction import without_directories
from workqueue.system import forks

#: How long the end of a process waits for the servers to take what it still has to say.
_LEAVE_SECONDS: Final = 2.0

logger = logging.getLogger("workqueue")


class ClusterEngine:
    """Runs tasks on the workers of a cluster, each key once in all of it. Callable from any thread.

    Nothing runs in this process: start workers with ``workqueue worker``. It connects with the first task.

    Args:
        servers: NATS servers, 2.12.4 or newer: a URL such as ``nats://HOST:4222``, several with commas between, or a
            sequence of them.
        name: of the cluster, among others on the same servers: letters, digits, "-" and "_".
        replicas: how many servers keep each record, if this process is the first that comes: 1, or 3, which survives
            the loss of any one.
        lease: seconds without a sign of a worker after which its runs are begun elsewhere.
        secret: closes tasks, which hold the arguments, to all that have not got it: what
            ``cryptography.fernet.Fernet.generate_key()`` makes; or several, of which the first closes and all open.
        give_up: seconds after which a task fails for which there is no server.
        credentials: a file of NATS credentials.
        tls: what to trust, and the certificate to show.

    Raises:
        ImportError: ``nats-py``, or for a `secret` ``cryptography``, is not installed.
        ValueError: for an option that cannot be.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        name: str = "workqueue",
        *,
        replicas: int = 1,
        lease: float = 15.0,
        secret: str | Sequence[str] | None = None,
        give_up: float = 60.0,
        credentials: str | os.PathLike[str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._name = check_name(name)
        self._access = access_to(servers, credentials, tls)
        self._seal = Seal(secrets_of(secret))
        check_lease(lease)
        check_give_up(give_up)
        self._replicas = replicas
        self._lease = lease
        self._give_up = give_up
        self._moved: Callable[[], None] = lambda: None
        self.exit_drain = 0.0
        self._renew()
        _engines.add(self)
        warn_if_open(self._seal, self._access)

    def _renew(self) -> None:
        """Begin, here or in a forked child, which has none of the threads."""
        self._desk = Desk(
            self._name,
            self._access,
            replicas=self._replicas,
            lease=self._lease,
            process=uuid.uuid4().hex,
            seal=self._seal,
            give_up=self._give_up,
        )
        self._desk.tell_moved = self._moved
        self._teller = Teller()
        self._presence = Presence(self._join)

    @property
    def max_running(self) -> int | None:
        """How many runs all workers together take at once; None while no server is reached."""
        return self._desk.member.capacity

    @property
    def shared(self) -> Shared | None:
        """What is known of the whole cluster."""
        member, capacity = self._desk.member, self.max_running
        if capacity is None:
            return None
        return Shared(member.n_workers, capacity, member.shown.n_running, member.shown.n_waiting)

    def picture(self) -> Picture:
        """What this process has heard of all runs: nothing before its first task. It asks nobody."""
        if not self._presence.has_joined:
            return Picture(None, (), (), ())
        if loop.is_current():
            return picture_of(self._desk.member)
        return loop.do(self._picture()).result()

    async def _picture(self) -> Picture:
        return picture_of(self._desk.member)

    def is_led(self, key: str) -> bool:
        """Whether some worker makes this key's run, as far as is known here."""
        run = self._desk.member.shown.by_key.get(key)
        return run is not None and run.is_running

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """See `Engine.call_when_moved`."""
        self._moved = self._desk.tell_moved = moved

    def submit(self, task: Task, report: Report) -> Ticket:
        """See `Engine.submit`. It never waits for the network."""
        forks.check()
        self._check_room(task)
        try:
            # Each time: whoever removes a storage's whole directory removes its name, and the next that asks gives one.
            identity = task.storage.identity
        except StorageError as err:
            report(failed(without_directories(str(err))))
            return Ticket(self, Watch(task, "", report, self._teller, self._ended))
        watch = Watch(task, identity, report, self._teller, self._ended)
        try:
            is_open = self._presence.enter(watch)
        except RuntimeError as err:
            watch.end_now(failed(f"This process can start no thread that talks to the cluster: {err}"))
            return Ticket(self, watch)
        if is_open:
            loop.do(self._desk.submit(watch))
        else:
            watch.end_now(failed(CLOSED_PENDING))
        return Ticket(self, watch)

    def failures(self, ttl: float) -> ClusterFailures:
        """How runs failed, for all that are in the cluster; see `Failures`."""
        return ClusterFailures(self, ttl)

    def remember(self, key: str, failure: Failure | None) -> None:
        """How a run of this key failed; None: forget that. It returns at once."""
        self._desk.remembered.heard(key, failure)
        if self._presence.is_open:
            loop.do(self._desk.remember(key, failure))

    def remembered(self, key: str) -> Progress | None:
        """How the last run of this key failed, if that is to be remembered still."""
        return self._desk.remembered.get(key)

    def n_ahead(self, watch: Watch) -> int:
        """See `Ticket.n_ahead`."""
        if watch.has_begun or watch.is_ended:
            return 0
        view = self._desk.member.shown
        return view.n_ahead(watch.number) if watch.number else view.n_running + view.n_waiting

    def cancel(self, watch: Watch, *, for_all: bool) -> None:
        """See `Ticket.cancel`. What waits ends here at once; the cluster hears of it as soon as it can be reached."""
        if watch.is_ended:
            return
        if for_all:
            watch.mark_cancelled()
        if not watch.has_begun or not for_all:
            watch.end_now(cancelled())
        if self._presence.has_joined:  # not in a forked child, which has none of its parent's tasks
            loop.do(self._desk.cancel(watch, for_all=for_all))

    def close(self, drain: float | None = None, *, finish_pending: bool = False) -> None:
        """See `Engine.close`: the reports end. What the cluster runs goes on, and so does what waits in its line.

        Called by an observer, it does not wait.
        """
        end = None if drain is None else time.monotonic() + drain
        self._presence.close()
        if not finish_pending:
            self._presence.end_all(CLOSED_PENDING, lambda watch: not watch.has_begun)
        if not self._teller.is_current():
            self.wait_idle(None if end is None else max(0.0, end - time.monotonic()))
        self._presence.end_all(CLOSED_RUNNING)
        self._leave()

    def stop_taking(self) -> None:
        """See `Ending.stop_taking`."""
        self._presence.close()
        self._presence.end_all(CLOSED_PENDING, lambda watch: not watch.has_begun)

    def running(self) -> list[str]:
        """See `Ending.running`: none of them is stopped when this process ends."""
        return []

    def wait_idle(self, timeout: float | None) -> bool:
        """See `Ending.wait_idle`: here, until no task is watched."""
        return self._presence.wait_idle(timeout)

    def _check_room(self, task: Task) -> None:
        """Refuse what the line has no room for, as far as it is known here.

        Raises:
            QueueFull: so many wait.
        """
        member = self._desk.member
        if task.max_pending is None or not member.is_up or task.key in member.shown.by_key:
            return
        if not member.shown.has_room(task.max_pending, member.capacity or 0):
            raise QueueFull(FULL)

    def _join(self) -> None:
        loop.start()
        loop.do(self._desk.member.run())
        end_at_exit(self)

    def _ended(self, watch: Watch) -> None:
        self._presence.ended(watch)  # in a forked child another one than that which it has entered

    def _leave(self) -> None:
        if self._presence.leave() and not loop.is_current():
            try:
                loop.do(self._desk.leave()).result(_LEAVE_SECONDS)
            except TimeoutError:
                logger.debug("the cluster's servers do not answer; this process leaves all the same")
        self._teller.close()


#: Those of this process that are in use.
_engines: Final["weakref.WeakSet[ClusterEngine]"] = weakref.WeakSet()


def _renew_all_in_child() -> None:
    for engine in list(_engines):
        engine._renew()  # noqa: SLF001


forks.renew_in_child(_renew_all_in_child)
