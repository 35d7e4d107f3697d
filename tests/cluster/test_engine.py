"""Queues of several processes over one cluster: one run, one line, one memory of failures, whoever asks."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import nats as nats_client
import pytest
from cryptography.fernet import Fernet

from tests.cluster.in_process import worker_in_process
from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import WorkerProcess
from tests.conftest import ensure, write_program
from tests.servers.server import TIMEOUT, eventually
from workqueue import OverviewViewParams, QueueFull, WorkQueue
from workqueue.engines.cluster import ClusterEngine
from workqueue.jobs.lifecycle import State
from workqueue.program.command import command_of
from workqueue.progress import CANCELLED
from workqueue.storage.disk import DiskStorage
from workqueue.testing import ScriptedProgram, exit_with, output, print_error, say, wait

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "results")


@pytest.fixture
def cluster_queue(
    nats: NatsServers,  # started before a test's holdings are counted
    make_engine: Callable[..., ClusterEngine],
    program: ScriptedProgram,
    storage: DiskStorage,
) -> Iterator[MakeQueue]:
    """Makes queues, as web servers have one each."""
    queues = []

    def make(path: Path | None = None, engine: dict[str, object] | None = None, **options: object) -> WorkQueue:
        made = WorkQueue(
            path or program.path,
            storage=storage,
            engine=make_engine(**(engine or {})),
            **options,  # type: ignore[arg-type]
        )
        queues.append(made)
        return made

    yield make
    for queue in queues:
        queue.close(0.0)


@pytest.fixture
def worker(nats: NatsServers, cluster: str, program: ScriptedProgram, storage: DiskStorage) -> Iterator[None]:
    with worker_in_process(nats.url, cluster, command_of(program.path), storage, max_running=2):
        yield


_CROWD = """
import sys, threading
from workqueue import WorkQueue
from workqueue.engines.cluster import ClusterEngine
from workqueue.storage import DiskStorage
from workqueue.streams import to_generator
program, results, url, cluster, log = sys.argv[1:]
streams = []
def ask(queue, key):
    job = queue.ensure_run((log, key))
    ends = [p for p in to_generator(job.progress) if p.returncode is not None] if job else ["built"]
    streams.append((key, ends))
