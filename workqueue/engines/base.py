"""4 base: the seam between a job and the place where it runs.

An engine knows nothing of jobs, keys' meanings or clients. It is given a `Task` and a function to report to, and needs
nothing else of the rest. Where another process makes the run, what travels there is the task's plain data: not the
program, nor the storage. That process has its own of both, whose `Task.name` and `Storage.identity` are the same.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from workqueue.program.command import Command
from workqueue.program.limits import Limits
from workqueue.program.retry import Retry
from workqueue.progress import Cancelling, Progress, WaitsAgain
from workqueue.storage.base import Form, Storage

Report = Callable[[Progress | WaitsAgain | Cancelling], None]
"""Takes what an engine has to say about one task, in order, one call at a time, from any thread.

The first report says that the task has begun. Exactly one, the last, has a returncode; it comes after the result is
published, or when there will be none. `WaitsAgain` says that the task had begun and does not run any more, until the
next report. `Cancelling` says that the task will be stopped without a `Ticket.cancel`; it may come at any moment, also
during another call, and after the end, when it says nothing.
"""


RunReport = Callable[[Progress | WaitsAgain], None]
"""A `Report` of one that nobody cancels but by its ticket."""


class Task(NamedTuple):
    """One run to be made."""

    key: str
    """The name under which the result is published."""

    command: Command
    """What is run: the absolute path of the program, or a command and its first arguments."""

    arguments: tuple[str, ...]
    """What goes behind the command, and before the output file."""

    storage: Storage
    """Where the result goes."""

    tenant: str = ""
    """Whose turn it takes; tasks of different tenants alternate."""

    is_refresh: bool = False
    """Whether to run though there is a result."""

    replaces: float | None = None
    """When the result was published that a refresh is to replace: another, which came since, is new. None: any."""

    limits: Limits = Limits()
    """What the program may use."""

    environment: tuple[tuple[str, str], ...] = ()
    """Names and values to add to the program's environment."""

    inherit_env: bool | tuple[str, ...] = True
    """Which names of the environment of the process that runs it the program gets; see `make_environment`."""

    retry: Retry = Retry()
    """What becomes of a run whose program asks to be run later."""

    secrets: tuple[str, ...] = ()
    """What must not be repeated in an error, a message or a log."""

    suffix: str = ""
    """How the name of the output ends."""

    form: Form = "file"
    """What the output is, and the result."""

    name: str = ""
    """What the program is called, by whoever made the queue; it is in the key."""

    version: str = ""
    """Which results of that program; in the key, too."""

    max_pending: int | None = None
    """How many may wait, where the line is longer than what this process gave it; None: any number."""

    def __repr__(self) -> str:
        # The arguments may hold a secret.
        return f"Task(key={self.key!r}, program={self.command[0]!r})"


class Ticket(Protocol):
    """An engine's receipt for a task. Callable from any thread."""

    def n_ahead(self) -> int:
        """How many tasks, running or waiting, come before this one; 0 once it runs. Cheap: clients ask it."""
        ...

    def cancel(self, *, for_all: bool = True) -> None:
        """Stop it; returns at once and never raises, idempotent.

        Where several processes share the run, `for_all` stops it for all of them; without, others may go on with it.

        A task that waits ends before this returns, one that runs as soon as it has stopped, both with a report whose
        returncode is `CANCELLED`; unless it ended by itself first. No other task of its key begins until then.
        """
        ...


class Shared(NamedTuple):
    """What an engine knows at one moment of all that share its line with this process."""

    workers: int
    """How many processes make runs."""

    max_running: int
    """How many runs they make at once."""

    running: int
    waiting: int


class SeenRun(NamedTuple):
    """One run that waits or is under way, in whichever process; plain data, no secret in it."""

    key: str
    tenant: str
    """Stands for whose turn it takes: on a host a hash of that name, which may be an address; "": of no tenant."""

    is_running: bool
    n_ahead: int
    """How many keys, running or waiting, come before it; 0 once it runs."""

    progress: Progress
    """Where it stands."""

    queued_at: float | None = None
    """When it was asked for first, in seconds since 1970 (`time.time`); None: nobody has said so."""

    began_at: float | None = None
    """When its program began, likewise; None: it waits, or nobody has said so."""

    process: str = ""
    """What makes the run: on a host the number of the process, in a cluster the worker; "": not known, or it waits."""

    watchers: int | None = None
    """How many observers and waiting threads of this process it has; None: it is none of this process's jobs."""


class SeenEnd(NamedTuple):
    """One run that has ended, in whichever process; plain data, no secret in it."""

    key: str
    tenant: str
    """As that of a `SeenRun`."""

    progress: Progress
    """The last event, with its returncode; of a long error the beginning and the end."""

    queued_at: float | None
    """When it was asked for, in seconds since 1970 (`time.time`); None: nobody has said so."""

    began_at: float | None
    """When its program began, likewise."""

    ended_at: float
    """When it ended, likewise."""

    stderr: str
    """The end of what the program wrote to stderr, if it failed; "": nothing."""


class Picture(NamedTuple):
    """All that share a line, at one moment."""

    max_running: int | None
    """How many runs they make at once; None: nobody has said so."""

    running: tuple[SeenRun, ...]
    """Those that began first come first."""

    waiting: tuple[SeenRun, ...]
    """In the order of the line; behind it those that rest until they are run again."""

    ends: tuple[SeenEnd, ...]
    """Those of the last hour, 200 at most, newest first."""

    processes: int | None = None
    """How many processes share the line; None: nobody has said so."""


class Failures(Protocol):
    """Which runs failed a while ago, for all that are told of each other's runs. Callable from any thread."""

    def remember(self, key: str, outcome: Progress) -> None:
        """Keep a run's last event, if its program exited, by itself, with a status above 0. It never raises.

        A signal, a cancellation, a full disk and a queue that closes say nothing of what the next run would do.
        """
        ...

    def get(self, key: str) -> Progress | None:
        """The last event of this key's run that failed no longer ago than is remembered."""
        ...

    def forget(self, key: str) -> None:
        """Let this key run again. It never raises."""
        ...


class Engine(Protocol):
    """Where and when tasks run. Callable from any thread.

    One whose runs are known beyond this host has ``failures(ttl: float) -> Failures``, too, and ``shared``, a `Shared`;
    None while nothing is known. One that knows what other processes run has ``picture() -> Picture``; it asks none of
    them, and raises StorageError where it cannot read what they say.
    """

    @property
    def max_running(self) -> int | None:
        """How many tasks can run at once, at this moment; None when there is no telling."""
        ...

    def submit(self, task: Task, report: Report) -> Ticket:
        """Take a task. One that cannot be taken is reported as failed, perhaps before this ends.

        Raises:
            QueueFull: as many wait, as far as is known here, as may; nothing is reported. Only where the line is longer
                than this process's.
        """
        ...

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """From now on call this whenever a place in the line may have changed; it returns at once and never raises."""
        ...

    def close(self, drain: float | None = None, *, finish_pending: bool = False) -> None:
        """Take no more tasks, and return when the reports of all have ended.

        What other processes or hosts run goes on, though nothing is reported of it here any more.

        Args:
            drain: seconds that tasks are given before they are stopped; None: as long as they take.
            finish_pending: whether those that wait are run too, instead of failed at once.
        """
        ...
