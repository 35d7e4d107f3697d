"""A random walk of three processes, against a model of what `docs/guarantees.rst` promises.

WORKQUEUE_TEST_WALK=MINUTES walks for so long, at random, and says how far it came; with ``-s``, to see it, and ``-o
faulthandler_timeout=0``, which else takes so long a test for one that hangs.
"""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.processes.walk import KEYS, N_PROCESSES, Walk, Walkers

#: Without shrinking, which would outlast the time that a test may hang. Every draw is of the same choices whatever has
#: happened: which of the processes that wait begins a run is nothing that hypothesis could repeat.
BOUNDED = settings(
    max_examples=10,
    stateful_step_count=40,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

processes = st.integers(0, N_PROCESSES - 1)
keys = st.sampled_from(KEYS)
numbers = st.integers(0, 11)


class Machine(RuleBasedStateMachine):
    """The steps of a walk."""

    def __init__(self, walkers: Walkers) -> None:
        super().__init__()
        self.walk = Walk(walkers)

    @rule(process=processes, key=keys, refresh=st.booleans())
    def ask(self, process: int, key: str, refresh: bool) -> None:
        self.walk.ask(process, key, refresh=refresh)

    @rule(process=processes, key=keys)
    def join(self, process: int, key: str) -> None:
        self.walk.ask(process, key, refresh=True)

    @rule(key=keys, refresh=st.booleans())
    def rush(self, key: str, refresh: bool) -> None:
        self.walk.rush(key, refresh=refresh)

    @rule(which=numbers)
    def build(self, which: int) -> None:
        self.walk.end(which, "build")

    @rule(which=numbers, how=st.sampled_from(("build", "fail", "die")))
    def end(self, which: int, how: str) -> None:
        self.walk.end(which, how)

    @rule(which=numbers)
    def cancel(self, which: int) -> None:
        self.walk.cancel(which)

    @rule(which=numbers)
    def cancel_at_its_end(self, which: int) -> None:
        self.walk.cancel_at_its_end(which)

    @rule(process=processes, key=keys)
    def delete(self, process: int, key: str) -> None:
        self.walk.delete(process, key)

    @rule(process=processes, key=keys)
    def open(self, process: int, key: str) -> None:
        self.walk.open(process, key)

    @rule(which=numbers)
    def shut(self, which: int) -> None:
        self.walk.shut(which)

    @rule(process=processes, how=st.sampled_from(("build", "die")))
    def close(self, process: int, how: str) -> None:
        self.walk.close(process, how)

    @rule(process=processes)
    def drain(self, process: int) -> None:
        self.walk.drain(process)

    @rule(process=processes)
    def reopen(self, process: int) -> None:
        self.walk.reopen(process)

    @rule(process=processes)
    def kill(self, process: int) -> None:
        self.walk.kill(process)

    @rule(which=numbers)
    def kill_at_its_end(self, which: int) -> None:
        self.walk.kill_at_its_end(which)

    def teardown(self) -> None:
        self.walk.finish()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="a walk looks for processes in Linux's /proc")
def test_what_is_guaranteed_holds_on_a_random_walk(tmp_path: Path) -> None:
    minutes = float(os.environ.get("WORKQUEUE_TEST_WALK", "0"))
    with Walkers(tmp_path) as walkers:
        run_state_machine_as_test(lambda: Machine(walkers), settings=BOUNDED)
        deadline = time.monotonic() + minutes * 60
        while time.monotonic() < deadline:
            run_state_machine_as_test(lambda: Machine(walkers), settings=settings(BOUNDED, derandomize=False))
    if minutes:
        print(dict(walkers.counts))  # noqa: T201 - how far it came
