"""Is anything lost when processes are killed, or when what they ask of the kernel fails?

Kills: owners, wardens and programs, by SIGKILL, at random, for many rounds. Four processes share a storage and are
asked for the same three keys in each round.

Calls: each open, read, write, fsync and so on of a process that leads, and of one that follows, fails, with each error
it may have; once, or from then on. That takes some 10 minutes. See `tests/processes/fault_sweep.py` for what must hold.

Trees: a process that replaces, evicts or unpacks a directory of 10,000 files, or one with a file of 1 GB, is killed at
a random moment of it. See `benchmarks/tree_kills.py`.

Web workers: of a gunicorn with four some are killed, while 200 clients wait for 40 builds, two at a time. Never may
more run, and a client's place may never rise. See `benchmarks/web_workers.py`.

Cluster: the tests of it; then workers and NATS servers are killed, or stand still, while 300 runs go on; 50,000 random
moves of late workers, and 1,000 cancels that are met by asks; what is left of 10,000 runs. See
`benchmarks/cluster_kills.py`, `benchmarks/cluster_moves.py` and `benchmarks/cluster_growth.py`.

Run it from the project's root with ``python -m benchmarks.faults [--rounds 160] [--seed 0]``; ``--only kills``,
``--only calls``, ``--only trees``, ``--only web-workers`` or ``--only cluster`` does one of the five, ``--kinds open
read`` has only such calls fail, and ``--jobs 4`` makes so many trials of them at once. Of the cluster's, ``--only
cluster-tests``, ``cluster-kills``, ``cluster-moves``, ``cluster-cancels`` or ``cluster-growth`` does one; ``--seeds
10`` says with how many seeds the kills are chosen, ``--scenes "one server"`` of which servers, and ``--runs 300``,
``--moves 50000``, ``--cancels 1000`` and ``--many 10000`` how much of each there is. It exits with status 1 when
anything does not hold: a result is not whole, two programs for one key overlapped, something is left; and with an
error when a client of the first part has no end within 20 s.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.cluster_growth import grow_in_cluster
from benchmarks.cluster_kills import SCENES, kill_in_cluster
from benchmarks.cluster_moves import cancel_in_cluster, walk_in_cluster
from benchmarks.web_workers import kill_web_workers
from tests.processes.fault_sweep import PHASES, ROLES, Fault, Sweep
from tests.processes.faults import KINDS
from tests.processes.ordeal import Ordeal

#: How many files, and of how many bytes each.
TREES = ((10_000, 4096), (1, 2**30))
N_TREE_KILLS = 10

WRONG = ("broken results", "overlaps", "leftovers", "orphans")

#: What is done to a cluster; each says whether anything is wrong.
CLUSTER: dict[str, Callable[[argparse.Namespace], bool]] = {
    "cluster-tests": lambda _: test_cluster(),
    "cluster-kills": lambda told: kill_in_cluster(told.runs, range(told.seed, told.seed + told.seeds), told.scenes),
    "cluster-moves": lambda told: walk_in_cluster(told.moves, told.seed),
    "cluster-cancels": lambda told: cancel_in_cluster(told.cancels),
    "cluster-growth": lambda told: grow_in_cluster(told.many),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("kills", "calls", "trees", "web-workers", "cluster", *CLUSTER))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES), metavar="SCENE")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--moves", type=int, default=50_000)
    parser.add_argument("--cancels", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    options = parser.parse_args()
    is_wrong = False
    if options.only in (None, "kills"):
        is_wrong |= kill(options.rounds, options.seed)
    if options.only in (None, "calls"):
        is_wrong |= fail_calls(options.kinds, options.jobs)
    if options.only in (None, "trees"):
        is_wrong |= kill_trees(options.seed)
    if options.only in (None, "web-workers"):
        is_wrong |= kill_web_workers(options.rounds // 16, options.seed)
    for name, try_it in CLUSTER.items():
        if options.only in (None, "cluster", name):
            is_wrong |= try_it(options)
    return int(is_wrong)


def kill(n_rounds: int, seed: int) -> bool:
    """Kill at random; print what was seen, and return whether anything is wrong."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, Ordeal(Path(directory), seed) as ordeal:
        for number in range(n_rounds):
            ordeal.round(number)
        ordeal.finish()
    print(f"{n_rounds} rounds in {time.monotonic() - began:.0f} s")
    for name in sorted({*ordeal.counts, *WRONG}):
        print(f"{name:20} {ordeal.counts[name]:6}")
    return any(ordeal.counts[name] for name in WRONG)


