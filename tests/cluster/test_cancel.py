"""A process cancels a key while another asks for it: whichever comes first, nobody has an end that is not its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cancels import cancel_against_ask, wrong_with
from tests.cluster.nats_servers import NatsServers
from tests.cluster.scene import Scene
from tests.conftest import write_program
from tests.servers.server import eventually
from workqueue.progress import cancelled, succeeded

N_ROUNDS = 100


@pytest.fixture
def scene(nats: NatsServers, cluster: str, tmp_path: Path) -> Iterator[Scene]:
    program = write_program(tmp_path / "program", 'echo 0.5\necho built > "$output"')
    with Scene(tmp_path, nats.url, program, cluster, lease=4.0) as scene:
        yield scene


@pytest.mark.parametrize("n_workers", [0, 1])
def test_one_that_asks_while_another_cancels_has_the_result_or_was_cancelled_with_it(
    scene: Scene, n_workers: int
) -> None:
    """Without a worker the run waits in the line; with one it is taken at about the same moment."""
    for _ in range(n_workers):
        scene.worker(max_running=4)
    other = scene.make_engine()
    pairs = [cancel_against_ask(scene, other, number) for number in range(N_ROUNDS)]
    if not n_workers:
        assert all(first.hear_end() == cancelled() for first, _ in pairs)
        scene.worker(max_running=4)
    for first, second in pairs:
        assert wrong_with(first, second) == []
    eventually(scene.is_idle)


def test_one_that_asks_when_a_cancel_was_heard_has_another_run(scene: Scene) -> None:
    other = scene.make_engine()
    first, heard = scene.submit(), scene.submit(engine=other)
    # Both watch it: one whose watching is not in the log yet would get another run, as one that asks later does.
    for engine in (scene.engine, other):
        eventually(lambda engine=engine: any(w.mark is not None for w in engine._desk._watched.values()))
    first.cancel()
    assert heard.hear_end() == cancelled()
    again = scene.submit(engine=other)
    scene.worker()
    assert again.hear_end() == succeeded()


def test_one_that_leaves_stops_nobody_elses_run(scene: Scene) -> None:
    """However early: also before it has joined the run that is there."""
    other = scene.make_engine()
    staying = [scene.submit(number) for number in range(N_ROUNDS)]
    for number in range(N_ROUNDS):
        leaving = scene.submit(number, other)
        leaving.cancel(for_all=False)
        assert leaving.hear_end() == cancelled()
    scene.worker(max_running=4)
    for reports in staying:
        assert reports.hear_end() == succeeded()
        reports.check()


def test_a_run_that_all_leave_is_stopped(scene: Scene) -> None:
    other = scene.make_engine()
    pairs = [(scene.submit(number), scene.submit(number, other)) for number in range(N_ROUNDS // 2)]
    for first, second in pairs:
        first.cancel(for_all=False)
        second.cancel(for_all=False)
    eventually(scene.is_idle)
