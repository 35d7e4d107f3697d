"""What an engine reports of one task, kept in order, and waited for."""

import threading
import time
from collections.abc import Callable

from tests.servers.server import TIMEOUT
from workqueue.engines.base import Task, Ticket
from workqueue.program.command import command_of
from workqueue.progress import Cancelling, Progress, WaitsAgain
from workqueue.storage.base import Storage

Reported = Progress | WaitsAgain | Cancelling


class Reports:
    """A `Report` that keeps what it is told. `hear` is for one thread."""

    def __init__(self) -> None:
        self._heard = threading.Condition()
        self._all: list[tuple[float, Reported]] = []
        #: Of the task, once it was submitted.
        self.ticket: Ticket | None = None

    def __call__(self, report: Reported) -> None:
        with self._heard:
            self._all.append((time.monotonic(), report))
            self._heard.notify_all()

    def cancel(self, *, for_all: bool = True) -> None:
        """Cancel the task."""
        assert self.ticket is not None
        self.ticket.cancel(for_all=for_all)

    @property
    def all(self) -> list[Reported]:
        """In order."""
        with self._heard:
            return [report for _, report in self._all]

    def hear(self, is_it: Callable[[Reported], object], after: int = 0) -> float:
        """Return when the first one came that is it, behind so many others, as soon as it has come."""

        def found() -> float | None:
            return next((when for when, report in self._all[after:] if is_it(report)), None)

        with self._heard:
            assert self._heard.wait_for(lambda: found() is not None, TIMEOUT), self._all
            return found() or 0.0

    def hear_message(self, message: str) -> float:
        """... progress with this message."""
        return self.hear(lambda report: isinstance(report, Progress) and report.message == message)

    def hear_begin(self) -> float:
        """... any progress."""
        return self.hear(lambda report: isinstance(report, Progress) and report.returncode is None)

    def hear_waits_again(self, after: int = 0) -> float:
        """... that it waits again."""
        return self.hear(lambda report: isinstance(report, WaitsAgain), after)

    def hear_end(self) -> Progress:
        """Return the end, as soon as it has come."""
        self.hear(is_end)
        return next(report for report in self.all if is_end(report))  # type: ignore[return-value]

    def messages(self) -> list[str]:
        """What the program said, in order, as it was told here."""
        return [report.message for report in self.all if isinstance(report, Progress) and report.message is not None]

    def check(self) -> None:
        """One end, the last; and of each attempt its fractions in order, with `WaitsAgain` before the next."""
        reports = [report for report in self.all if not isinstance(report, Cancelling)]
        assert [is_end(report) for report in reports] == [False] * (len(reports) - 1) + [True], reports
        fraction = 0.0
        for report in reports:
            if isinstance(report, WaitsAgain):
                fraction = 0.0
            else:
                assert report.fraction >= fraction, reports
                fraction = report.fraction


def is_end(report: Reported) -> bool:
    """Whether nothing comes after it."""
    return isinstance(report, Progress) and report.returncode is not None


def task_of(program: object, storage: Storage, number: int = 1, **options: object) -> Task:
    """A task for this program, named as ``workqueue worker PROGRAM`` names it.

    Args:
        program: its path.
        storage: where the result goes.
        number: which of several; in the key, and the program's one argument.
        options: more of the task.
    """
    command = command_of(program)  # type: ignore[arg-type]
    told = {"name": command[0].rpartition("/")[2], **options}
    return Task(f"{number:040x}", command, (str(number),), storage, **told)  # type: ignore[arg-type]
