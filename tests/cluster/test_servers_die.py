"""NATS servers that are killed, stand still, lose all or are not there yet: every run ends, once for everybody."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.nats_servers import NatsServers
from tests.cluster.numbered_program import NumberedProgram
from tests.cluster.reports import Reports
from tests.cluster.scene import Scene
from tests.servers.server import eventually
from workqueue.engines.cluster.desk import UNREACHABLE
from workqueue.progress import NO_EXIT_STATUS, succeeded

N_RUNS = 3


@pytest.fixture
def program(tmp_path: Path) -> NumberedProgram:
    return NumberedProgram(tmp_path / "numbered")


@pytest.fixture
def scene(own_nats: NatsServers, tmp_path: Path, program: NumberedProgram) -> Iterator[Scene]:
    with Scene(tmp_path, own_nats.url, program.path, "test") as scene:
        yield scene


def watched_by_two(scene: Scene, program: NumberedProgram) -> list[Reports]:
    """Runs that have begun, each with two that watch it."""
    reports = [scene.submit(number) for number in range(N_RUNS)]
    other = scene.make_engine()
    scene.worker(max_running=2 * N_RUNS)
    for number in range(N_RUNS):
        program.wait_begun(number + 1)
    reports += [scene.submit(number, other) for number in range(N_RUNS)]
    for each in reports:
        each.hear_begin()
    return reports


def all_end(reports: list[Reports], program: NumberedProgram) -> None:
    """Let all go on, and see to it that each watcher has one end, and nothing out of order."""
    for number in range(1, 10):
        program.release(number)
    for each in reports:
        assert each.hear_end() == succeeded()
        each.check()


def test_a_killed_server_that_comes_back_has_lost_nothing(
    scene: Scene, own_nats: NatsServers, program: NumberedProgram
) -> None:
    reports = watched_by_two(scene, program)
    own_nats.kill()
    later = scene.submit(N_RUNS)
    own_nats.start()
    all_end([*reports, later], program)
    eventually(scene.is_idle)


def test_programs_that_end_while_there_is_no_server_are_told_of_when_there_is_one(
    scene: Scene, own_nats: NatsServers, program: NumberedProgram
) -> None:
    reports = watched_by_two(scene, program)
    own_nats.kill()
    for number in range(1, N_RUNS + 1):
        program.release(number)
        program.wait_ended(number)
    own_nats.start()
    all_end(reports, program)


def test_a_server_that_stands_still_holds_up_nobody_who_asks(
    scene: Scene, own_nats: NatsServers, program: NumberedProgram
) -> None:
    reports = watched_by_two(scene, program)
    own_nats.stop()
    seconds = []
    for number in range(N_RUNS, N_RUNS + 5):
        before = time.monotonic()
        reports.append(scene.submit(number))
        seconds.append(time.monotonic() - before)
    assert max(seconds) < 1.0  # what any question to the server would take, twice
    own_nats.go_on()
    all_end(reports, program)


def test_a_task_waits_for_a_server(scene: Scene, own_nats: NatsServers, program: NumberedProgram) -> None:
    own_nats.kill()
    reports = scene.submit()
    own_nats.start()
    scene.worker()
    program.release(1)
    assert reports.hear_end() == succeeded()


def test_a_task_does_not_wait_for_a_server_for_ever(scene: Scene, own_nats: NatsServers) -> None:
    own_nats.kill()
    engine = scene.make_engine(give_up=0.5)
    before = scene.now()
    end = scene.submit(engine=engine).hear_end()
    assert (end.returncode, end.error) == (NO_EXIT_STATUS, UNREACHABLE)
    assert scene.now() - before >= 0.5


def test_a_task_does_not_wait_for_a_server_that_stands_still_for_ever(scene: Scene, own_nats: NatsServers) -> None:
    engine = scene.make_engine(give_up=0.5)
    scene.submit(engine=engine)
    eventually(lambda: engine.max_running == 0)
    own_nats.stop()
    assert scene.submit(2, engine).hear_end().error == UNREACHABLE


def test_runs_of_a_stream_that_is_deleted_are_asked_for_again(
    scene: Scene, own_nats: NatsServers, program: NumberedProgram
) -> None:
    reports = watched_by_two(scene, program)
    scene.delete_stream()
    all_end(reports, program)
    eventually(scene.is_idle)


@pytest.fixture
def three(_loop: None, tmp_path: Path) -> Iterator[NatsServers]:
    with NatsServers(tmp_path / "nats", 3) as servers:
        yield servers


@pytest.fixture
def scene_of_three(three: NatsServers, tmp_path: Path, program: NumberedProgram) -> Iterator[Scene]:
    with Scene(tmp_path, three.url, program.path, "test", replicas=3) as scene:
        yield scene


def kill_a_node(servers: NatsServers) -> None:
    """One that leads nothing."""
    follower = next(node for node in range(3) if node != servers.leader())
    servers.kill(follower)
    servers.start(follower)


def lose_a_disk(servers: NatsServers) -> None:
    """Of one that leads nothing: it comes back with nothing."""
    follower = next(node for node in range(3) if node != servers.leader())
    servers.kill(follower)
    servers.forget(follower)
    servers.start(follower)


def kill_the_leader(servers: NatsServers) -> None:
    """The one that decides."""
    leader = servers.leader()
    servers.kill(leader)
    servers.start(leader)


def kill_all(servers: NatsServers) -> None:
    """All three at once."""
    for node in range(3):
        servers.kill(node)
    for node in range(3):
        servers.start(node, wait=False)
    servers.wait_ready()


@pytest.mark.parametrize("kill", [kill_a_node, lose_a_disk, kill_the_leader, kill_all])
def test_of_three_servers_any_may_be_killed(
    scene_of_three: Scene, three: NatsServers, program: NumberedProgram, kill: Callable[[NatsServers], None]
) -> None:
    reports = watched_by_two(scene_of_three, program)
    kill(three)
    reports.append(scene_of_three.submit(N_RUNS))
    all_end(reports, program)
    eventually(scene_of_three.is_idle)
