"""4 host places: where in a journal stands what, and the writing of it.

A journal is no log, which would grow with all that a program prints: it has a place for each thing there is to say, and
what is said last stands there.
"""

import contextlib
import os
from typing import Final

from workqueue.engines.host.record import Mark, Record, Times, encode, encode_times

#: Where the places begin: the run that is under way, and behind that, in the same write, its times; whether it is being
#: cancelled, how it ended, where it stands; and an end with a long error. Nearly always all but the last are in the
#: first page: one read, and one block of the disk. A message is cut to a line of 64 KiB, an error to as much; one byte
#: of either takes six in JSON at most.
START_AT: Final = 0
TIMES_AT: Final = 48
CANCEL_AT: Final = 128
END_AT: Final = 256
STATE_AT: Final = 1280
LONG_END_AT: Final = 512 * 1024
MAX_FRAME_BYTES: Final = LONG_END_AT - STATE_AT

PAGE: Final = 4096


def write_start(fd: int, run: str, times: Times | None) -> bool:
    """Say that a run begins, like `write`, and when; a reader that knows of no times does not look behind the frame."""
    frame = encode(run, Mark.START)
    if times is not None and len(told := encode_times(run, times)) <= CANCEL_AT - TIMES_AT:
        frame = frame.ljust(TIMES_AT) + told
    with contextlib.suppress(OSError):
        return os.pwrite(fd, frame, START_AT) == len(frame)
    return False


def write(fd: int, place: int, run: str, record: Record) -> bool:
    """Say this of a run, at this place of an open journal; return whether it was said. It never raises."""
    frame = encode(run, record)
    if place == END_AT and len(frame) > STATE_AT - END_AT:
        place = LONG_END_AT
    if len(frame) > MAX_FRAME_BYTES:  # no program's message or error is so long; then the others do without
        return False
    # A full disk costs the others the progress of this run, and no more than that.
    with contextlib.suppress(OSError):
        return os.pwrite(fd, frame, place) == len(frame)
    return False