with WorkQueue(program, storage=DiskStorage(results), engine=ClusterEngine(url, cluster)) as queue:
    threads = [threading.Thread(target=ask, args=(queue, str(i))) for i in range(10) for _ in range(25)]
    sys.stdin.readline()
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(len(streams), sum(len(ends) == 1 and (ends[0] == "built" or ends[0].returncode == 0) for _, ends in streams))
"""


@pytest.mark.usefixtures("nats")
def test_one_run_for_all_that_ask_in_all_processes(
    nats: NatsServers, cluster: str, start_worker: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    path = write_program(tmp_path / "crowded", 'echo 0.5\necho "$2" >>"$1"\nsleep 0.3\necho built >"$output"')
    results, log = tmp_path / "results", tmp_path / "log"
    for _ in range(2):
        start_worker(path, results, "--max-running", "2")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _CROWD, str(path), str(results), nats.url, cluster, str(log)]
    crowd = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=3 * TIMEOUT)[0].split() for process in crowd]
    assert said == [["250", "250"]] * 4
    assert sorted(log.read_text().split()) == sorted(map(str, range(10)))


@pytest.mark.usefixtures("worker")
def test_a_job_is_shared_and_found_built(cluster_queue: MakeQueue, program: ScriptedProgram) -> None:
    first, second = cluster_queue(), cluster_queue()
    job = ensure(first, "a")
    program.wait_reached("gate")
    other = ensure(second, "a")
    eventually(lambda: other.state is State.RUNNING)
    assert first.is_being_built(("a",))
    assert eventually(lambda: second.is_being_built(("a",)))
    shared = second.statistics().shared
    assert shared is not None
    assert (shared.workers, shared.max_running, shared.running, shared.waiting) == (1, 2, 1, 0)
    program.release("gate")
    assert job.wait(TIMEOUT).returncode == other.wait(TIMEOUT).returncode == 0
    assert other.current_progress == job.current_progress
    assert second.ensure_run(("a",)) is None
    assert len(program.runs) == 1


@pytest.mark.usefixtures("worker")
def test_a_client_that_comes_late_is_told_where_things_stand(
    cluster_queue: MakeQueue, program: ScriptedProgram
) -> None:
    ensure(cluster_queue(), "a")
    program.wait_reached("gate")
    late = ensure(cluster_queue(), "a")
    eventually(lambda: late.current_progress.fraction == 0.5)
    program.release("gate")
    assert late.wait(TIMEOUT).returncode == 0


@pytest.mark.usefixtures("worker")
def test_a_cancel_is_for_all_and_the_next_that_asks_gets_a_new_run(
    cluster_queue: MakeQueue, program: ScriptedProgram
) -> None:
    first, second = cluster_queue(), cluster_queue()
    job, other = ensure(first, "a"), ensure(second, "a")
    program.wait_reached("gate")
    eventually(lambda: job.state is other.state is State.RUNNING)
    job.cancel()
    again = ensure(first, "a")
    assert again is not job
    assert job.wait(TIMEOUT).returncode == other.wait(TIMEOUT).returncode == CANCELLED
    program.wait_reached("gate")
    program.release("gate")
    assert again.wait(TIMEOUT).returncode == 0


def watches(queue: WorkQueue) -> int:
    """How many runs the log says that this process watches. What is cancelled before that ends nothing here."""
    return sum(watched.mark is not None for watched in queue._engine._desk._watched.values())  # type: ignore[attr-defined]


def test_what_waits_can_be_cancelled_without_a_worker(cluster_queue: MakeQueue) -> None:
    first, second = cluster_queue(), cluster_queue()
    job, other = ensure(first, "a"), ensure(second, "a")
    behind = ensure(second, "b")
    eventually(lambda: behind.current_progress.n_ahead_in_queue == 1)
    eventually(lambda: watches(first) == 1)
    eventually(lambda: watches(second) == 2)
    job.cancel()
    assert job.state is State.CANCELLED
    assert other.wait(TIMEOUT).returncode == CANCELLED
    eventually(lambda: behind.current_progress.n_ahead_in_queue == 0)


@pytest.mark.usefixtures("worker")
def test_a_run_is_abandoned_when_nobody_watches_it_anywhere(cluster_queue: MakeQueue, program: ScriptedProgram) -> None:
    first, second, third = cluster_queue(), cluster_queue(), cluster_queue()
    job, other = ensure(first, "a"), ensure(second, "a")
    program.wait_reached("gate")
    eventually(lambda: job.state is other.state is State.RUNNING)
    assert job.abandon(job.n_visits)
    assert job.wait(TIMEOUT).returncode == CANCELLED
    assert other.state is State.RUNNING
    assert other.abandon(other.n_visits)
    assert other.wait(TIMEOUT).returncode == CANCELLED
    again = ensure(third, "a")
    program.wait_reached("gate")
    program.release("gate")
    assert again.wait(TIMEOUT).returncode == 0
    assert len(program.runs) == 2


def test_a_failure_is_remembered_by_all(
    nats: NatsServers, cluster: str, cluster_queue: MakeQueue, storage: DiskStorage, tmp_path: Path
) -> None:
    failing = ScriptedProgram(tmp_path / "failing", say(0.5), print_error("no"), exit_with(3))
    first, second = (cluster_queue(failing.path, failure_ttl=3600.0) for _ in range(2))
    with worker_in_process(nats.url, cluster, command_of(failing.path), storage):
        assert ensure(first, "a").wait(TIMEOUT).returncode == 3
        ensure(second, "b").wait(TIMEOUT)  # by now it has heard of both
        eventually(lambda: second.live_job(("a",)) is None)
        told = eventually(lambda: (job := second.ensure_run(("a",))) and job.state.is_final and job)
        assert told.wait(TIMEOUT).returncode == 3
        assert len(failing.runs) == 2
        refreshed = second.ensure_run(("a",), refresh=True)
        assert refreshed is not None
        assert refreshed.wait(TIMEOUT).returncode == 3
        assert len(failing.runs) == 3


def test_a_line_of_the_whole_cluster_is_full_for_all(cluster_queue: MakeQueue) -> None:
    first, second = (cluster_queue(max_pending=2) for _ in range(2))
    jobs = [ensure(first, "a"), ensure(first, "b")]
    eventually(lambda: sorted(job.current_progress.n_ahead_in_queue for job in jobs) == [0, 1])
    # It knows of no line yet, so it asks.
    assert ensure(second, "c").wait(TIMEOUT).error == "the queue is full; try again later"
    with pytest.raises(QueueFull):
        second.ensure_run(("d",))
    assert ensure(second, "a").state is State.PENDING


@pytest.mark.usefixtures("worker")
def test_what_runs_goes_on_when_a_queue_is_closed(
    cluster_queue: MakeQueue, program: ScriptedProgram, storage: DiskStorage
) -> None:
    first, second = cluster_queue(), cluster_queue()
    job = ensure(first, "a")
    program.wait_reached("gate")
    eventually(lambda: job.state is State.RUNNING)
    first.close(0.0)
    assert "closed" in str(job.wait(TIMEOUT).error)
    other = ensure(second, "a")
    program.release("gate")
    assert other.wait(TIMEOUT).returncode == 0
    assert len(program.runs) == 1


_FORKS = """
import gc, os, sys
from workqueue import WorkQueue
from workqueue.engines.cluster import ClusterEngine
from workqueue.storage import DiskStorage
program, results, url, cluster = sys.argv[1:]
queue = WorkQueue(program, storage=DiskStorage(results), engine=ClusterEngine(url, cluster))
def build(key):
    os.write(1, b"%d\\n" % queue.ensure_run((key,)).wait(20).returncode)
