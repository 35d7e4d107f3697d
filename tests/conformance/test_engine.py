"""What every engine promises: threads of this process, all processes of a host, all hosts of a cluster."""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cluster.in_process import worker_in_process
from tests.cluster.nats_servers import NatsServers
from tests.servers.server import TIMEOUT, eventually
from workqueue.engines.base import Engine, Task, Ticket
from workqueue.engines.cluster import ClusterEngine
from workqueue.engines.host.engine import HostEngine
from workqueue.engines.local.engine import LocalEngine
from workqueue.program.command import Command, command_of
from workqueue.program.limits import Limits
from workqueue.program.retry import Retry
from workqueue.progress import CANCELLED, NO_EXIT_STATUS, Cancelling, Progress, WaitsAgain
from workqueue.storage.disk import DiskStorage
from workqueue.system.poll import make_poll

MAX_RUNNING = 2

#: What it does is its first argument; the second names a gate.
_PROGRAM = r"""#!/bin/sh
for output; do :; done
gate() { echo . >"$1.reached"; read -r _ <"$1.release"; }
case "$1" in
    build) echo 0.5; echo built >"$output";;
    wait) echo 0.5; gate "$2"; echo built >"$output";;
    fail) echo no >&2; exit 3;;
    nothing) ;;
    token) printf %s "$WORKQUEUE_API_TOKEN" >"$output";;
    tell) echo "it is sesame" >&2; exit 1;;
    stubborn) trap 'gate "$2.end"; exit 1' TERM; echo 0.5; echo . >"$2.reached"; while :; do sleep 0.05; done;;
    later) if [ -e "$2" ]; then echo built >"$output"; else touch "$2"; echo "not yet" >&2; exit 75; fi;;
esac
"""

_numbers = itertools.count(1)


