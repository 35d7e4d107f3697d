"""Many runs of a cluster, asked for by several processes, while workers and servers are killed or stand still.

When it is over, each process that asked has had exactly one end of each run, the result; of each attempt the fractions
in order; and nothing is left: no run in any view, no file of a run.
"""

import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.cluster.nats_servers import NatsServers
from tests.cluster.scene import Scene
from tests.cluster.workers import WorkerProcess
from tests.processes.worker import Worker
from tests.servers.server import eventually
from workqueue.naming import Naming

_PROGRAM = """#!/bin/sh
exec '{python}' -I -S '{script}' "$@"
"""
_SCRIPT = """
import os, sys, time
key, output = sys.argv[1], sys.argv[-1]
for i in range(10):
    print(i / 10, i, sep="\\t", flush=True)
    time.sleep(0.02)
with open(output, "w") as file:
    file.write(key)
"""

#: How long the whole may take; a run that hangs hangs for ever.
PATIENCE = 240.0


class Storm:
    """A cluster, its workers, and the processes that ask; as a context manager all end at the end.

    Args:
        directory: an empty one.
        seed: of the choice of whom to kill, and when.
        n_jobs: how many keys.
        n_nodes: how many servers.
        lease: of all.
        say: told what is done to whom.
    """

    N_PROCESSES = 3
    N_WORKERS = 3

    def __init__(
        self,
        directory: Path,
        seed: int,
        n_jobs: int,
        *,
        n_nodes: int = 1,
        lease: float = 2.0,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._random = random.Random(seed)
        self._keys = [f"key-{number}" for number in range(n_jobs)]
        self._say = say
        self._stack = ExitStack()
        self._servers = NatsServers(directory / "nats", n_nodes)
        self._replicas = n_nodes
        self._lease = lease
        self._began = time.monotonic()
        #: What was wrong, and how much of it.
        self.wrong: Counter[str] = Counter()
        #: What was done, and what came of it.
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "Storm":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._servers)
            program = self._write_program()
            self._scene = stack.enter_context(
                Scene(self._directory, self._servers.url, program, "storm", lease=self._lease, replicas=self._replicas)
            )
            self._workers = [self._start_worker() for _ in range(self.N_WORKERS)]
            self._processes = [stack.enter_context(self._start_process(program)) for _ in range(self.N_PROCESSES)]
            for process in self._processes:
                process.hear("", lambda what: what == "ready")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def ask(self) -> None:
        """Have all processes ask for all keys, each in an order of its own."""
        for process in self._processes:
            for key in self._random.sample(self._keys, len(self._keys)):
                process.tell("ask", key)

    def harm_worker(self, seconds: float) -> None:
        """Within so long, kill a worker and start another, or let one stand still for more than its lease."""
        time.sleep(self._random.uniform(0, seconds))  # an injection at random, not an order of things
        number = self._random.randrange(self.N_WORKERS)
        worker = self._workers[number]
        if self._random.random() < 2 / 3:
            self._tell(f"worker {number} is killed")
            worker.kill()
            self._workers[number] = self._start_worker()
        else:
            self._tell(f"worker {number} stands still")
            worker.stop()
            time.sleep(self._lease * 1.6)
            worker.go_on()

    def kill_servers(self, *nodes: int) -> None:
        """Kill these, and start them again."""
        self._tell(f"servers {nodes} are killed")
        for node in nodes:
            self._servers.kill(node)
        for node in nodes:
            self._servers.start(node, wait=False)
        self._servers.wait_ready()

    def kill_leader(self) -> None:
        """Kill the server that decides, and start it again."""
        self.kill_servers(self._servers.leader())

    def stop_leader(self, seconds: float) -> None:
        """Let the server that decides stand still."""
        leader = self._servers.leader()
        self._tell(f"server {leader} stands still")
        self._servers.stop(leader)
        time.sleep(seconds)
        self._servers.go_on(leader)

    def finish(self) -> None:
        """Wait for all ends, and count what is wrong."""
        deadline = time.monotonic() + PATIENCE
        for process in self._processes:
            for key in self._keys:
                self._check(process, key, deadline)
        naming = Naming("program")
        for key in self._keys:
            path = self._scene.storage.directory / naming.key((key,))
            self.wrong["results"] += not path.exists() or path.read_text() != key
        try:
            eventually(self._scene.is_idle)
        except AssertionError:
            self.wrong["runs left"] += 1
            view = self._scene.engine._desk.member.view
            self._tell(f"left: {[(run.number, run.own) for run in view.runs.values()]}")
        self._stop_workers()
        temporary = self._scene.storage.directory / ".tmp"
        self.wrong["files left"] += len(list(temporary.iterdir())) if temporary.exists() else 0
        self.counts["seconds"] = round(time.monotonic() - self._began)

    def _check(self, process: Worker, key: str, deadline: float) -> None:
        """Look at all that a process was told of a key."""
        while not self._has_end(process, key):
            if time.monotonic() > deadline:
                self.wrong["no end"] += 1
                self._tell(f"{key} has no end: {process.said(key)[-3:]}")
                return
        said = process.said(key)
        ends = [what for what in said if _is_end(what)]
        self.counts["ends"] += len(ends)
        if ends == ["built"]:
            self.counts["built already"] += 1
            return
        if [end[3:] for end in ends] != [[0, None]] or said[-1] is not ends[0]:
            self.wrong["ends"] += 1
            self._tell(f"{key}: {ends}")
        self._check_order(key, said[:-1])

    def _has_end(self, process: Worker, key: str) -> bool:
        """Whether it is told of an end soon."""
        self._start_again()
        try:
            process.hear(key, _is_end, seconds=2.0)
        except AssertionError:
            return False
        return True

    def _start_again(self) -> None:
        """Start those workers again, as a service's manager does, that found no server when they began."""
        for number, worker in enumerate(self._workers):
            if worker.process.poll() == 2:
                self._tell(f"worker {number} found no server, and is started again")
                self._workers[number] = self._start_worker()

    def _are_all_known(self) -> bool:
        self._start_again()
        return all(map(self._scene.knows, self._workers))

    def _check_order(self, key: str, said: list[Any]) -> None:
        last = -1.0
        for n_ahead, fraction, message, _, _ in said:
            # One that waits again begins anew; a place may be 0 when it is the only one there is.
            if message is None or n_ahead:
                self.counts["begun again"] += last >= 0
                last = -1.0
            elif fraction <= last:
                self.wrong["order"] += 1
                self._tell(f"{key}: {said}")
                return
            else:
                last = fraction

    def _stop_workers(self) -> None:
        # One that has just been started does not hear yet that it is to stop, and ends as any process does.
        eventually(self._are_all_known)
        for worker in self._workers:
            worker.terminate()
        for number, worker in enumerate(self._workers):
            if worker.wait() != 0:
                self.wrong["workers' status"] += 1
                self._tell(f"worker {number} ended with {worker.process.returncode}: {worker.output}")

    def _start_worker(self) -> WorkerProcess:
        self.counts["workers"] += 1
        return self._scene.worker(max_running=2, wait=False)

    def _start_process(self, program: Path) -> Worker:
        cluster = {
            "servers": self._servers.url,
            "name": "storm",
            "lease": self._lease,
            "replicas": self._replicas,
        }
        return Worker(program, self._scene.storage.directory, cluster=cluster)

    def _write_program(self) -> Path:
        program, script = self._directory / "program", self._directory / "program.py"
        script.write_text(_SCRIPT)
        program.write_text(_PROGRAM.format(python=sys.executable, script=script))
        program.chmod(0o755)
        return program

    def _tell(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:5.1f} s: {what}")


def _is_end(what: object) -> bool:
    return what == "built" or (isinstance(what, list) and what[3] is not None)