build("parent")
pid = os.fork()
build("child" if pid == 0 else "after")
if pid:
    os.waitpid(pid, 0)
    queue.close()
else:
    queue.close()
    gc.collect()  # what is left of the parent's connection goes without a word
    os._exit(0)
"""


def test_a_forked_child_is_a_process_of_its_own(
    nats: NatsServers, cluster: str, storage: DiskStorage, tmp_path: Path
) -> None:
    quick = ScriptedProgram(tmp_path / "quick", output(b"built"))
    told = [str(quick.path), str(storage.directory), nats.url, cluster]
    with worker_in_process(nats.url, cluster, command_of(quick.path), storage):
        done = subprocess.run(
            # That threads and forks do not go together is what a newer Python warns of, and what is tried here.
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORKS, *told],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            check=False,
            text=True,
            timeout=3 * TIMEOUT,
        )
    assert done.stdout.split() == ["0", "0", "0"], done.stderr
    assert (done.returncode, done.stderr) == (0, "")


def test_a_token_is_nowhere_on_the_server(own_nats: NatsServers, storage: DiskStorage, tmp_path: Path) -> None:
    secret = Fernet.generate_key().decode()
    secretive = ScriptedProgram(tmp_path / "secretive", say(0.5), wait("gate"), output(b"built"))
    params = OverviewViewParams("http://overview.example", "17", "sesame-token")
    engine = ClusterEngine(own_nats.url, secret=secret)
    with WorkQueue(secretive.path, storage=storage, engine=engine, token_in="env") as queue:
        job = queue.ensure_run(params)
        assert job is not None
        eventually(lambda: b"wq.workqueue.s.job." in own_nats.stored())
        with WorkerProcess(secretive.path, own_nats.url, storage.directory, WORKQUEUE_SECRET=secret):
            secretive.wait_reached("gate")
            secretive.release("gate")
            assert job.wait(TIMEOUT).returncode == 0
        assert b"sesame" not in own_nats.stored()
        assert b"overview.example" not in own_nats.stored()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"servers": ""}, "servers must be NATS URLs"),
        ({"name": "a.b"}, "a cluster's name must be"),
        ({"lease": 0.5}, "lease must be"),
        ({"give_up": -1.0}, "give_up must be"),
        ({"secret": "sesame"}, "a secret is 32 random bytes"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ClusterEngine(**{"servers": "nats://localhost", **options})  # type: ignore[arg-type]


def test_tasks_that_will_lie_readable_elsewhere_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "workqueue"):
        ClusterEngine("nats://localhost:4222,nats://127.0.0.1")
        ClusterEngine("nats://queue.example", secret=Fernet.generate_key().decode())
        assert not caplog.text
        ClusterEngine("nats://queue.example")
    assert "give ClusterEngine and workers a secret" in caplog.text


@pytest.mark.usefixtures("nats")
def test_without_a_server_nothing_waits_and_what_was_asked_for_fails_in_the_end(
    tmp_path: Path, storage: DiskStorage
) -> None:
    queue = WorkQueue(tmp_path / "program", storage=storage, engine=ClusterEngine("nats://127.0.0.1:1", give_up=0.2))
    with queue:
        job = ensure(queue, "a")
        assert job.wait(TIMEOUT).error == "The cluster cannot be reached; try again later."
        assert queue.statistics().shared is None


@pytest.mark.usefixtures("worker")
def test_an_observer_that_blocks_stops_nobodys_beat(cluster_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = cluster_queue()
    job = ensure(queue, "a")
    blocked, go_on = threading.Event(), threading.Event()

    def block(_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            blocked.set()
            go_on.wait(TIMEOUT)

    program.wait_reached("gate")
    job.progress.subscribe(block)
    program.release("gate")
    assert blocked.wait(TIMEOUT)
    other = ensure(cluster_queue(), "b")
    program.wait_reached("gate")
    program.release("gate")
    assert other.wait(TIMEOUT).returncode == 0
    go_on.set()
    assert job.wait(TIMEOUT).returncode == 0


def test_a_worker_that_stops_gives_back_what_it_has(
    nats: NatsServers, cluster: str, cluster_queue: MakeQueue, program: ScriptedProgram, storage: DiskStorage
) -> None:
    job = ensure(cluster_queue(), "a")
    with worker_in_process(nats.url, cluster, command_of(program.path), storage):
        program.wait_reached("gate")
        eventually(lambda: job.state is State.RUNNING)
    assert job.state is State.PENDING
    with worker_in_process(nats.url, cluster, command_of(program.path), storage):
        program.wait_reached("gate")
        program.release("gate")
        assert job.wait(TIMEOUT).returncode == 0
    assert len(program.runs) == 2


def test_a_worker_whose_storage_cannot_be_told_goes_on_when_it_can(
    nats: NatsServers,
    cluster: str,
    cluster_queue: MakeQueue,
    program: ScriptedProgram,
    storage: DiskStorage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = cluster_queue()
    job = ensure(queue, "a")
    eventually(lambda: watches(queue) == 1)
    name = storage.directory / ".identity"
    good = name.read_bytes()
    name.write_bytes(b"damaged")
    with worker_in_process(nats.url, cluster, command_of(program.path), storage, lease=1.0):
        eventually(lambda: "Cannot tell which storage" in caplog.text)
        name.write_bytes(good)
        program.wait_reached("gate", TIMEOUT)
        program.release("gate")
        assert job.wait(TIMEOUT).returncode == 0


def test_a_log_that_is_lost_is_made_anew(own_nats: NatsServers, program: ScriptedProgram, storage: DiskStorage) -> None:
    async def delete() -> None:
        client = await nats_client.connect(own_nats.url)
        await client.jetstream().delete_stream("wq-workqueue")
        await client.close()

    engine = ClusterEngine(own_nats.url, lease=1.0)
    with (
        worker_in_process(own_nats.url, "workqueue", command_of(program.path), storage, lease=1.0),
        WorkQueue(program.path, storage=storage, engine=engine) as queue,
    ):
        job = ensure(queue, "a")
        program.wait_reached("gate")
        asyncio.run(delete())
        program.wait_reached("gate", TIMEOUT)
        program.release("gate", 2)
        assert job.wait(TIMEOUT).returncode == 0
