"""A cluster can be measured with few runs, and its answer has a row for each, whatever cannot be had."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cluster, cluster_figures
from benchmarks.cluster_figures import Sizes
from benchmarks.peers import NAMES, called
from benchmarks.redis_server import MISSING
from tests.cluster.nats_servers import find_nats

FEW = Sizes(n_begun=3, n_lines=2, n_jobs=6, n_pending=10, n_looks=10, n_without=3, idle_seconds=0.1, rest_seconds=0.1)

#: What each of ours would take.
OURS = {"begun": [0.004], "late": [0.002], "asked": [0.001], "rate": 200.0, "idle": 0.002, "rest": 0.01, "place": 4e-6}
THEIRS = {"begun": [0.006], "late": [0.003], "asked": [0.002], "rate": 100.0, "idle": 0.02}


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Nothing is measured; says whether there is a Redis."""

    def call(python: str, function: object, *arguments: object) -> Any:
        return [0.0001, 0.0005] if function is cluster_figures.without_server else OURS

    def say(url: str | None) -> None:
        @contextlib.contextmanager
        def redis_server() -> Iterator[str | None]:
            yield url

        monkeypatch.setattr(cluster, "redis_server", redis_server)

    monkeypatch.setattr(cluster, "find_nats", lambda: "nats-server")
    monkeypatch.setenv("WORKQUEUE_TEST_NATS", "")  # to be set back
    monkeypatch.setattr(cluster, "called", call)
    monkeypatch.setattr(cluster, "figures_of", lambda *_: THEIRS)
    return say


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the CPU of a process is read in /proc")
def test_a_cluster_is_measured_in_a_process_of_its_own() -> None:
    find_nats()
    found = called(sys.executable, cluster_figures.figures, 1, *FEW)
    assert found.keys() == OURS.keys()
    assert [len(found[times]) for times in ("begun", "asked")] == [FEW.n_begun, FEW.n_jobs]
    # A machine that does too much may be told two lines at once.
    assert 0 < len(found["late"]) <= 4 * FEW.n_lines
    assert all(seconds > 0 for times in ("begun", "late", "asked") for seconds in found[times])
    assert found["rate"] > 0
    assert found["place"] > 0


def test_clients_ask_though_there_is_no_server() -> None:
    assert len(called(sys.executable, cluster_figures.without_server, FEW.n_without)) == FEW.n_without


def test_the_table_has_a_dash_for_what_others_do_not_tell(redis: Callable[[str | None], None]) -> None:
    redis("redis://localhost")
    answer = cluster.measure()
    assert [list(row) for row in answer.rows] == [
        ["workqueue: one server", 4, 4, 2, 2, 200, 1, 0.002, 4, 0.01],
        ["workqueue: three servers", 4, 4, 2, 2, 200, 1, 0.002, 4, 0.01],
        ["workqueue: no server", None, None, None, None, None, 0.5, None, None, None],
        ["SAQ, Redis", 6, 6, 3, 3, 100, 2, 0.02, None, None],
        ["Celery, Redis", 6, 6, 3, 3, 100, 2, 0.02, None, None],
    ]
    assert all(target.is_met for target in answer.targets)
    assert [target.limit for target in answer.targets if "p99" in target.what] == [20, 10, 40, 15, 2]
    assert [list(plot.curves) for plot in answer.plots] == [[row[0] for row in answer.rows if row[1]]] * 2


def test_ours_are_measured_without_a_redis(redis: Callable[[str | None], None]) -> None:
    redis(None)
    answer = cluster.measure()
    assert [row[1] for row in answer.rows] == [4, 4, None, None, None]
    assert answer.notes[-1] == MISSING


def test_a_peer_that_cannot_be_had_is_named(
    redis: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def figures_of(peer: str, *_: object) -> dict[str, Any]:
        if peer == "celery":
            raise subprocess.CalledProcessError(1, "pip")
        return THEIRS

    redis("redis://localhost")
    monkeypatch.setattr(cluster, "figures_of", figures_of)
    answer = cluster.measure()
    assert {row[0]: row[1] for row in answer.rows}[NAMES["celery"]] is None
    assert answer.notes[-1] == "Celery, Redis was not measured: status 1."