def fail_calls(kinds: list[str], n_jobs: int) -> bool:
    """Have each call fail; print a line for each kind, and return whether anything is wrong."""
    began = time.monotonic()
    print(f"{'calls of':30} {'calls':>6} {'faults':>7} {'breaks':>7}", flush=True)
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(n_jobs) as pool:
        total = sum(pool.map(lambda calls: fail_kind(*calls), calls_of(Path(directory), kinds)), Counter[str]())
    show("all", total)
    print(f"in {time.monotonic() - began:.0f} s")
    return bool(total["breaks"])


def calls_of(directory: Path, kinds: list[str]) -> list[tuple[Path, str, str, str, int]]:
    """For each role, phase and kind: a directory of its own, and how many calls one trial makes."""
    found = []
    with Sweep(directory) as sweep:
        for phase, role, kind in itertools.product(PHASES, ROLES, kinds):
            if n_calls := sweep.count(role, phase).get(kind, 0):
                found.append((directory / f"{phase}-{role}-{kind}", role, phase, kind, n_calls))
    return found


def fail_kind(directory: Path, role: str, phase: str, kind: str, n_calls: int) -> Counter[str]:
    """Have each call of one kind fail."""
    directory.mkdir()
    counts = Counter(calls=n_calls)
    with Sweep(directory) as sweep:
        for fault in faults_of(role, phase, kind, n_calls):
            outcome = sweep.attempt(fault)
            counts["faults"] += bool(outcome.places)
            counts["breaks"] += bool(outcome.breaks)
            if outcome.breaks:
                print("\n    ".join([f"{fault}", *outcome.places[:3], *outcome.breaks, *outcome.log[:5]]), flush=True)
    show(f"{role}, {phase}: {kind}", counts)
    return counts


def faults_of(role: str, phase: str, kind: str, n_calls: int) -> Iterator[Fault]:
    """Each call of a kind, with each of its errors, once and from then on."""
    for nth in range(1, n_calls + 1):
        for is_once in (True, False):
            for error in KINDS[kind].errors:
                yield Fault(role, phase, kind, nth, error, is_once)


def kill_trees(seed: int) -> bool:
    """Kill in the middle of large trees; print a line for each scene, and return whether anything is wrong."""
    is_wrong = False
    print(f"{'a tree of':30} {'kills':>6} {'seconds':>7}", flush=True)
    for n_files, n_bytes in TREES:
        for scene in ("replace", "evict", "unpack"):
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as directory:
                numbers = map(str, (n_files, n_bytes, N_TREE_KILLS, seed))
                command = [sys.executable, "-m", "benchmarks.tree_kills", scene, directory, *numbers]
                done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
            is_wrong |= done.returncode != 0
            outcome = "wrong" if done.returncode else done.stdout.strip()
            name = f"{n_files:,} x {n_bytes:,} bytes: {scene}"
            print(f"{name:30} {outcome:>6} {time.monotonic() - began:7.0f}", flush=True)
    return is_wrong


def test_cluster() -> bool:
    """Run the tests of it, and those of any engine; return whether one fails."""
    tests = ["tests/cluster", "tests/conformance/test_engine.py"]
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], check=False).returncode != 0


def show(name: str, counts: Counter[str]) -> None:
    print(f"{name:30} {counts['calls']:6} {counts['faults']:7} {counts['breaks']:7}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
