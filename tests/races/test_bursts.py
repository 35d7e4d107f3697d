"""Three thousand bursts with real programs: one program run a key, however many ask at once."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.conftest import write_program
from tests.races.conftest import run_in_threads
from workqueue import Job, WorkQueue

N_BURSTS = 3_000
N_CALLERS = 8


def test_three_thousand_bursts_of_eight_make_one_program_run_each(
    tmp_path: Path, make_queue: Callable[..., WorkQueue]
) -> None:
    """Each caller waits for the end, and then finds the result."""
    log = tmp_path / "log"
    queue = make_queue(write_program(tmp_path / "program", f'echo "$1" >>"{log}"; echo built >"$output"'))
    together = threading.Barrier(N_CALLERS)

    def call(_: int) -> None:
        for burst in range(N_BURSTS):
            together.wait(60)
            job = queue.ensure_run((str(burst),))
            assert job is None or job.wait(60).returncode == 0
            assert queue.ensure_run((str(burst),)) is None

    run_in_threads(N_CALLERS, call)
    runs = Counter(log.read_text().split())
    assert len(runs) == N_BURSTS
    assert set(runs.values()) == {1}


def test_who_asks_again_after_a_failure_never_gets_the_failed_job(
    tmp_path: Path, make_queue: Callable[..., WorkQueue]
) -> None:
    """A failed job is forgotten before it is announced."""
    queue = make_queue(write_program(tmp_path / "program", "exit 3"))
    together = threading.Barrier(N_CALLERS)

    def call(_: int) -> None:
        together.wait(60)
        seen: set[Job] = set()
        for _ in range(50):
            job = queue.ensure_run(("always fails",))
            assert job is not None
            assert job not in seen
            assert job.wait(60).returncode == 3
            seen.add(job)

    run_in_threads(N_CALLERS, call)
