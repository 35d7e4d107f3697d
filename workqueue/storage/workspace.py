"""1 and 5 workspace: one run's output in its private directory, and how it is published."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workqueue.errors import StorageError, reason_of
from workqueue.storage.base import Form, Origin


@dataclass(frozen=True)
class RunWorkspace:
    """The `Workspace` of the storages of this package. Used by one thread."""

    output: Path
    _publish: Callable[[Path, Origin], None]

    @property
    def directory(self) -> Path:
        """See `Workspace`."""
        return self.output.parent

    def publish(self, origin: Origin = Origin()) -> None:  # noqa: B008 - see there
        """See `Workspace`."""
        self._publish(self.output, origin)


def make_workspace(directory: Path, suffix: str, form: Form, publish: Callable[[Path, Origin], None]) -> RunWorkspace:
    """Make the empty file or directory that a program is to fill.

    Args:
        directory: the run's own.
        suffix: how its name ends.
        form: which of the two.
        publish: makes it the result of the run's key.

    Raises:
        StorageError: it cannot be made.
    """
    output = directory / f"out{suffix}"
    try:
        if form == "directory":
            output.mkdir(mode=0o700)
        else:
            output.touch(mode=0o600, exist_ok=False)
    except OSError as err:
        raise StorageError(f"Cannot make the output {form} in {directory}: {reason_of(err)}") from err
    return RunWorkspace(output, publish)
