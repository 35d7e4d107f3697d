"""How fast is a cluster, with one NATS server and with three, beside SAQ and Celery on Redis?

One worker makes four runs at once, and one process asks and watches, all on this machine. It tells how soon a run
begins, how soon its lines are seen, and how many runs are done a second; how long a client waits that asks, with a
server and without any; and what an idle worker costs, a place in the line, and a process whose runs all wait, each with
a client. Run it with ``python -m benchmarks.cluster``; it takes about 3 minutes.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.clock import percentile, spread
from benchmarks.cluster_figures import GAP_SECONDS, Sizes, figures, programs, without_server
from benchmarks.peers import NAMES, called, python_of
from benchmarks.redis_server import MISSING, redis_server
from benchmarks.task_queues import AT_ONCE, figures_of
from tests.tools import find_command

Found = Mapping[str, Mapping[str, Any]]
"""Who -> what was measured, by the names that `cluster_figures.figures` gives it."""

SIZES = Sizes()

SERVERS: Final = {f"{OURS}: one server": 1, f"{OURS}: three servers": 3}
WITHOUT: Final = f"{OURS}: no server"
PEERS: Final = ("saq", "celery")

_COLUMNS: Final = (
    "who",
    "begun p50, ms",
    "begun p99, ms",
    "line p50, ms",
    "line p99, ms",
    "jobs/s",
    "asking p99, ms",
    "idle worker, CPU s/s",
    "a place, us",
    "all wait, CPU s/s",
)

#: By the number of servers: begun p50 and p99, a line's p50 and p99, in ms; and jobs a second.
_LIMITS: Final = {1: (5.0, 20.0, 3.0, 10.0, 150.0), 3: (10.0, 40.0, 5.0, 15.0, 100.0)}

_NO_NATS: Final = "Not measured: there is no nats-server for this machine; `WORKQUEUE_TEST_NATS` may say where one is."


def measure() -> Answer:
    """Each in processes of its own, one after the other."""
    try:
        os.environ["WORKQUEUE_TEST_NATS"] = find_nats()
    except subprocess.CalledProcessError:
        return Answer(_COLUMNS, [], notes=[_NO_NATS])
    found: dict[str, Mapping[str, Any]] = {
        who: called(sys.executable, figures, n_nodes, *SIZES) for who, n_nodes in SERVERS.items()
    }
    asked = called(sys.executable, without_server, SIZES.n_without)
    of_peers, missing = peers()
    found |= of_peers
    nothing: list[Cell] = [None] * (len(_COLUMNS) - 1)
    rows: list[list[Cell]] = [[who, *(cells(found[who]) if who in found else nothing)] for who in names()]
    rows.insert(len(SERVERS), [WITHOUT, *(ms(asked, 99) if "asking" in column else None for column in _COLUMNS[1:])])
    return Answer(_COLUMNS, rows, [*targets(found, asked)], plots(found), [*notes(asked), *missing])


def find_nats() -> str:
    """The server's program.

    Raises:
        subprocess.CalledProcessError: there is none, and none can be installed for this machine.
    """
    found = os.environ.get("WORKQUEUE_TEST_NATS") or find_command("nats-server")
    return found or str(Path(python_of("nats")).with_name("nats-server"))


def peers() -> tuple[Found, list[str]]:
    """What was measured of those that can be had, and a note for each that cannot."""
    found: dict[str, Mapping[str, Any]] = {}
    missing = []
    for peer in PEERS:
        with redis_server() as url, tempfile.TemporaryDirectory() as directory:
            if url is None:
                return {}, [MISSING]
            try:
                found[NAMES[peer]] = figures_of(peer, url, programs(Path(directory), SIZES.n_lines), SIZES._asdict())
            except subprocess.CalledProcessError as err:
                missing.append(f"{NAMES[peer]} was not measured: status {err.returncode}.")
    return found, missing


def names() -> list[str]:
    """The rows' names, but for that without a server."""
    return [*SERVERS, *(NAMES[peer] for peer in PEERS)]


def ms(seconds: list[float], percent: float) -> float:
    """A percentile of many, in milliseconds."""
    return percentile(seconds, percent) * 1e3


def cells(found: Mapping[str, Any]) -> list[Cell]:
    """A row of the table, but for its name."""
    times = [ms(found[what], percent) for what in ("begun", "late") for percent in (50, 99)]
    place = found["place"] * 1e6 if "place" in found else None
    return [*times, found["rate"], ms(found["asked"], 99), found["idle"], place, found.get("rest")]


def targets(found: Found, asked: list[float]) -> Iterator[Target]:
    """Of each number of servers; and of none, where `asked` has what each request took."""
    for who, n_nodes in SERVERS.items():
        figure = found[who]
        *times, rate = _LIMITS[n_nodes]
        of = f"cluster, {who.partition(': ')[2]}"
        whats = (("run is begun", "begun"), ("line to a watcher", "late"))
        ways = [(what, key, percent) for what, key in whats for percent in (50, 99)]
        for (what, key, percent), limit in zip(ways, times, strict=True):
            yield Target(f"{of}: {what}, p{percent}, ms", ms(figure[key], percent), limit)
        yield Target(f"{of}: each of {SIZES.n_jobs:,} runs, ms ({rate:g} a second)", 1e3 / figure["rate"], 1e3 / rate)
        yield Target(f"{of}: place of one run among {SIZES.n_pending:,}, us", figure["place"] * 1e6, 10.0)
        yield Target(f"{of}: {SIZES.n_pending:,} runs wait, each watched: CPU s/s", figure["rest"], 0.05)
        yield Target(f"{of}: idle worker, CPU s/s", figure["idle"], 0.005)
    # The longest of many, which a note tells, is what the system does to any thread now and then.
    yield Target("cluster, no server: ensure_run, p99, ms", ms(asked, 99), 2.0)


def plots(found: Found) -> list[Plot]:
    """How the times of each are spread."""
    whats = (("From asking until a run begins", "runs", "begun"), ("From a line to its watcher", "lines", "late"))
    return [
        Plot(
            title, f"% of {x}", "ms at most", {who: spread(s * 1e3 for s in found[who][key]) for who in found}, "spread"
        )
        for title, x, key in whats
    ]


def notes(asked: list[float]) -> list[str]:
    """How it was measured, and what the others do not do."""
    lines = f"{SIZES.n_lines} lines, {GAP_SECONDS * 1e3:.0f} ms apart, of each of {AT_ONCE} programs at once."
    return [
        f"{SIZES.n_begun} runs, one after the other, until they begin: ours until the process that asks is told so.",
        "SAQ's and Celery's are taken to begin when their function is called in the worker, before anybody is told.",
        f"{lines} SAQ's watcher is told over Redis, and gets the job; Celery's is told the state that its task sets.",
        f"{SIZES.n_jobs} runs for the jobs a second. All run the same program, {AT_ONCE} at a time, on one worker.",
        "What ours has built is looked for before each run, flushed to the disk and kept; theirs is only written.",
        f"In the last two, {SIZES.n_pending:,} runs wait in one process, an observer each; the CPU is that process's.",
        f"Without a server, the longest of {len(asked):,} requests took {max(asked) * 1e3:.1f} ms; runs wait for one.",
        "Without Redis, SAQ refuses at once, and Celery after 20 s. Neither tells a job that waits its place.",
        "NATS keeps files, and of three servers two have a record before it counts; Redis writes to no disk.",
        "Ours refuses what a worker that lost its run still says or has built; SAQ and Celery do not.",
        "Ours runs equal parameters once; SAQ does so for equal keys, while they wait or run; Celery does not.",
    ]


if __name__ == "__main__":
    run(measure)
