"""What does `from workqueue import WorkQueue` cost beyond `import reactivex`, which it cannot do without?

The package imports what it names when it is first used, so `import workqueue` alone costs next to nothing; so does
`workqueue.builder`, for programs that are run often and for a short time.

Each statement runs in fresh interpreters, by turns with the others, with the bytecode of all modules in place. What is
counted is CPU time, which is all that an import takes when nobody else wants the core, and which neighbours move least.
Run it with ``python -m benchmarks.import_time``; it takes about a minute.
"""

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import Final

from benchmarks.answer import OURS, Answer, Plot, Target, run
from benchmarks.clock import median, spread
from benchmarks.peers import NAMES, python_of

N_ROUNDS: Final = 21
N_PAIRS: Final = 100

BARE = "bare Python"
REACTIVEX = "import reactivex"
IMPORT = f"from {OURS} import WorkQueue"
BUILDER = f"import {OURS}.builder"
ANCESTOR = f"{NAMES['ancestor']}: {IMPORT}"

#: The rows, and what is run for each.
STATEMENTS: Final = {
    BARE: "pass",
    REACTIVEX: REACTIVEX,
    f"import {OURS}": f"import {OURS}",
    BUILDER: BUILDER,
    IMPORT: IMPORT,
    f"import {OURS}.streams": f"import {OURS}.streams",
    f"import {OURS}.web.wsgi": f"import {OURS}.web.wsgi",
    f"import {OURS}.web.asgi": f"import {OURS}.web.asgi",
    f"{IMPORT}, and make one": f"{IMPORT}; import sys; WorkQueue('/bin/sh', storage_dir=sys.argv[1]).close()",
    ANCESTOR: IMPORT,
}

#: Their names there, and the rows.
_IN_PICTURE: Final = {
    OURS: IMPORT,
    "reactivex": REACTIVEX,
    NAMES["ancestor"]: ANCESTOR,
    BARE: BARE,
}


def measure() -> Answer:
    with tempfile.TemporaryDirectory() as directory:
        by_turns(STATEMENTS, 1, directory)  # writes the bytecode
        taken = by_turns(STATEMENTS, N_ROUNDS, directory)
        # The two that the target is about, more often: on a busy machine one difference is 20 ms off, up or down.
        pair = by_turns((REACTIVEX, IMPORT), N_PAIRS, directory)
    beyond = {who: difference(times, taken[REACTIVEX]) for who, times in taken.items()}
    beyond[IMPORT] = difference(pair[IMPORT], pair[REACTIVEX])
    taken_beyond_bare = difference(taken[BUILDER], taken[BARE])
    return Answer(
        ["what", "CPU, ms", "beyond reactivex, ms"],
        [[who, median({**taken, **pair}[who]), beyond[who]] for who in STATEMENTS],
        [
            Target("from workqueue import WorkQueue, beyond import reactivex, ms of CPU", beyond[IMPORT], 20.0),
            Target("import workqueue.builder, beyond bare Python, ms of CPU", taken_beyond_bare, 5.0),
        ],
        [
            Plot(
                "CPU of an import, in all rounds",
                "% of the rounds",
                "ms at most",
                {who: spread({**taken, **pair}[what]) for who, what in _IN_PICTURE.items()},
                "spread",
            )
        ],
        [
            f"The medians of {N_ROUNDS} rounds, and of each round's difference; {N_PAIRS} for reactivex and workqueue.",
            f"{NAMES['ancestor']} needs no reactivex.",
        ],
    )


def by_turns(names: Iterable[str], n_rounds: int, directory: str) -> dict[str, list[float]]:
    """Run these statements, one after the other, and again; return the CPU time that each took in each round, in ms."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": directory}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    taken: dict[str, list[float]] = {who: [] for who in names}
    for _ in range(n_rounds):
        for who, times in taken.items():
            python = python_of("ancestor") if who == ANCESTOR else sys.executable
            # -P: a `workqueue` in the current directory is not the one to be measured.
            times.append(cpu_milliseconds([python, "-P", "-c", STATEMENTS[who], directory], environment))
    return taken


def difference(times: Iterable[float], theirs: Iterable[float]) -> float:
    """What it took more than the other did in the same round, mostly."""
    return median(a - b for a, b in zip(times, theirs, strict=True))


def cpu_milliseconds(command: list[str], environment: Mapping[str, str]) -> float:
    """Run a command; return the CPU time that it took, in user and in system mode."""
    pid = os.posix_spawn(command[0], command, environment)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{command} failed")
    return (used.ru_utime + used.ru_stime) * 1e3


if __name__ == "__main__":
    run(measure)