class Gate:
    """Where a program stops, until it may go on."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._fds = []
        for name in (f"{path}.reached", f"{path}.release"):
            os.mkfifo(name)
            self._fds.append(os.open(name, os.O_RDWR | os.O_NONBLOCK))  # so that nobody waits for the other to open it

    def wait_reached(self) -> None:
        """Until a program is there."""
        poll = make_poll()
        poll.register(self._fds[0])
        assert poll.poll(TIMEOUT * 1000), f"no program has come to {self.path}"
        os.read(self._fds[0], 2)

    def release(self) -> None:
        """Let one program go on, now or when it comes."""
        os.write(self._fds[1], b".\n")

    def close(self) -> None:
        """Nobody comes any more."""
        for fd in self._fds:
            os.close(fd)


class Said:
    """What an engine reports of one task."""

    def __init__(self) -> None:
        self.reports: list[Progress | WaitsAgain] = []
        self.began = threading.Event()
        self.ended = threading.Event()
        self.overlaps = 0
        self.ticket: Ticket | None = None
        self._lock = threading.Lock()

    def __call__(self, report: Progress | WaitsAgain | Cancelling) -> None:
        if isinstance(report, Cancelling):
            return
        if not self._lock.acquire(blocking=False):
            self.overlaps += 1
            return
        self.reports.append(report)
        self._lock.release()
        self.began.set()
        if isinstance(report, Progress) and report.returncode is not None:
            self.ended.set()

    def outcome(self) -> Progress:
        assert self.ended.wait(TIMEOUT), f"no end after {self.reports}"
        last = self.reports[-1]
        assert isinstance(last, Progress)
        return last

    def n_ahead(self) -> int:
        assert self.ticket is not None
        return self.ticket.n_ahead()

    def cancel(self) -> None:
        assert self.ticket is not None
        self.ticket.cancel()


class Place(NamedTuple):
    """Where tasks run in one test."""

    engine: Engine
    storage: DiskStorage
    command: Command
    directory: Path
    gates: list[Gate]

    def task(self, *arguments: str, key: str | None = None, **more: object) -> Task:
        name = {"name": "program"}
        return Task(key or f"{next(_numbers):040x}", self.command, arguments, self.storage, **name, **more)  # type: ignore[arg-type]

    def submit(self, task: Task, report: Callable[[Progress | WaitsAgain | Cancelling], None] | None = None) -> Said:
        said = Said()
        said.ticket = self.engine.submit(task, report or said)
        return said

    def go(self, *arguments: str, **more: object) -> Said:
        return self.submit(self.task(*arguments, **more))  # type: ignore[arg-type]

    def gate(self) -> Gate:
        self.gates.append(Gate(self.directory / f"gate-{next(_numbers)}"))
        return self.gates[-1]

    def occupy(self) -> tuple[Gate, list[Said]]:
        """As many tasks as can run, which run, and where they stop."""
        gate = self.gate()
        all_said = [self.go("wait", gate.path) for _ in range(MAX_RUNNING)]
        for said in all_said:
            gate.wait_reached()
            assert said.began.wait(TIMEOUT)
        return gate, all_said


# Of a module: a server that is started for a test would be counted as what the test left behind.
@pytest.fixture(scope="module", params=["local", "host", "cluster"])
def reach(request: pytest.FixtureRequest) -> NatsServers | str:
    return request.getfixturevalue("nats") if request.param == "cluster" else request.param


@pytest.fixture
def place(reach: NatsServers | str, cluster: str, tmp_path: Path) -> Iterator[Place]:
    program = tmp_path / "program"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    storage, command = DiskStorage(tmp_path / "results"), command_of(program)
    gates: list[Gate] = []
    with contextlib.ExitStack() as stack:
        engine: Engine
        if reach == "local":
            engine = LocalEngine(max_running=MAX_RUNNING)
        elif isinstance(reach, str):
            engine = HostEngine(tmp_path / "results" / ".jobs", max_running=MAX_RUNNING)
        else:
            stack.enter_context(worker_in_process(reach.url, cluster, command, storage, max_running=MAX_RUNNING))
            engine = ClusterEngine(reach.url, cluster)
        stack.callback(lambda: [gate.close() for gate in gates])
        stack.callback(engine.close, 0.0)
        yield Place(engine, storage, command, tmp_path, gates)


def test_a_task_begins_and_has_one_end(place: Place) -> None:
    said = place.go("build")
    assert said.outcome() == Progress(fraction=1.0, returncode=0)
    assert all(isinstance(report, Progress) and report.returncode is None for report in said.reports[:-1])
    assert said.reports[0] in (Progress(), Progress(fraction=0.5))
    assert said.overlaps == 0


def test_the_result_is_there_when_the_end_is_reported(place: Place) -> None:
    task = place.task("build")
    seen: list[bool] = []
    said = Said()

    def report(report: Progress | WaitsAgain | Cancelling) -> None:
        if isinstance(report, Progress) and report.returncode is not None:
            seen.append(place.storage.has(task.key))
        said(report)

    place.submit(task, report)
    said.outcome()
    assert seen == [True]


def test_a_program_that_fails(place: Place) -> None:
    assert place.go("fail").outcome() == Progress(fraction=1.0, returncode=3, error="Exited with code 3\nstderr:\nno\n")


def test_a_program_that_builds_nothing(place: Place) -> None:
    assert place.go("nothing").outcome().returncode == NO_EXIT_STATUS


def test_a_program_that_is_not_there(place: Place) -> None:
    if isinstance(place.engine, ClusterEngine):
        pytest.skip("the program is the worker's, which does not start without it")
    task = place.task("build")._replace(command=command_of(place.directory / "nothing"))
    assert "Cannot start" in str(place.submit(task).outcome().error)


def test_places(place: Place) -> None:
    gate, running = place.occupy()
    waiting = [place.go("build") for _ in range(3)]
    eventually(lambda: [said.n_ahead() for said in waiting] == [2, 3, 4])
    assert [said.n_ahead() for said in running] == [0, 0]
    for _ in running:
        gate.release()
    for said in (*running, *waiting):
        assert said.outcome().returncode == 0
        assert said.n_ahead() == 0


def test_tenants_take_turns(place: Place) -> None:
    gate, _ = place.occupy()
    began: list[str] = []
    all_said = []
    turns = place.gate()
    for tenant in "xxxyy":
        said = Said()

        def report(report: Progress | WaitsAgain | Cancelling, said: Said = said, tenant: str = tenant) -> None:
            if not said.reports:
                began.append(tenant)
            said(report)

        said.ticket = place.engine.submit(place.task("wait", turns.path, tenant=tenant), report)
        all_said.append(said)
        eventually(lambda: all_said[-1].n_ahead() >= MAX_RUNNING)
    for _ in range(MAX_RUNNING):
        gate.release()
    for n_begun in range(1, len(all_said) + 1):
        turns.wait_reached()
        eventually(lambda: len(began) >= min(n_begun, len(all_said)))  # noqa: B023
        turns.release()
    for said in all_said:
        said.outcome()
    assert sorted(began[:2]) == sorted(began[2:4]) == ["x", "y"]


def test_a_task_that_waits_is_cancelled_at_once(place: Place) -> None:
    gate, running = place.occupy()
    said = place.go("build")
    said.cancel()
    assert [report.returncode for report in said.reports if isinstance(report, Progress)] == [CANCELLED]
    said.cancel()
    for _ in running:
        gate.release()
    assert [other.outcome().returncode for other in running] == [0, 0]
    running[0].cancel()
    assert len(said.reports) == 1
    assert running[0].outcome().returncode == 0


def test_a_task_that_runs_is_stopped(place: Place) -> None:
    gate = place.gate()
    said = place.go("wait", gate.path)
    gate.wait_reached()
    assert said.began.wait(TIMEOUT)
    said.cancel()
    assert said.outcome().returncode == CANCELLED


def test_a_task_waits_for_the_end_of_a_cancelled_one_of_its_key(place: Place) -> None:
    gate, key = place.gate(), "a" * 40
    end = Gate(Path(f"{gate.path}.end"))
    place.gates.append(end)
    first = place.go("stubborn", gate.path, key=key)
    gate.wait_reached()
    assert first.began.wait(TIMEOUT)
    first.cancel()
    end.wait_reached()
    second = place.go("wait", gate.path, key=key)
    assert not first.ended.is_set()
    end.release()
    assert first.outcome().returncode == CANCELLED
    gate.wait_reached()
    gate.release()
    assert second.outcome().returncode == 0


def test_moves_are_told(place: Place) -> None:
    moves = threading.Event()
    place.engine.call_when_moved(moves.set)
    gate, running = place.occupy()
    turns = place.gate()
    waiting = [place.go("wait", turns.path) for _ in range(3)]
    eventually(lambda: waiting[-1].n_ahead() == 4)
    moves.clear()
    gate.release()
    assert moves.wait(TIMEOUT)
    gate.release()
    for _ in waiting:
        turns.release()
    for said in (*running, *waiting):
        said.outcome()


def test_a_refresh_builds_what_is_there(place: Place) -> None:
    task = place.task("build")
    place.submit(task).outcome()
    with place.storage.open_with_info(task.key) as before:
        pass
    place.submit(task).outcome()
    with place.storage.open_with_info(task.key) as same:
        pass
    place.submit(task._replace(is_refresh=True)).outcome()
    with place.storage.open_with_info(task.key) as after:
        pass
    assert before.info.etag == same.info.etag != after.info.etag


def test_a_limit_is_kept(place: Place) -> None:
    gate = place.gate()
    assert "time limit" in str(place.go("wait", gate.path, limits=Limits(time=0.3)).outcome().error)


def test_a_token_is_in_the_programs_environment(place: Place) -> None:
    task = place.task("token", environment=(("WORKQUEUE_API_TOKEN", "sesame"),))
    assert place.submit(task).outcome().returncode == 0
    with place.storage.open(task.key) as path:
        assert path.read_text() == "sesame"


def test_no_secret_is_repeated(place: Place) -> None:
    assert "sesame" not in str(place.go("tell", secrets=("sesame",)).outcome().error)


def test_a_program_may_ask_to_be_run_later(place: Place) -> None:
    said = place.go("later", str(place.directory / "mark"), retry=Retry(1, 0.1))
    assert said.outcome().returncode == 0
    assert any(isinstance(report, WaitsAgain) for report in said.reports)


def test_two_tasks_of_one_key(place: Place) -> None:
    gate, key = place.gate(), "b" * 40
    both = [place.go("wait", gate.path, key=key) for _ in range(2)]
    gate.wait_reached()
    gate.release()
    assert [said.outcome().returncode for said in both] == [0, 0]


def test_an_engine_that_is_closed_takes_nothing(place: Place) -> None:
    place.engine.close()
    said = place.go("build")
    assert said.outcome().returncode == NO_EXIT_STATUS


def test_close_waits_for_what_runs_and_ends_what_waits(place: Place) -> None:
    gate, running = place.occupy()
    waiting = place.go("build")
    eventually(lambda: waiting.n_ahead() == MAX_RUNNING)
    closing = threading.Thread(target=place.engine.close)
    closing.start()
    assert waiting.outcome().returncode == NO_EXIT_STATUS
    assert not any(said.ended.is_set() for said in running)
    for _ in running:
        gate.release()
    closing.join(TIMEOUT)
    assert [said.outcome().returncode for said in running] == [0, 0]


def test_close_may_finish_what_waits(place: Place) -> None:
    gate, running = place.occupy()
    waiting = [place.go("build") for _ in range(3)]
    eventually(lambda: waiting[-1].n_ahead() == 4)
    closing = threading.Thread(target=lambda: place.engine.close(finish_pending=True))
    closing.start()
    for _ in running:
        gate.release()
    closing.join(TIMEOUT)
    assert [said.outcome().returncode for said in (*running, *waiting)] == [0] * 5


def test_close_without_time_ends_the_reports(place: Place) -> None:
    gate = place.gate()
    said = place.go("wait", gate.path)
    gate.wait_reached()
    assert said.began.wait(TIMEOUT)
    place.engine.close(0.0)
    assert said.ended.is_set()
    assert "closed while this job ran" in str(said.outcome().error)


def test_how_many_run_at_once(place: Place) -> None:
    place.go("build").outcome()
    assert place.engine.max_running == MAX_RUNNING
