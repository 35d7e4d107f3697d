"""4 host reader: the journal of another process's run, read on."""

import os
from typing import NamedTuple

from workqueue.engines.host.places import (
    CANCEL_AT,
    END_AT,
    LONG_END_AT,
    MAX_FRAME_BYTES,
    PAGE,
    START_AT,
    STATE_AT,
    TIMES_AT,
)
from workqueue.engines.host.record import HEAD_BYTES, Framed, Mark, Record, Times, decode, decode_times, length_of
from workqueue.progress import Progress
from workqueue.system.descriptors import close_own
from workqueue.system.locks import is_kept, try_lock, unlock


class Look(NamedTuple):
    """What a reader found."""

    is_led: bool
    """Whether somebody makes the run; False: whoever made it is gone, and `records` has all it wrote."""

    records: list[Record]
    """What is new since the last look, in order."""


class Reader:
    """One process's reading of one journal. Used by one thread at a time; closed by it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._run: str | None = None
        self._seen: dict[int, Framed] = {}
        #: Whether the run was being cancelled by the first look.
        self.is_late: bool | None = None
        #: When the run that was read of last was asked for and began, if it says so.
        self.times: Times | None = None

    def look(self) -> Look:
        """Read what is new. Raises OSError when it cannot."""
        is_led = not self.is_free()
        records = self._read()
        if self.is_late is None:
            self.is_late = is_cancelled(records)
        return Look(is_led, records)

    def is_free(self) -> bool:
        """Whether nobody makes the run, nor does anything of one live. Raises OSError when it cannot tell."""
        if not try_lock(self._fd, shared=True):
            return False
        unlock(self._fd)
        return not is_kept(self._fd)

    def _read(self) -> list[Record]:
        end = os.pread(self._fd, PAGE, LONG_END_AT)  # first: what is read of the state is then the last before it
        page = os.pread(self._fd, PAGE, 0)
        records: list[Record] = []
        start = decode(page[START_AT:CANCEL_AT])
        if start is not None and start.record is Mark.START and start.run != self._run:
            self._run = start.run
            self.times = decode_times(page[TIMES_AT:CANCEL_AT], start.run)
            records.append(Mark.START)
        frames = (
            (CANCEL_AT, page[CANCEL_AT:END_AT]),
            (STATE_AT, self._whole(page[STATE_AT:], STATE_AT)),
            (END_AT, page[END_AT:STATE_AT]),
            (LONG_END_AT, self._whole(end, LONG_END_AT)),
        )
        records += [record for place, frame in frames if (record := self._news(place, frame)) is not None]
        return records

    def _whole(self, frame: bytes, place: int) -> bytes:
        """The frame, with as much of it as its head says."""
        n_bytes = HEAD_BYTES + length_of(frame)
        if len(frame) >= n_bytes or n_bytes > MAX_FRAME_BYTES:
            return frame
        return os.pread(self._fd, n_bytes, place)

    def _news(self, place: int, frame: bytes) -> Record | None:
        """What a place says of this run, unless it said the same before."""
        framed = decode(frame) if frame else None
        if framed is None or framed.run != self._run or framed == self._seen.get(place):
            return None
        if not _belongs(framed.record, place):
            return None
        self._seen[place] = framed
        return framed.record

    def close(self) -> None:
        """Stop reading."""
        close_own(self._fd)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _belongs(record: Record, place: int) -> bool:
    """Whether that is the place for such a record."""
    if isinstance(record, Mark):
        return record is Mark.CANCEL and place == CANCEL_AT
    is_end = isinstance(record, Progress) and record.returncode is not None
    return place in (END_AT, LONG_END_AT) if is_end else place == STATE_AT


def is_cancelled(records: list[Record]) -> bool:
    """Whether the last run of which these tell is being cancelled."""
    for record in reversed(records):
        if isinstance(record, Mark):
            return record is Mark.CANCEL
    return False
