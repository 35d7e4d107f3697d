"""4 host line recall: the first records of a log that goes on -> the places that were given before it."""

from workqueue.engines.host.line import record as said
from workqueue.engines.host.line.record import Record


class Recall:
    """What a log begins with that goes on: places, each before the tasks that have it.

    A power cut may keep the first part of it alone, so a place that nobody has is no place. Behind the first thing
    that has been said by a process, nothing of it is believed.
    """

    def __init__(self) -> None:
        self.is_first = True
        self._is_on = False
        self._n_entered = 0
        self._waits: said.Waits | None = None
        self._keys: set[str] = set()
        self._places: set[tuple[int, int]] = set()

    def take(self, record: Record) -> said.Waits | None:
        """Take the next thing that was said; return the place that was told of this task's key, if one was."""
        is_first, self.is_first = self.is_first, False
        if is_first and isinstance(record, said.Clock):
            self._is_on, self._n_entered = True, record.n_entered
        elif self._is_on:
            return self._go_on(record)
        return None

    def _go_on(self, record: Record) -> said.Waits | None:
        waits = self._waits
        match record:
            case said.Waits():
                self._waits = record if self._is_new(record) else None
                return None
            case said.Time():
                return None
            case said.Enter() if waits is not None and (waits.key, waits.tenant) == (record.key, record.tenant):
                return waits
            case said.Join() | said.Runs() if waits is None:
                return None
        self._is_on = False
        self._waits, self._keys, self._places = None, set(), set()
        return None

    def _is_new(self, waits: said.Waits) -> bool:
        place = (waits.turn, waits.number)
        is_new = waits.number <= self._n_entered and waits.key not in self._keys and place not in self._places
        self._keys.add(waits.key)
        self._places.add(place)
        return is_new
