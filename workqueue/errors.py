"""What can go wrong, as a tree that branches by who has to act.

::

    WorkQueueError
    +-- InvalidParams (ValueError)     the caller: these parameters can never run
    +-- QueueFull (RuntimeError)       the caller: as many wait as may; later there is room
    +-- QueueClosed (RuntimeError)     the caller: the queue was closed before it was asked
    +-- ResultNotFound (LookupError)   the caller: there is no such result; ensure_run builds it
    +-- BuildFailed                    the program's author or the operator: a build has ended without a result
    +-- ProgramError                   the program's author: it cannot start
    +-- StorageError                   the operator: the result cannot be kept
    |   +-- OutputError                the program's author: what it left is no result
    +-- IllegalMove (RuntimeError)     us, or the author of an engine: a bug

The first five are raised to a caller of :class:`workqueue.WorkQueue`. So is ProgramError when a queue is made whose
program is not there, and StorageError when a result itself is asked for. Otherwise these two end a job: their text
becomes the ``error`` of its last event. BuildFailed carries that event, the others one string, so that all survive
pickling between processes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workqueue.progress import Progress


class WorkQueueError(Exception):
    """Base of every error this library raises; never raised itself."""


class InvalidParams(WorkQueueError, ValueError):
    """These parameters can never run; the text says which field and why, and never repeats a secret.

    Args:
        text: it begins with the field's name, where it is about one.
        field: the name, as the parameters have it.
        sent_as: the name under which a client sends the field, if that is known and another.
    """

    def __init__(self, text: str, field: str | None = None, sent_as: str | None = None) -> None:
        super().__init__(text)
        self.field = field
        self.sent_as = sent_as

    def for_client(self) -> str:
        """The text, with the name that the client knows."""
        text = str(self)
        if self.field is None or self.sent_as is None:
            return text
        return self.sent_as + text.removeprefix(self.field)


class QueueFull(WorkQueueError, RuntimeError):
    """As many jobs wait as `max_pending` allows, so the queue takes no new one until one of them starts."""


class QueueClosed(WorkQueueError, RuntimeError):
    """The queue was closed, so it takes no new jobs."""


class ResultNotFound(WorkQueueError, LookupError):
    """There is no such result: it was not built, or is not kept any more. `ensure_run` builds it."""


class BuildFailed(WorkQueueError):
    """A build that somebody waited for has ended without a result; the text is the `error` of its last event.

    Args:
        progress: that event.
    """

    progress: "Progress"
    """The last event, with the ``returncode`` and the ``error``."""

    def __init__(self, progress: "Progress") -> None:
        super().__init__(progress)
        self.progress = progress

    def __str__(self) -> str:
        return self.progress.error or f"the build ended with the returncode {self.progress.returncode}"


class ProgramError(WorkQueueError):
    """The program cannot be started, or not be read while it runs; the text names the reason."""


class StorageError(WorkQueueError):
    """The storage cannot take the run or its result; the text says what to mend."""


class OutputError(StorageError):
    """The program exited with status 0 but left no result that can be published."""


class IllegalMove(WorkQueueError, RuntimeError):
    """A report that the job's state does not allow, such as progress after the end."""


def reason_of(err: OSError) -> str:
    """The system's words for what went wrong, without its number and the file's name."""
    return err.strerror or str(err)
