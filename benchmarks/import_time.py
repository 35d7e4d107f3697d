"""What does `import workqueue` cost beyond `import reactivex`, which it cannot do without?

Each statement runs in fresh interpreters, by turns with the others, with the bytecode of all modules in place. What is
counted is CPU time, which is all that an import takes when nobody else wants the core, and which neighbours move least.
Run it with ``python -m benchmarks.import_time``; it takes about 45 s.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Final

from benchmarks.answer import OURS, Answer, Target, run
from benchmarks.clock import median
from benchmarks.peers import NAMES, python_of

N_ROUNDS: Final = 31

BARE = "bare Python"
REACTIVEX = "import reactivex"
IMPORT = f"import {OURS}"
ANCESTOR = f"{NAMES['ancestor']}: {IMPORT}"

#: The rows, and what is run for each.
STATEMENTS: Final = {
    BARE: "pass",
    REACTIVEX: REACTIVEX,
    IMPORT: IMPORT,
    f"{IMPORT}.streams": f"{IMPORT}.streams",
    f"{IMPORT}.web.wsgi": f"{IMPORT}.web.wsgi",
    f"{IMPORT}.web.asgi": f"{IMPORT}.web.asgi",
    f"{IMPORT}, and make a WorkQueue": f"{IMPORT} as w, sys; w.WorkQueue('program', storage_dir=sys.argv[1]).close()",
    ANCESTOR: IMPORT,
}


def measure() -> Answer:
    pythons = {who: python_of("ancestor") if who == ANCESTOR else sys.executable for who in STATEMENTS}
    taken: dict[str, list[float]] = {who: [] for who in STATEMENTS}
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": directory}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for i in range(1 + N_ROUNDS):
            for who, statement in STATEMENTS.items():
                # -P: a `workqueue` in the current directory is not the one to be measured.
                milliseconds = cpu_milliseconds([pythons[who], "-P", "-c", statement, directory], environment)
                if i:  # the first round wrote the bytecode
                    taken[who].append(milliseconds)
    return Answer(
        ["what", "CPU, ms", "beyond reactivex, ms"],
        [[who, median(taken[who]), beyond(taken, who)] for who in STATEMENTS],
        [Target("import workqueue, beyond import reactivex, ms of CPU", beyond(taken, IMPORT), 20.0)],
        notes=[
            f"The medians of {N_ROUNDS} rounds, and of each round's difference.",
            f"{NAMES['ancestor']} needs no reactivex.",
        ],
    )


def beyond(taken: dict[str, list[float]], who: str) -> float:
    """What it took more than reactivex did in the same round, mostly."""
    return median(ours - theirs for ours, theirs in zip(taken[who], taken[REACTIVEX], strict=True))


def cpu_milliseconds(command: list[str], environment: Mapping[str, str]) -> float:
    """Run a command; return the CPU time that it took, in user and in system mode."""
    pid = os.posix_spawn(command[0], command, environment)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{command} failed")
    return (used.ru_utime + used.ru_stime) * 1e3


if __name__ == "__main__":
    run(measure)
