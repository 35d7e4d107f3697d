"""Three processes that share a storage, told what to do, and compared with the model after each step.

Nothing here waits for time to pass. What is to happen is awaited (a program connects, a client hears, a process is
gone), and what a process may have to read yet is read when it answers `look`.
"""

import contextlib
import os
import select
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.processes.gated_program import TIMEOUT, Gate, GatedProgram, run_of
from tests.processes.model import CANCELLED, Job, Model, Run
from tests.processes.worker import Worker
from workqueue.naming import Naming

N_PROCESSES = 3
KEYS = ("a", "b", "c")

#: How the queues name results.
_NAMING = Naming("program")

_SCRIPT = Path(__file__).with_name("walk_process.py")


class Walkers:
    """The program, and the processes, which are used for one walk after the other; a context manager.

    Args:
        directory: an empty one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.program = GatedProgram(directory)
        self.counts: Counter[str] = Counter()
        self.workers: list[WalkWorker] = []
        self._stack = ExitStack()
        self._n_names = 0

    def __enter__(self) -> "Walkers":
        self.workers = [self.make(process) for process in range(N_PROCESSES)]
        return self

    def __exit__(self, *_: object) -> None:
        self.program.close()
        self._stack.close()

    def make(self, process: int) -> "WalkWorker":
        """Start a process that has no queue yet."""
        return self._stack.enter_context(WalkWorker(self.program.path, self.directory, process))

    def renew(self) -> None:
        """After a walk that went wrong: whatever they were about, have new ones."""
        for worker in self.workers:
            worker.replace()
        while not self.program.is_idle:
            self.program.next_run().close()

    def name(self, what: str) -> str:
        """A name that nothing had before."""
        self._n_names += 1
        return f"{what}-{self._n_names}"


class WalkWorker(Worker):
    """A process of the walk, which has another in its place as soon as it is killed."""

    def __init__(self, program: Path, directory: Path, process: int) -> None:
        super().__init__(program, directory, script=_SCRIPT, process=str(process))
        self._pid: int = self.hear("", lambda what: True)

    @property
    def pid(self) -> int:
        """See `Worker`."""
        return self._pid

    def replace(self) -> None:
        """Kill it, as SIGKILL does, and have another."""
        n_said = len(self.said(""))
        os.kill(self._pid, signal.SIGKILL)
        self._pid = self.hear("", lambda what: True, after=n_said)


class Walk:
    """One walk, in a storage of its own. Each public method but `finish` is a step, checked when it is done."""

    def __init__(self, walkers: Walkers) -> None:
        self._walkers = walkers
        self._program = walkers.program
        self._workers = walkers.workers
        self._counts = walkers.counts
        self._storage = walkers.directory / walkers.name("storage")
        self._model = Model(range(N_PROCESSES))
        self._gates: dict[str, Gate] = {}
        self._dying: dict[str, Gate] = {}
        self._clients: dict[str, int] = {}
        self._checked: set[str] = set()
        self._open: dict[str, tuple[int, int]] = {}
        self._is_broken = False
        self._counts["walks"] += 1
        for process in range(N_PROCESSES):
            self._call(process, "start", str(self._storage))

    # Steps

    def ask(self, process: int, key: str, *, refresh: bool) -> None:
        """A client asks."""
        with self._step("refresh" if refresh else "ask"):
            self._hear_answers([self._tell_ask(process, key, refresh=refresh)])

    def rush(self, key: str, *, refresh: bool) -> None:
        """A client asks in each process, at the same moment."""
        with self._step("rush"):
            self._hear_answers([self._tell_ask(process, key, refresh=refresh) for process in range(N_PROCESSES)])

    def end(self, which: int, how: str) -> None:
        """A program builds, fails by itself, or is killed."""
        run = self._nth_run(which)
        if run is None:
            self._ask_instead(which)
            return
        with self._step(f"program: {how}"):
            self._order(run, how)

    def cancel(self, which: int) -> None:
        """A client cancels the job that it watches."""
        clients = [client for job in self._model.jobs for client in job.clients]
        if not clients:
            self._ask_instead(which)
            return
        client = clients[which % len(clients)]
        with self._step("cancel"):
            run = self._model.cancel(client)
            assert self._call(self._clients[client], "cancel", client)
            if run is not None:
                self._gates[run.key].wait_told_to_stop()

    def cancel_at_its_end(self, which: int) -> None:
        """A client cancels at the moment in which the program has built: all are told the one, or all the other."""
        jobs = [job for job in self._model.jobs if job.run is not None and not job.run.is_cancelled]
        if not jobs:
            self._ask_instead(which)
            return
        job = jobs[which % len(jobs)]
        with self._step("cancel at its end"):
            run, client = job.run, job.clients[0]
            assert run is not None
            self._gates[run.key].order("build", run.number)
            self._call(job.process, "cancel", client)
            if self._workers[job.process].hear_end(client) == 0:
                self._model.succeed(run)
            else:
                run.is_cancelled = True
                self._model.fail(run, CANCELLED)
            self._dying[run.key] = self._gates.pop(run.key)

    def delete(self, process: int, key: str) -> None:
        """A result is deleted."""
        with self._step("delete"):
            was_built = self._model.built.pop(key, None) is not None
            assert self._call(process, "delete", key) is was_built

    def open(self, process: int, key: str) -> None:
        """A result is opened."""
        with self._step("open"):
            name = self._walkers.name("open")
            built = self._model.built.get(key, "no result")
            assert self._call(process, "open", name, key) == built
            if isinstance(built, int):
                self._open[name] = (process, built)

    def shut(self, which: int) -> None:
        """A result that is open is read to its end, whatever has become of it meanwhile."""
        if not self._open:
            return
        with self._step("shut"):
            self._shut(list(self._open)[which % len(self._open)])

    def close(self, process: int, how: str) -> None:
        """A queue is closed without time to drain; its program dies, or is just done."""
        if process in self._model.closed:
            return
        with self._step(f"close: {how}"):
            self._close(process, how)

    def drain(self, process: int) -> None:
        """A queue is closed, and what it runs and follows may end."""
        if process in self._model.closed:
            return
        with self._step("drain"):
            reply = self._tell(process, "close", 60 * TIMEOUT)
            self._model.closed.add(process)
            self._model.refuse(process)
            self._hear_ends()
            for key in [job.key for job in self._model.jobs if job.process == process]:
                self._order(self._model.runs[key], "build")
            left = self._hear(process, reply)
        assert left == [], left

    def reopen(self, process: int) -> None:
        """A queue that was closed is made anew."""
        if process not in self._model.closed:
            return
        with self._step("reopen"):
            self._model.closed.remove(process)
            self._call(process, "start", str(self._storage))

    def kill(self, process: int) -> None:
        """A process is killed, and started anew."""
        with self._step("kill"):
            run = self._model.kill(process)
            self._kill(process)
            if run is not None:
                self._dying[run.key] = self._gates.pop(run.key)

    def kill_at_its_end(self, which: int) -> None:
        """A process is killed at the moment in which its program has built: there is a result, or the run is lost.

        Not with others that follow it: whether they still hear of its end, or build once more, nobody can say.
        """
        run = self._nth_run(which)
        if run is None or any(job.run is run and job.process != run.process for job in self._model.jobs):
            self._ask_instead(which)
            return
        with self._step("kill at its end"):
            self._gates[run.key].order("build", run.number)
            self._kill(run.process)
            path = self._storage / _NAMING.key((run.key,))
            is_built = path.exists() and run_of(run.key, path.read_bytes()) == run.number
            self._counts["built when killed"] += is_built
            self._dying[run.key] = self._gates.pop(run.key)
            if is_built:
                self._model.succeed(run)
            self._model.kill(run.process)

    def finish(self) -> None:
        """Let all end, close all, and see that nothing is left."""
        if self._is_broken:
            for gate in [*self._gates.values(), *self._dying.values()]:
                gate.close()
            self._walkers.renew()
            return
        with self._step("finish"):
            for run in list(self._model.runs.values()):
                self._order(run, "build")
            self._settle()
            while self._model.runs:
                self._order(next(iter(self._model.runs.values())), "build")
                self._settle()
            for name in list(self._open):
                self._shut(name)
            for process in range(N_PROCESSES):
                if process not in self._model.closed:
                    self._close(process, "die")
        for worker in self._workers:
            assert worker.children() == {}
        left = sorted(path.name for path in self._storage.glob("*") if not path.name.startswith("."))
        assert left == sorted(_NAMING.key((key,)) for key in self._model.built)

    # How they are made

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._counts[name] += 1
        self._counts["steps"] += 1
        try:
            yield
            self._settle()
            self._check()
        except BaseException:
            self._is_broken = True
            raise

    def _ask_instead(self, which: int) -> None:
        """There is nothing to do it to; so that there is next time."""
        self.ask(which % N_PROCESSES, KEYS[which // N_PROCESSES % len(KEYS)], refresh=True)

    def _tell(self, process: int, action: str, *arguments: object) -> str:
        reply = self._walkers.name("reply")
        # An action that is about a name of ours is answered under another.
        self._workers[process].tell(action, [reply, *arguments])
        return reply

    def _hear(self, process: int, reply: str) -> Any:
        return self._workers[process].hear(reply, lambda _: True)

    def _call(self, process: int, action: str, *arguments: object) -> Any:
        return self._hear(process, self._tell(process, action, *arguments))

    def _tell_ask(self, process: int, key: str, *, refresh: bool) -> tuple[int, str, str]:
        client = self._walkers.name("client")
        self._clients[client] = process
        answer = self._model.ask(process, key, client, refresh=refresh)
        return process, self._tell(process, "ask", client, key, refresh), answer

    def _hear_answers(self, asked: list[tuple[int, str, str]]) -> None:
        for process, reply, answer in asked:
            assert self._hear(process, reply) == answer

    def _nth_run(self, which: int) -> Run | None:
        runs = sorted(self._model.runs.values(), key=lambda run: run.key)
        return runs[which % len(runs)] if runs else None

    def _order(self, run: Run, how: str) -> None:
        gate = self._dying[run.key] = self._gates.pop(run.key)
        if how == "build":
            gate.order("build", run.number)
            self._model.succeed(run)
        elif how == "fail":
            gate.order("fail", 3)
            self._model.fail(run, 3)
        else:
            gate.kill()
            self._model.fail(run, -9)

    def _close(self, process: int, how: str) -> None:
        run = self._model.close(process)
        reply = self._tell(process, "close", 0.0)
        if run is not None:
            gate = self._gates[run.key]
            if not run.is_cancelled:  # else it was told
                gate.wait_told_to_stop()
            if how == "build":
                self._order(run, "build")
            else:
                gate.order("die")
                self._dying[run.key] = self._gates.pop(run.key)
                self._model.stopped(run)
        self._hear_ends()
        left = self._hear(process, reply)
        assert left == [], left

    def _kill(self, process: int) -> None:
        """Kill it, and wait until its warden has done what it has to do."""
        worker = self._workers[process]
        self._open = {name: of for name, of in self._open.items() if of[0] != process}
        self._clients = {client: of for client, of in self._clients.items() if of != process}
        warden = worker.warden
        gone = None if warden is None else os.pidfd_open(warden)
        worker.replace()
        if gone is not None:
            assert select.select([gone], [], [], TIMEOUT)[0]
            os.close(gone)
        self._call(process, "start", str(self._storage))

    def _shut(self, name: str) -> None:
        process, built = self._open.pop(name)
        assert self._call(process, "shut", name) == built

    # What holds after each

    def _settle(self) -> None:
        """Let everything happen that happens now, and nothing else."""
        while True:
            self._model.take_turns()
            may_begin = self._model.may_begin()
            if not may_begin:
                break
            gate = self._program.next_run()
            self._counts["programs"] += 1
            assert (gate.process, gate.key) in may_begin
            before = self._dying.get(gate.key)
            assert before is None or not before.is_running, "two programs of one key"
            run = self._model.begin(gate.process, gate.key)
            self._gates[gate.key] = gate
            gate.order("say", f"run-{run.number}")
        while self._dying:
            self._dying.popitem()[1].wait_ended()
        for job in self._model.jobs:
            if job.run is not None:
                self._hear_run(job, job.run)
        self._hear_ends()

    def _hear_run(self, job: Job, run: Run) -> None:
        for client in job.clients:
            self._workers[job.process].hear(client, lambda what: what != "completed" and what[2] == f"run-{run.number}")

    def _hear_ends(self) -> None:
        """All that the model says have ended hear it, and what it says."""
        for client in self._model.ended.keys() & self._clients.keys() - self._checked:
            worker = self._workers[self._clients[client]]
            assert worker.hear_end(client) == self._model.ended[client], client
            worker.hear(client, lambda what: what == "completed")
            self._checked.add(client)

    def _check(self) -> None:
        assert self._program.is_idle, "a program that nobody should have started"
        assert all(gate.is_silent for gate in self._gates.values()), "a program that should run on"
        replies = [self._tell(process, "look", KEYS) for process in range(N_PROCESSES)]
        for process, reply in enumerate(replies):
            seen = self._hear(process, reply)
            assert seen["built"] == {key: self._model.built.get(key, "no result") for key in KEYS}
            assert seen["jobs"] == self._model.listing(process), process
            assert self._workers[process].said("complaints") == []
        self._check_files()
        self._check_clients()

    def _check_files(self) -> None:
        live = {_NAMING.key((key,)) for key in self._model.runs}
        jobs, runs = (
            [path.name for path in (self._storage / name).glob("*") if not path.name.startswith(".")]
            for name in (".jobs", ".tmp")
        )
        assert set(jobs) == live
        assert sorted(name.split(".")[0] for name in runs) == sorted(live)

    def _check_clients(self) -> None:
        """Each has heard of one run after the other, and of one end, after which nothing came."""
        for client, process in self._clients.items():
            said = self._workers[process].said(client)
            events = [what for what in said if what != "completed"]
            numbers = [int(what[2].partition("-")[2]) for what in events if what[2] and what[2].startswith("run-")]
            assert numbers == sorted(numbers), said
            ends = [what for what in events if what[3] is not None]
            if client in self._model.ended:
                assert said[-2:] == [ends[0], "completed"], said
                assert len(ends) == 1, said
            else:
                assert not ends, said
                assert "completed" not in said, said
        for client in self._model.ended.keys() & self._clients.keys():
            del self._clients[client]
