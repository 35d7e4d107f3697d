"""5 progress: what a client is told about a job."""

from collections.abc import Iterable
from typing import Any, NamedTuple, NotRequired, Self, TypedDict


class ProgressDict(TypedDict):
    """A `Progress` as clients are sent it, before it is encoded and after it is decoded.

    ``Progress(**event)`` is the way back. `workqueue.web.progress_schema` is the same as a JSON Schema.
    """

    n_ahead_in_queue: int
    fraction: float
    message: str | None
    returncode: int | None
    error: str | None
    eta: NotRequired[float]


class _Fields(NamedTuple):
    """What a `Progress` is as a tuple: what it was in 1.0.1, to whose code it must be equal."""

    # The texts below the fields are more than comments: `workqueue.web.schema` tells them to clients.

    n_ahead_in_queue: int = 0
    """How many jobs, running or waiting, come before this one; 0 once it runs."""

    fraction: float = 0.0
    """How far along the program says it is, in [0, 1]; 1.0 on the last event, also when it failed."""

    message: str | None = None
    """What the program printed beside the fraction, without control characters."""

    returncode: int | None = None
    """None while the job goes on; 0 when its result is stored; anything else when it failed."""

    error: str | None = None
    """Why it failed; None unless ``returncode`` is set and not 0."""


class Progress(_Fields):
    """Where a job stands at one moment; an immutable value, free to pass between threads.

    `as_dict` is the wire form. The last event of a stream, and only the last, has a ``returncode``.

    As a tuple it has five fields. ``eta`` is an attribute beside them, None where there is no telling: two events that
    differ in it alone are equal, so an estimate that changes is no news to code that compares events.
    """

    eta: float | None = None
    """About how many seconds until it begins, where it waits and that can be told."""

    def __new__(  # noqa: D102 - the class and its fields say it
        cls,
        n_ahead_in_queue: int = 0,
        fraction: float = 0.0,
        message: str | None = None,
        returncode: int | None = None,
        error: str | None = None,
        *,
        eta: float | None = None,
    ) -> Self:
        self = tuple.__new__(cls, (n_ahead_in_queue, fraction, message, returncode, error))
        if eta is not None:
            self.__dict__["eta"] = eta
        return self

    def __setattr__(self, name: str, value: object) -> None:
        # A subclass may have attributes of its own.
        if name == "eta" or type(self) is Progress:
            raise AttributeError(f"a Progress cannot be changed; make another, by _replace or with_eta, to set {name}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        fields = super().__repr__()
        return fields if self.eta is None else f"{fields[:-1]}, eta={self.eta!r})"

    def _replace(self, /, **fields: Any) -> Self:
        """The same with other values; the tuple's own would forget `eta`, and what a subclass adds."""
        return self._with(super()._replace(**fields), {})

    __replace__ = _replace  # what `copy.replace` calls, from Python 3.13 on

    def with_eta(self, eta: float | None) -> Self:
        """The same event with another estimate.

        Args:
            eta: seconds until the job begins; None: nobody can tell.
        """
        return self._with(self, {"eta": eta})

    def _with(self, fields: Iterable[Any], attributes: dict[str, Any]) -> Self:
        other = tuple.__new__(type(self), fields)
        other.__dict__.update(self.__dict__, **attributes)
        return other

    def as_dict(self) -> ProgressDict:
        """Its fields by their names, ready to be encoded as JSON; a new dict each time.

        ``eta`` is in it only where it is known, so that events of jobs that do not wait are what they were in 1.0.1.
        """
        # Not `_asdict`, of whose values type checkers know nothing. They hold this against the types of both classes.
        fields: ProgressDict = {
            "n_ahead_in_queue": self.n_ahead_in_queue,
            "fraction": self.fraction,
            "message": self.message,
            "returncode": self.returncode,
            "error": self.error,
        }
        if self.eta is not None:
            fields["eta"] = self.eta
        return fields


class WaitsAgain(NamedTuple):
    """A job that had begun waits again: where it ran was lost, or its program asked to be run later."""

    n_ahead: int = 0
    """How many jobs, running or waiting, come before it."""

    message: str | None = None
    """Why, for those who watch."""


class Cancelling:
    """Another process is cancelling a job: clients that ask from now on get a new one."""


NO_EXIT_STATUS = -999
"""The ``returncode`` where no exit status explains the failure; clearly none that POSIX knows."""


CANCELLED = -998
"""The ``returncode`` of a job that was cancelled; no exit status either."""


def succeeded() -> Progress:
    """The last event of a job whose result is stored."""
    return Progress(fraction=1.0, returncode=0)


def failed(error: str, returncode: int = NO_EXIT_STATUS) -> Progress:
    """The last event of a job that has no result, with the reason."""
    return Progress(fraction=1.0, returncode=returncode, error=error)


def cancelled() -> Progress:
    """The last event of a job that somebody had stopped."""
    return failed("The job was cancelled.", CANCELLED)


def failed_exit(returncode: int, stderr: str) -> Progress:
    """The last event of a program that ran and failed, in the words that clients of 1.0.1 know."""
    return failed(f"Exited with code {returncode}\nstderr:\n{stderr}", returncode)
