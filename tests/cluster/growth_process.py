"""A process with a queue on a cluster that has many runs made, one after the other, and says what it holds then.

It takes lines of JSON: ``["make", [FIRST, LAST]]`` has the runs of these keys made, ``["hold", ""]`` asks what is held.
"""

import gc
import json
import os
import sys
import threading
from collections import Counter
from pathlib import Path

from workqueue import Progress, WorkQueue
from workqueue.engines.cluster import ClusterEngine

#: How many are asked for before the first of them has ended.
N_AT_ONCE = 20


def say(key: str, what: object) -> None:
    os.write(1, json.dumps([key, what]).encode() + b"\n")


def make(first: int, last: int) -> dict[str, int]:
    """Have these made; return how many ended with which returncode."""
    room = threading.Semaphore(N_AT_ONCE)
    ends: Counter[str] = Counter()

    def tell(progress: Progress) -> None:
        if progress.returncode is not None:
            ends[str(progress.returncode)] += 1
            room.release()

    for number in range(first, last):
        room.acquire()
        job = queue.ensure_run((str(number),))
        if job is not None:
            job.progress.subscribe(tell)
    for _ in range(N_AT_ONCE):
        room.acquire()
    return dict(ends)


def held() -> dict[str, int]:
    """How many objects there are of each class of the library, or of NATS's client."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return dict(
        Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith(("workqueue.", "nats.")))
    )


def memory() -> int:
    """How many bytes it has in use; 0 where there is no /proc. Not getrusage's most, which counts its parent's, too."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


options = json.loads(sys.argv[1])
engine = ClusterEngine(options["nats"], options["name"], lease=options["lease"])
queue = WorkQueue(options["program_path"], storage_dir=options["storage_dir"], engine=engine)
say("", "ready")
for line in sys.stdin:
    action, details = json.loads(line)
    if action == "make":
        say("made", make(*details))
    elif action == "hold":
        say("held", [held(), memory()])
queue.close(drain=0.0)
