"""4 host following: the journal of a run that another process makes -> where it stands; used by one thread."""

from typing import NamedTuple

from workqueue.engines.host.journal import Journals
from workqueue.engines.host.reader import Reader
from workqueue.engines.host.record import Mark, Record, Times
from workqueue.errors import reason_of
from workqueue.progress import CANCELLED, Progress, WaitsAgain, failed


class Standing(NamedTuple):
    """What is new of a run since the last look."""

    latest: Progress | WaitsAgain | None = None
    """Where it stands by now, if that is news."""

    end: Progress | None = None
    """How it ended."""

    is_lost: bool = False
    """Whether nobody makes it any more, and it had no end for us."""


class Following:
    """One look after the other at the journal of a key.

    Args:
        journals: where it is.
        key: its name.
        is_refresh: whether a result is wanted that a new run builds.
    """

    def __init__(self, journals: Journals, key: str, *, is_refresh: bool = False) -> None:
        self._journals = journals
        self._key = key
        self._is_refresh = is_refresh
        self._reader: Reader | None = None

    @property
    def is_late(self) -> bool:
        """Whether the run was being cancelled already when it was first looked at: then its progress is not for us."""
        return self._reader is not None and bool(self._reader.is_late)

    @property
    def times(self) -> Times | None:
        """When the run that was looked at last was asked for and began, if it says so."""
        return None if self._reader is None else self._reader.times

    def look(self) -> Standing:
        """Read on."""
        self._reader = self._reader or self._journals.reader(self._key)
        if self._reader is None:
            return Standing(is_lost=True)
        try:
            is_led, records = self._reader.look()
        except OSError as err:
            return Standing(
                end=failed(f"Cannot read where the run stands that another process makes: {reason_of(err)}")
            )
        latest, end = last_of(records)
        if self.is_late:
            latest = None
            # Neither is its being stopped; but what it has built, or how it failed by itself, is. What it has built is
            # no answer to a refresh: nobody can join a run that is being cancelled.
            if end is not None and (end.returncode == CANCELLED or (end.returncode == 0 and self._is_refresh)):
                end = None
        return Standing(latest, end, is_lost=end is None and not is_led)

    def close(self) -> None:
        """Stop reading; a later look begins anew."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def last_of(records: list[Record]) -> tuple[Progress | WaitsAgain | None, Progress | None]:
    """Where the last run in these records stands, and how it ended, as far as they say."""
    latest: Progress | WaitsAgain | None = None
    end: Progress | None = None
    for record in records:
        if record is Mark.START:
            latest, end = Progress(), None
        elif isinstance(record, WaitsAgain) or (isinstance(record, Progress) and record.returncode is None):
            latest, end = record, None
        elif isinstance(record, Progress):
            end = record
    return latest, end
