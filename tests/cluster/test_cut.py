"""A network between one process and the servers that is cut, passes nothing, or is slow: no hang, and no second end."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.numbered_program import NumberedProgram
from tests.cluster.scene import MakeScene, Scene
from tests.cluster.workers import LEASE
from tests.objects.gate import Gate
from tests.servers.server import eventually
from workqueue.engines.cluster.desk import UNREACHABLE
from workqueue.progress import cancelled, succeeded


@pytest.fixture
def program(tmp_path: Path) -> NumberedProgram:
    return NumberedProgram(tmp_path / "numbered")


@pytest.fixture
def make_scene(nats: NatsServers, cluster: str, tmp_path: Path, program: NumberedProgram) -> Iterator[MakeScene]:
    with ExitStack() as stack:

        def make(**options: float) -> Scene:
            return stack.enter_context(Scene(tmp_path, nats.url, program.path, cluster, **options))

        yield make


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene()


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


#: A way that takes its time: each piece of so many bytes comes so many seconds late. A request and its answer take some
#: 0.1 s, and a task some pieces.
SLOW, NARROW = 0.05, 400


def test_a_client_whose_way_is_slow_hears_all_in_order(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    gate.slow(SLOW, NARROW)
    engine = scene.make_engine(url)
    before = scene.now()
    reports = scene.submit(engine=engine)
    assert scene.now() - before < scene.lease  # it waits for nobody
    near = scene.submit()
    scene.worker()
    near.hear_message("begun 1")  # else the program may print both before one read of its output, which tells the last
    program.release(1)
    assert reports.hear_end() == succeeded()
    assert reports.messages() == ["begun 1", "gone on 1"]
    assert program.n_begun == 1
    reports.check()


def test_a_worker_whose_way_is_slow_keeps_its_run(make_scene: MakeScene, program: NumberedProgram, gate: Gate) -> None:
    """Though it is late with each sign of life, and another worker waits for it to be lost."""
    scene = make_scene(lease=LEASE)
    reports = scene.submit()
    gate.slow(SLOW, NARROW)
    scene.worker(url=f"nats://127.0.0.1:{gate.port}")
    reports.hear_message("begun 1")
    scene.worker()
    scene.settle()
    program.release(1)
    assert reports.hear_end() == succeeded()
    assert program.n_begun == 1
    assert reports.messages() == ["begun 1", "gone on 1"]
    reports.check()


def test_a_way_that_is_slower_than_answers_may_be_holds_up_nobody(
    scene: Scene, program: NumberedProgram, gate: Gate, url: str
) -> None:
    """As one that is cut: a client asks at once, a worker is taken for dead; all have one end."""
    engine = scene.make_engine(url)
    reports = [scene.submit(1, engine), scene.submit(1)]
    far = scene.worker(url=url)
    for each in reports:
        each.hear_message("begun 1")
    gate.slow(4.0, NARROW)
    before = scene.now()
    reports.append(scene.submit(2, engine))
    assert scene.now() - before < scene.lease
    eventually(lambda: scene.capacity == 0)
    program.release(1)
    scene.worker(max_running=2)
    program.wait_begun(2)
    gate.release()
    program.release(2)
    program.release(3)
    for each in reports:
        assert each.hear_end() == succeeded()
        each.check()
    eventually(scene.is_idle)
    assert far.process.poll() is None


def test_a_task_gives_up_a_way_that_is_too_slow(scene: Scene, gate: Gate, url: str) -> None:
    gate.slow(4.0, NARROW)
    engine = scene.make_engine(url, give_up=0.5)
    assert scene.submit(engine=engine).hear_end().error == UNREACHABLE
