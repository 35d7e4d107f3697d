"""4 cluster intake: a record of the log, however it came -> the view, who lives, and the side that is to be told.

Records come when they are put, by the process that puts them or by the stream, and again when the log is read.
"""

import time
from collections.abc import Callable

from workqueue.engines.cluster import records
from workqueue.engines.cluster.base import Record
from workqueue.engines.cluster.records import Beat, State
from workqueue.engines.cluster.side import Side
from workqueue.engines.cluster.view import View


class Intake:
    """What one process knows of its cluster. For the loop's thread.

    Args:
        side: told of what a record says.
        ended: told which worker says that it has ended a run.
    """

    def __init__(self, side: Side, ended: Callable[[int, str], None]) -> None:
        self.view = View()
        #: Workers by their names: when each was heard last, and what it said.
        self.workers: dict[str, tuple[float, Beat]] = {}
        #: The greatest sequence of all that was taken.
        self.seen_to = 0
        self._beats: dict[str, int] = {}  # the sequence of each worker's last
        self._side = side
        self._ended = ended

    def begin(self, *, anew: bool) -> None:
        """Know nothing: all is about to be read.

        Args:
            anew: whether it is another stream, whose sequences mean something else.
        """
        self.view, self.workers, self._beats = View(), {}, {}
        if anew:
            self.seen_to = 0

    def living(self) -> list[Beat]:
        """What the workers said that were heard within their lease."""
        now = time.monotonic()
        return [beat for heard, beat in list(self.workers.values()) if now - heard < beat.lease]

    def take(self, record: Record) -> None:
        """Take a record. Idempotent."""
        self.seen_to = max(self.seen_to, record.sequence)
        _, _, rest = record.subject.partition(".")
        kind, _, name = rest.partition(".")
        take = {
            "job": self._take_job,
            "own": self._take_own,
            "cancel": self._take_cancel,
            "worker": self._take_beat,
            "failed": self._take_failure,
        }.get(kind)
        if take is not None:
            take(name, record)

    def _take_job(self, key: str, record: Record) -> None:
        job = records.decode_job(record.value)
        if job is not None and records.is_key(key):
            self.view.add(record.sequence, key, job)
            self._side.moved()

    def _take_own(self, name: str, record: Record) -> None:
        number, own = records.number_of(name.rpartition(".")[2]), records.decode_own(record.value)
        if number is not None and own is not None:
            self.view.own(number, record.sequence, own)
            if own.state is State.END:
                self._ended(number, own.worker)
            self._side.owned(number, record.sequence, own)
            self._side.moved()

    def _take_cancel(self, name: str, _: Record) -> None:
        if (number := records.number_of(name)) is not None:
            self.view.cancel(number)
            self._side.cancelled(number)

    def _take_beat(self, name: str, record: Record) -> None:
        # Not those that are read once more: they would make it live longer.
        if (beat := records.decode_beat(record.value)) is not None and record.sequence > self._beats.get(name, 0):
            self._beats[name] = record.sequence
            self.workers[name] = (time.monotonic(), beat)
            self._side.moved()

    def _take_failure(self, key: str, record: Record) -> None:
        self._side.failed(key, records.decode_failure(record.value))
