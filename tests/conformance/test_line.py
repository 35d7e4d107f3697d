"""What a line promises, of one process or of several that share a storage: a bound, places, turns of tenants."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.processes.worker import Worker
from tests.servers.server import eventually
from workqueue import Job, Progress, QueueFull, WorkQueue
from workqueue.testing import ScriptedProgram, wait

CANCELLED = -998

#: On a machine that does too much a process may be late to take its turn, and is to have it all the same.
PATIENT = "from workqueue.engines.host.line import lookout; lookout.STALL_SECONDS = 600.0"


class Queue(Protocol):
    """One process's queue."""

    def ask(self, key: str) -> None: ...

    def cancel(self, key: str) -> None: ...

    def said(self, key: str) -> list[Any]:
        """What was told of a key: "full", or what progress there was."""
        ...


class Here:
    """A queue of this process."""

    def __init__(self, program: Path, storage: Path, *, has_tenants: bool = False, **options: Any) -> None:
        tenant = (lambda params: params[0][0]) if has_tenants else None
        self.queue = WorkQueue(program, storage_dir=storage, tenant=tenant, **options)
        self._jobs: dict[str, Job] = {}
        self._said: dict[str, list[Any]] = {}

    def ask(self, key: str) -> None:
        said = self._said.setdefault(key, [])
        try:
            job = self.queue.ensure_run((key,))
        except QueueFull:
            said.append("full")
            return
        assert job is not None
        self._jobs[key] = job

        def tell(progress: Progress) -> None:
            said.append(list(progress))

        job.progress.subscribe(tell)

    def cancel(self, key: str) -> None:
        self._jobs[key].cancel()

    def said(self, key: str) -> list[Any]:
        return list(self._said[key])


class Elsewhere:
    """A queue of another process."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def ask(self, key: str) -> None:
        self.worker.tell("ask", key)
        self.worker.hear(key, bool)

    def cancel(self, key: str) -> None:
        self.worker.tell("cancel", key)

    def said(self, key: str) -> list[Any]:
        return self.worker.said(key)


class Line:
    """Queues that share a line, asked in turn; and the program that they run, which stops at a gate."""

    def __init__(self, queues: list[Queue], program: ScriptedProgram) -> None:
        self._queues = itertools.cycle(queues)
        self.program = program
        self._asked: dict[str, Queue] = {}

    def ask(self, *keys: str) -> None:
        for key in keys:
            self._asked[key] = next(self._queues)
            self._asked[key].ask(key)

    def occupy(self, *keys: str) -> None:
        """These run, and stop."""
        self.ask(*keys)
        for _ in keys:
            self.program.wait_reached("gate")

    def cancel(self, key: str) -> None:
        self._asked[key].cancel(key)

    def end_one(self) -> None:
        self.program.release("gate")

    def said(self, key: str) -> list[Any]:
        return self._asked[key].said(key)

    def places(self, *keys: str) -> list[int]:
        return [self.said(key)[-1][0] for key in keys]

    def wait_places(self, keys: str, *places: int) -> None:
        eventually(lambda: self.places(*keys.split()) == list(places))

    def wait_end(self, key: str) -> int:
        end = eventually(lambda: next((said for said in self.said(key) if said[3] is not None), None))
        return int(end[3])

    @property
    def begun(self) -> list[str]:
        """The keys whose programs have begun, in order."""
        return [run[0] for run in self.program.runs]


MakeLine = Callable[..., Line]


@pytest.fixture(params=["one process", "four processes"])
def make_line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeLine]:
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(ScriptedProgram(tmp_path / "program", wait("gate")))

        def make(**options: Any) -> Line:
            queues: list[Queue] = []
            if request.param == "one process":
                here = Here(program.path, tmp_path / "storage", **options)
                stack.callback(here.queue.close, 0)
                queues.append(here)
            else:
                for _ in range(4):
                    worker = stack.enter_context(Worker(program.path, tmp_path / "storage", before=PATIENT, **options))
                    worker.hear("", lambda what: what == "ready")
                    queues.append(Elsewhere(worker))
            return Line(queues, program)

        yield make
        program.close()


def test_places_and_the_bound(make_line: MakeLine) -> None:
    line = make_line(max_running=2)
    line.occupy("a", "b")
    line.ask("c", "d", "e", "f")
    line.wait_places("a b c d e f", 0, 0, 2, 3, 4, 5)
    for begun, waiting, places in (("c", "d e f", (2, 3, 4)), ("d", "e f", (2, 3)), ("e", "f", (2,))):
        line.end_one()
        line.program.wait_reached("gate")
        assert line.begun[-1] == begun
        line.wait_places(waiting, *places)
    assert len(line.begun) == 5


def test_places_never_go_up(make_line: MakeLine) -> None:
    line = make_line(max_running=2)
    keys = "abcdefgh"
    line.occupy("a", "b")
    line.ask(*keys[2:])
    line.wait_places("c d e f g h", *range(2, 8))
    line.cancel("e")
    assert line.wait_end("e") == CANCELLED
    line.wait_places("c d f g h", 2, 3, 4, 5, 6)
    for _ in range(5):
        line.end_one()
        line.program.wait_reached("gate")
    for key in keys[2:]:
        line.end_one()
        places = [said[0] for said in line.said(key)]
        assert places == sorted(places, reverse=True)
    for key in "abcdfgh":
        line.wait_end(key)


def test_tenants_take_turns(make_line: MakeLine) -> None:
    line = make_line(max_running=1, has_tenants=True)
    line.occupy("z")
    line.ask("x1", "x2", "x3", "y1", "y2")
    line.wait_places("x1 y1 x2 y2 x3", 1, 2, 3, 4, 5)
    for _ in range(5):
        line.end_one()
        line.program.wait_reached("gate")
    assert line.begun == ["z", "x1", "y1", "x2", "y2", "x3"]


def test_a_tenant_runs_no_more_than_it_may(make_line: MakeLine) -> None:
    line = make_line(max_running=3, max_running_per_tenant=1, has_tenants=True)
    line.occupy("x1")
    line.ask("x2")
    line.occupy("y1")
    line.wait_places("x2", 2)
    assert line.begun == ["x1", "y1"]
    line.end_one()
    line.end_one()
    line.program.wait_reached("gate")
    assert line.begun[2:] == ["x2"]


def test_no_more_wait_than_may(make_line: MakeLine) -> None:
    line = make_line(max_running=1, max_pending=2)
    line.occupy("a")
    line.ask("b", "c")
    line.wait_places("b c", 1, 2)
    line.ask("d")
    assert line.said("d") == ["full"]
    line.end_one()
    line.program.wait_reached("gate")
    line.wait_end("a")
    line.ask("e")
    line.wait_places("b c e", 0, 1, 2)


def test_one_that_is_cancelled_leaves_the_line_and_those_behind_it_move_up(make_line: MakeLine) -> None:
    line = make_line(max_running=1)
    line.occupy("a")
    line.ask("b", "c", "d")
    line.wait_places("b c d", 1, 2, 3)
    line.cancel("c")
    assert line.wait_end("c") == CANCELLED
    line.wait_places("b d", 1, 2)
    line.cancel("a")
    assert line.wait_end("a") == CANCELLED
    line.program.wait_reached("gate")
    line.wait_places("b d", 0, 1)
