"""4 cluster offer: what a worker can make: whether a run is for it, and the task that it then is."""

import logging
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from workqueue.engines.base import Task
from workqueue.engines.cluster.records import WIRE
from workqueue.engines.cluster.seal import Broken, Seal
from workqueue.engines.cluster.view import Run
from workqueue.engines.cluster.wire import NotAllowed, from_wire
from workqueue.program.command import Command
from workqueue.program.limits import Limits, strictest
from workqueue.storage.base import Storage

#: Runs of which it is known whether they fit.
_KEPT: Final = 10_000

logger = logging.getLogger("workqueue")


class Offer:
    """A program and a storage, and which runs they are for. For one thread.

    Args:
        command: the program, from `command_of`.
        storage: where results go.
        name: what those who ask call the program.
        version: which results of it.
        seal: opens tasks.
        allowed_env: what tasks may set of the program's environment.
        limits: what a program may use here; a task that has limits of its own keeps both.
    """

    def __init__(
        self,
        command: Command,
        storage: Storage,
        *,
        name: str,
        version: str = "",
        seal: Seal,
        allowed_env: Collection[str] = (),
        limits: Limits = Limits(),  # noqa: B008 - a tuple never changes
    ) -> None:
        self.storage = storage
        self.name = name
        self.version = version
        self._command = command
        self._seal = seal
        self._allowed_env = frozenset(allowed_env)
        self._limits = limits
        self._looked_at: OrderedDict[int, bool] = OrderedDict()
        self._said: set[str] = set()

    def fits(self, run: Run) -> bool:
        """Whether this run can be made here; why not is on the log, once for each reason."""
        fits = self._looked_at.get(run.number)
        if fits is None:
            why = self._why_not(run)
            fits = self._looked_at[run.number] = why is None
            if len(self._looked_at) > _KEPT:
                self._looked_at.popitem(last=False)
            if why is not None and why not in self._said:
                self._said.add(why)
                logger.warning("this worker leaves runs alone: %s", why, extra={"key": run.key})
        return fits

    def forget(self) -> None:
        """Runs get new numbers from now on."""
        self._looked_at.clear()

    def task(self, run: Run, storage: Storage) -> Task:
        """The task of a run that fits.

        Args:
            run: from the log.
            storage: this offer's, or one around it.
        """
        task = from_wire(run, self._seal, self._command, storage, self._allowed_env)
        return task._replace(limits=strictest(task.limits, self._limits))

    def _why_not(self, run: Run) -> str | None:
        job = run.job
        if (job.name, job.version) != (self.name, self.version):
            wanted, offered = _called(job.name, job.version), _called(self.name, self.version)
            return f"they are for the program {wanted}, and this one is {offered}"
        if job.storage != self.storage.identity:
            return f"their results belong in {job.storage!r}, and this worker's storage is {self.storage.identity!r}"
        if job.wire > WIRE:
            return "they come from a newer version of workqueue; upgrade the workers first"
        try:
            self.task(run, self.storage)
        except Broken as err:
            return f"a task cannot be read: {err}; do servers and workers have the same secret?"
        except NotAllowed as err:
            return f"a task asks for what it may not: {err}"
        return None


def _called(name: str, version: str) -> str:
    return f"{name!r}, version {version!r}" if version else repr(name)
