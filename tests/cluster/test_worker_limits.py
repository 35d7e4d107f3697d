"""A worker's own limits: they hold for each program that it runs, beside those of the queue that asked."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.scene import Scene
from tests.conftest import write_program
from workqueue.program.limits import Limits
from workqueue.progress import succeeded

MB = 1024 * 1024


@pytest.fixture
def scene(nats: NatsServers, cluster: str, tmp_path: Path) -> Iterator[Scene]:
    program = write_program(
        tmp_path / "program",
        f"""exec '{sys.executable}' -I -S -c '
import os, resource as r, sys, time
limits = [r.getrlimit(each)[0] for each in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE)]
print(0.5, " ".join(map(str, [*limits, os.nice(0)])), sep="\\t", flush=True)
if sys.argv[1] == "2":
    time.sleep(600)
open(sys.argv[-1], "w").write("built")
' "$@"
""",
    )
    with Scene(tmp_path, nats.url, program, cluster) as scene:
        yield scene


@pytest.mark.skipif(sys.platform != "linux", reason="macOS keeps no limit of memory")
def test_the_smaller_limit_counts_and_the_greater_niceness(scene: Scene) -> None:
    own = ["--memory-limit", "900M", "--cpu-limit", "50", "--file-size-limit", "7M", "--niceness", "2"]
    scene.worker(*own)
    reports = scene.submit(1, limits=Limits(memory=800 * MB, cpu=60, niceness=4))
    assert reports.hear_end() == succeeded()
    [said] = reports.messages()
    assert said == f"{800 * MB} 50 {7 * MB} {min(19, os.nice(0) + 4)}"


def test_a_program_that_runs_longer_than_its_worker_lets_it_is_stopped(scene: Scene) -> None:
    scene.worker("--time-limit", "0.5")
    end = scene.submit(2, limits=Limits(time=600.0)).hear_end()
    assert end.error is not None
    assert end.error.startswith("It ran longer than its time limit of 0.5 seconds.")
