"""A network between one process and the servers that is cut, passes nothing, or is slow: no hang, and no second end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.numbered_program import NumberedProgram
from tests.cluster.scene import Scene
from tests.objects.gate import Gate
from tests.servers.server import eventually
from workqueue.progress import cancelled, succeeded


@pytest.fixture
def program(tmp_path: Path) -> NumberedProgram:
    return NumberedProgram(tmp_path / "numbered")


@pytest.fixture
def scene(nats: NatsServers, cluster: str, tmp_path: Path, program: NumberedProgram) -> Iterator[Scene]:
    with Scene(tmp_path, nats.url, program.path, cluster) as scene:
        yield scene


@pytest.fixture
def gate(nats: NatsServers) -> Iterator[Gate]:
    with Gate(nats.port()) as gate:
        yield gate


@pytest.fixture
def url(gate: Gate) -> str:
    """Of the server, through the gate."""
    return f"nats://127.0.0.1:{gate.port}"


def test_a_client_that_is_cut_off_hears_the_rest_and_one_end(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    engine = scene.make_engine(url)
    reports = scene.submit(engine=engine)
    near = scene.submit()
    scene.worker()
    reports.hear_message("begun 1")
    gate.cut()
    gate.wait_for(lambda gate: gate.n_open == 1)
    program.release(1)
    assert reports.hear_end() == near.hear_end() == succeeded()
    assert reports.messages() == ["begun 1", "gone on 1"]
    reports.check()


def test_a_client_whose_way_passes_nothing_asks_at_once_and_hears_all_later(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    """Neither side is told that there is nobody."""
    engine = scene.make_engine(url)
    reports = scene.submit(engine=engine)
    near = scene.submit()
    scene.worker()
    reports.hear_message("begun 1")
    gate.hold_after(0, "down")
    for number in (1, 2, 3):
        program.release(number)
    assert near.hear_end() == succeeded()
    before = scene.now()
    others = [scene.submit(number, engine) for number in (2, 3)]
    assert scene.now() - before < scene.lease
    eventually(lambda: engine.max_running is None)  # it has noticed
    gate.release()
    for each in (reports, *others):
        assert each.hear_end() == succeeded()
        each.check()


def test_a_client_that_cannot_connect_any_more_is_told_the_end_when_it_can(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    engine = scene.make_engine(url)
    reports = scene.submit(engine=engine)
    near = scene.submit()
    scene.worker()
    reports.hear_message("begun 1")
    gate.refuse()
    program.release(1)
    assert near.hear_end() == succeeded()
    gate.admit()
    assert reports.hear_end() == succeeded()
    reports.check()


def test_what_a_client_cancels_while_it_is_cut_off_is_cancelled_later(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    engine = scene.make_engine(url)
    reports = scene.submit(engine=engine)
    near = scene.submit()
    scene.worker()
    near.hear_message("begun 1")
    reports.hear_message("begun 1")
    gate.refuse()
    eventually(lambda: engine.max_running is None)
    reports.cancel()
    gate.admit()
    assert near.hear_end() == reports.hear_end() == cancelled()
    for each in (reports, near):
        each.check()


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_worker_whose_way_passes_nothing_is_taken_for_dead_and_ends_nothing(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str, direction: str
) -> None:
    reports = scene.submit(is_refresh=True)
    far = scene.worker(url=url)
    reports.hear_message("begun 1")
    scene.worker()
    gate.hold_after(0, direction)  # type: ignore[arg-type]
    program.release(1)
    reports.hear_message("begun 2")
    gate.release()
    eventually(lambda: "another worker's" in far.output)
    program.release(2)
    assert reports.hear_end() == succeeded()
    assert scene.result() == "2"
    reports.check()


def test_a_worker_that_is_cut_off_for_a_moment_keeps_its_run(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    reports = scene.submit()
    scene.worker(url=url)
    reports.hear_message("begun 1")
    gate.cut()
    gate.wait_for(lambda gate: gate.n_open == 1)
    program.release(1)
    assert reports.hear_end() == succeeded()
    assert program.n_begun == 1
    assert reports.messages() == ["begun 1", "gone on 1"]
    reports.check()


def test_answers_that_are_lost_make_nothing_twice(scene: Scene, program: NumberedProgram, gate: Gate, url: str) -> None:
    """What is asked of the server is done, and each connection ends before it says so."""
    scene.worker()
    engine = scene.make_engine(url)
    scene.submit(9, engine)
    eventually(lambda: engine.max_running == 1)
    program.release(1)
    program.release(2)
    gate.cut_after(0, "down", times=3)
    reports = scene.submit(1, engine)
    assert reports.hear_end() == succeeded()
    assert program.n_begun == 2
    reports.check()


def test_a_worker_whose_answers_are_lost_tells_nothing_twice(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    reports = scene.submit()
    scene.worker(url=url)
    reports.hear_message("begun 1")
    gate.cut_after(0, "down", times=2)
    program.release(1)
    assert reports.hear_end() == succeeded()
    assert reports.messages() == ["begun 1", "gone on 1"]
    reports.check()
