"""4 host picture: what the processes of a host say in their files -> who runs, who waits, how the last runs ended.

No process is asked, and none is disturbed: nothing is written, made or removed, and no lock is held for longer than it
takes to see that another has it. So whoever may read the storage may look, for instance root in a user's.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.engines.base import Picture, SeenRun
from workqueue.engines.host.ends import Ends
from workqueue.engines.host.following import last_of
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.line.member import is_dead, pid_of
from workqueue.engines.host.line.record import NO_LIMIT
from workqueue.engines.host.line.state import Line, Run
from workqueue.engines.host.line.tail import Tail
from workqueue.engines.host.record import Times
from workqueue.errors import StorageError, reason_of
from workqueue.progress import Progress, WaitsAgain
from workqueue.storage.disk import KEY
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner

#: The line's directory, beside the journals.
_LINE: Final = ".line"


class _Said(NamedTuple):
    """What a key's journal says."""

    is_led: bool
    has_begun: bool
    latest: Progress | WaitsAgain
    times: Times | None


_NOTHING: Final = _Said(is_led=False, has_begun=False, latest=Progress(), times=None)


class Pictures:
    """Pictures of one storage's processes. Callable from any thread; what was read is not read again.

    Args:
        directory: where the journals are, if it is there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._journals = Journals(directory)
        self._ends = Ends(directory)
        self._lock = threading.Lock()  # guards `_tail`, which whoever reads takes away meanwhile
        self._tail: Tail | None = None

    def take(self) -> Picture:
        """How things stand at this moment.

        Raises:
            StorageError: what the processes say cannot be read; the text says why.
        """
        with self._lock:
            tail, self._tail = self._tail, None
        tail = tail or Tail(self._directory / _LINE)
        try:
            picture = self._take(tail.read())
        except OSError as err:
            path = err.filename or self._directory
            raise StorageError(f"Cannot read {path}, where processes say what they run: {reason_of(err)}") from err
        with self._lock:
            self._tail = tail
        return picture

    def _take(self, line: Line) -> Picture:
        living = {name for name in line.members if not self._is_dead(line, name)}
        journals = self._all_said()
        # After the journals: an end is kept before its journal goes, and the line hears of it last. So what has ended,
        # and is in the line still, is no run that is just beginning.
        ends = self._ends.read()
        ended = {end.key: end.ended_at for end in reversed(ends)}
        runs = [*self._of_others(line, journals), *self._of_line(line, living, journals)]
        found = {run.key: run for run in runs if run.key not in ended or ended[run.key] < _since(run)}
        # By when they began; those that are just beginning have said nothing of it.
        running = sorted(found.values(), key=lambda run: (run.began_at is None, run.began_at or 0.0))
        waiting = self._waiting(line, living, journals, set(found))
        limits = [line.members[name].limits.max_running for name in living]
        most = max(limits, default=NO_LIMIT)
        return Picture(
            None if most == NO_LIMIT else most,
            tuple(running),
            tuple(waiting),
            tuple(ends),
            len(living) or None,
        )

    def _is_dead(self, line: Line, member: str) -> bool:
        return line.members[member].is_dead or is_dead(self._directory / _LINE, member)

    def _all_said(self) -> dict[str, _Said]:
        try:
            keys = list(filter(KEY.fullmatch, os.listdir(self._directory)))  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return {}
        return {key: self._said(key) for key in keys}

    def _said(self, key: str) -> _Said:
        reader = self._journals.reader(key)
        if reader is None:  # it has just ended
            return _NOTHING
        with reader:
            is_led, records = reader.look()
            latest, end = last_of(records)
            return _Said(is_led, latest is not None and end is None, latest or Progress(), reader.times)

    def _of_line(self, line: Line, living: set[str], journals: dict[str, _Said]) -> Iterator[SeenRun]:
        """What runs by the line. One that has no journal is just beginning, or has just ended."""
        for task, run in line.running.items():
            said = journals.get(run.key, _NOTHING)
            if said.is_led and not isinstance(said.latest, WaitsAgain) and said.has_begun:
                yield _running(run.key, run, said, pid_of(self._directory / _LINE, task.member))
            elif not said.is_led and task.member in living:
                yield _running(run.key, run, _NOTHING, pid_of(self._directory / _LINE, task.member))

    def _of_others(self, line: Line, journals: dict[str, _Said]) -> Iterator[SeenRun]:
        """What runs beside the line: processes with an executor of their own have none."""
        keys = {run.key for run in line.running.values()}
        for key, said in journals.items():
            if key not in keys and said.is_led and said.has_begun and isinstance(said.latest, Progress):
                yield _running(key, None, said, "")

    def _waiting(self, line: Line, living: set[str], journals: dict[str, _Said], running: set[str]) -> list[SeenRun]:
        n_ahead = len(line.running)
        waiting: dict[str, SeenRun] = {}
        for key in line.order():
            group = line.groups[key]
            if key not in running and any(task.member in living for task in group.tasks):
                said = journals.get(key, _NOTHING)
                message = said.latest.message if isinstance(said.latest, WaitsAgain) else None
                waiting[key] = _waits(key, group.tenant, n_ahead, message, _first(said, group.queued_at))
                n_ahead += 1
        for key, said in journals.items():
            if said.is_led and isinstance(said.latest, WaitsAgain) and key not in waiting:
                waiting[key] = _waits(key, "-", said.latest.n_ahead, said.latest.message, _first(said))
        return list(waiting.values())


def _running(key: str, run: Run | None, said: _Said, process: str) -> SeenRun:
    assert isinstance(said.latest, Progress)
    return SeenRun(
        key=key,
        tenant=_shown(run.tenant if run is not None else "-"),
        is_running=True,
        n_ahead=0,
        progress=said.latest,
        queued_at=_first(said, 0 if run is None else run.queued_at),
        began_at=said.times and said.times.began_at,
        process=process,
    )


def _waits(key: str, tenant: str, n_ahead: int, message: str | None, queued_at: float | None) -> SeenRun:
    return SeenRun(
        key=key,
        tenant=_shown(tenant),
        is_running=False,
        n_ahead=n_ahead,
        progress=Progress(n_ahead, message=message),
        queued_at=queued_at,
    )


def _since(run: SeenRun) -> float:
    """When it began, as far as anybody has said; or was asked for."""
    return run.began_at or run.queued_at or 0.0


def _first(said: _Said, at: int = 0) -> float | None:
    """When a key was asked for first: by the process that makes its run, or by another, as the line says."""
    times = [at / 1000] if at else []
    times += [] if said.times is None else [said.times.queued_at]
    return min(times, default=None)


def _shown(tenant: str) -> str:
    return "" if tenant == "-" else tenant


def picture_of(storage_dir: str | os.PathLike[str]) -> Picture:
    """How things stand in this storage, from its directory alone.

    Raises:
        StorageError: another user has the storage, or it cannot be read; the text says why.
    """
    return pictures_of(storage_dir).take()


def pictures_of(storage_dir: str | os.PathLike[str]) -> Pictures:
    """What takes pictures of this storage, from its directory alone.

    Raises:
        StorageError: another user has the storage, or what lies there is not its own; the text says why.
    """
    check_owner(Path(storage_dir), OWN_DIRECTORIES)
    return Pictures(Path(storage_dir) / ".jobs")
