"""One call to the kernel fails, of a process that leads or of one that follows; see `fault_sweep` for what must hold.

Some calls of each kind, the same in every run. `benchmarks/faults.py` has each of them fail, with each error.
"""

import random
from collections.abc import Iterator

import pytest

from tests.processes.fault_sweep import Fault, Sweep
from tests.processes.faults import KINDS

#: What a process asks the kernel for while it makes a queue; and afterwards, as the one that follows.
MAKING = ("open", "stat", "list", "flock", "fcntl", "unlink", "rmdir")
FOLLOWING = (
    "open",
    "read",
    "write",
    "unlink",
    "mkdir",
    "stat",
    "list",
    "attribute",
    "descriptor",
    "flock",
    "fcntl",
    "poll",
)

CALLS = [
    *(("leader", "making", kind) for kind in MAKING),
    *(("leader", "running", kind) for kind in KINDS),
    *(("follower", "running", kind) for kind in (*FOLLOWING, "inotify", "thread")),
]

#: How often a call may not be made that was made when they were counted.
TRIALS = 20

#: From so many calls of a kind on, two are tried.
MANY = 20


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    """Two processes, for all tests: what one of them had to bear must not tell."""
    with Sweep(tmp_path_factory.mktemp("faults")) as sweep:
        yield sweep


@pytest.mark.parametrize("is_once", [True, False], ids=["once", "from then on"])
@pytest.mark.parametrize(("role", "phase", "kind"), CALLS, ids=map("-".join, CALLS))
def test_a_call_fails(sweep: Sweep, role: str, phase: str, kind: str, is_once: bool) -> None:
    n_calls = sweep.count(role, phase).get(kind, 0)
    if not n_calls:
        pytest.skip(f"this system has no call of the kind {kind}")
    chosen = random.Random(f"{role} {phase} {kind} {is_once}")
    for _ in range(1 + n_calls // MANY):
        nth = chosen.randint(1, n_calls)
        error = chosen.choice(KINDS[kind].errors)
        for _ in range(TRIALS):  # how often a thread looks differs from one trial to the next
            fault = Fault(role, phase, kind, nth, error, is_once)
            outcome = sweep.attempt(fault)
            assert not outcome.breaks, (str(fault), outcome)
            places, nth = outcome.places, max(1, nth // 2)
            if places:
                break
        assert places, "no call of the kind was made"
