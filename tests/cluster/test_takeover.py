"""Workers that die, stand still, or are told to go: their runs are made elsewhere, once, and nobody is told wrongly."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.numbered_program import NumberedProgram
from tests.cluster.scene import Scene
from tests.conftest import write_program
from tests.servers.server import eventually
from workqueue.engines.cluster.takeover import MAX_LOST
from workqueue.progress import NO_EXIT_STATUS, WaitsAgain, cancelled, succeeded

#: What a machine that does too much may add to a lease.
SLACK = 5.0


@pytest.fixture
def program(tmp_path: Path) -> NumberedProgram:
    return NumberedProgram(tmp_path / "numbered")


@pytest.fixture
def make_scene(nats: NatsServers, cluster: str, tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(program: Path, **options: float) -> Scene:
        scenes.append(Scene(tmp_path, nats.url, program, cluster, **options))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.__exit__()


@pytest.fixture
def scene(make_scene: Callable[..., Scene], program: NumberedProgram) -> Scene:
    return make_scene(program.path)


def test_a_killed_workers_run_begins_elsewhere_and_its_watchers_hear_so(scene: Scene, program: NumberedProgram) -> None:
    first = scene.submit()
    killed = scene.worker()
    first.hear_message("begun 1")
    other = scene.submit(engine=scene.make_engine())
    other.hear_message("begun 1")
    scene.worker()
    scene.settle()
    killed.kill()
    began = min(reports.hear_waits_again() for reports in (first, other))
    program.wait_begun(2)
    for reports in (first, other):
        assert reports.hear_message("begun 2") - began < SLACK
    program.release(2)
    for reports in (first, other):
        assert reports.hear_end() == succeeded()
        assert sum(isinstance(report, WaitsAgain) for report in reports.all) == 1
        reports.check()
    assert scene.result() == "2"


def test_it_begins_elsewhere_as_soon_as_the_lease_is_over(scene: Scene, program: NumberedProgram) -> None:
    reports = scene.submit()
    killed = scene.worker()
    reports.hear_message("begun 1")
    scene.worker()
    scene.settle()
    killed.kill()
    before = scene.now()
    assert reports.hear_message("begun 2") - before < scene.lease * 1.25 + SLACK
    program.release(2)
    reports.hear_end()


def test_the_last_worker_is_dead_and_watchers_hear_that_they_wait(scene: Scene, program: NumberedProgram) -> None:
    reports = scene.submit()
    worker = scene.worker()
    reports.hear_message("begun 1")
    scene.settle()
    worker.kill()
    before = scene.now()
    assert reports.hear_waits_again() - before < scene.lease * 1.5 + SLACK
    assert scene.capacity == 0
    program.release(2)
    scene.worker()
    assert reports.hear_end() == succeeded()
    reports.check()


def test_a_worker_that_stood_still_publishes_reports_and_ends_nothing(scene: Scene, program: NumberedProgram) -> None:
    """Its program, which did not stand still, is done by the time it goes on."""
    reports = scene.submit(is_refresh=True)
    late = scene.worker()
    reports.hear_message("begun 1")
    other = scene.worker()
    late.stop()
    program.release(1)
    program.wait_ended(1)
    program.wait_begun(2)
    late.go_on()
    eventually(lambda: "another worker's" in late.output)
    other.kill()
    program.wait_begun(3)
    program.release(3)
    assert reports.hear_end() == succeeded()
    assert scene.result() == "3"
    assert not any(getattr(report, "message", None) == "gone on 1" for report in reports.all)
    reports.check()


def test_a_result_that_is_newer_than_a_late_workers_stays(scene: Scene, program: NumberedProgram) -> None:
    reports = scene.submit(is_refresh=True)
    late = scene.worker()
    reports.hear_message("begun 1")
    other = scene.worker()
    late.stop()
    program.release(1)
    program.wait_ended(1)
    program.wait_begun(2)
    program.release(2)
    assert reports.hear_end() == succeeded()
    other.kill()
    late.go_on()
    program.release(3)
    # By the time it takes another run it is done with that one.
    assert scene.submit(2).hear_end() == succeeded()
    assert scene.result() == "2"
    assert scene.result(2) == "3"
    reports.check()


def test_the_run_of_a_worker_that_stood_still_is_anybodys_when_its_second_worker_dies(
    scene: Scene, program: NumberedProgram
) -> None:
    reports = scene.submit()
    late = scene.worker()
    reports.hear_message("begun 1")
    second = scene.worker()
    late.stop()
    reports.hear_message("begun 2")
    late.go_on()
    eventually(lambda: "another worker's" in late.output)
    late.terminate()
    assert late.wait() == 0
    scene.worker()
    scene.settle()
    second.kill()
    before = scene.now()
    assert reports.hear_message("begun 3") - before < scene.lease * 1.5 + SLACK
    program.release(3)
    assert reports.hear_end() == succeeded()
    reports.check()


def test_a_worker_that_is_told_to_go_lets_its_run_end(scene: Scene, program: NumberedProgram) -> None:
    reports = scene.submit()
    worker = scene.worker("--drain", "20")
    reports.hear_message("begun 1")
    scene.worker()
    worker.terminate()
    eventually(lambda: scene.capacity == 1)
    program.release(1)
    assert reports.hear_end() == succeeded()
    assert worker.wait() == 0
    assert program.n_begun == 1
    reports.check()


def test_a_worker_that_is_told_to_go_at_once_gives_its_run_back(
    make_scene: Callable[..., Scene], program: NumberedProgram
) -> None:
    scene = make_scene(program.path, lease=60.0)
    reports = scene.submit()
    worker = scene.worker()
    reports.hear_message("begun 1")
    scene.worker()
    worker.terminate()
    # Not at the end of a lease, when others would have taken it.
    reports.hear_message("begun 2")
    assert worker.wait() == 0
    program.release(2)
    assert reports.hear_end() == succeeded()
    assert any(isinstance(report, WaitsAgain) for report in reports.all)
    reports.check()


def test_a_run_that_is_given_back_begins_when_its_program_has_ended(
    make_scene: Callable[..., Scene], tmp_path: Path
) -> None:
    program = NumberedProgram(tmp_path / "lingering", lingers=True)
    scene = make_scene(program.path)
    reports = scene.submit()
    worker = scene.worker()
    reports.hear_message("begun 1")
    scene.worker()
    worker.terminate()
    program.wait_stopping(1)
    assert program.n_begun == 1
    program.let_stop(1)
    program.wait_begun(2)
    program.release(2)
    assert reports.hear_end() == succeeded()
    assert not program.has_overlapped
    reports.check()


def test_a_run_that_kills_its_workers_is_not_tried_for_ever(make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    program = write_program(tmp_path / "poison", "echo 0.5\nkill -9 $PPID\nsleep 60")
    scene = make_scene(program, lease=1.0)
    for _ in range(MAX_LOST + 1):
        scene.worker(wait=False)
    reports = scene.submit()
    end = reports.hear_end()
    assert (end.returncode, end.error) == (NO_EXIT_STATUS, "Its worker was lost 4 times; it is not tried again.")
    assert sum(isinstance(report, WaitsAgain) for report in reports.all) == MAX_LOST
    eventually(scene.is_idle)


def test_a_lost_run_that_was_cancelled_ends(scene: Scene) -> None:
    reports = scene.submit()
    worker = scene.worker()
    reports.hear_message("begun 1")
    worker.stop()
    reports.cancel()
    assert reports.hear_end() == cancelled()
    eventually(scene.is_idle)
