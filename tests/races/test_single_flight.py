"""However many ask for one key at one moment, its program runs once."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.races.conftest import run_in_threads
from workqueue import WorkQueue
from workqueue.engines import Report, Task
from workqueue.jobs.job import Job
from workqueue.progress import Progress, failed_exit, succeeded

MakeQueue = Callable[..., WorkQueue]
N_CALLERS = 8


class CountingEngine:
    """Publishes for real, by threads of its own, but runs no programs: it counts them."""

    max_running = None

    def __init__(self, executor: ThreadPoolExecutor, fails: bool = False) -> None:
        self.runs: Counter[tuple[str, ...]] = Counter()
        self._executor = executor
        self._fails = fails
        self._lock = threading.Lock()  # guards runs

    def submit(self, task: Task, report: Report) -> "CountingEngine":
        self._executor.submit(self._run, task, report)
        return self

    def n_ahead(self) -> int:
        return 0

    def cancel(self, *, for_all: bool = True) -> None:
        pytest.fail("nobody asks for it here")

    def _run(self, task: Task, report: Report) -> None:
        with self._lock:
            self.runs[task.arguments] += 1
        report(Progress())
        if self._fails:
            report(failed_exit(1, ""))
            return
        with task.storage.workspace(task.key, task.suffix) as workspace:
            workspace.output.write_bytes(b"built")
            workspace.publish()
        report(succeeded())

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        pass

    def close(self, drain: float | None = None, *, finish_pending: bool = False) -> None:
        pass


def burst(queue: WorkQueue, n_bursts: int, check: Callable[[int, Job | None], object]) -> None:
    """Ask by N_CALLERS threads for one key after the other, each key at one moment."""
    barrier = threading.Barrier(N_CALLERS)

    def ask(_: int) -> None:
        for i in range(n_bursts):
            barrier.wait(60)
            check(i, queue.ensure_run((str(i),)))

    run_in_threads(N_CALLERS, ask)


def test_three_thousand_bursts_run_each_key_once(make_queue: MakeQueue) -> None:
    """Real publishing on disk and real threads; the runs themselves are counted in this process, not programs."""
    with ThreadPoolExecutor(2) as executor:
        engine = CountingEngine(executor)
        queue = make_queue("program", engine=engine)
        burst(queue, 3000, lambda _, job: job)
    assert len(engine.runs) == 3000
    assert set(engine.runs.values()) == {1}
    assert len(queue._registry) == 0


def test_bursts_that_are_not_aligned_run_each_key_once(make_queue: MakeQueue) -> None:
    """Callers that come at any moment of a run, at its end above all: each asks again as soon as it has an answer."""
    with ThreadPoolExecutor(2) as executor:
        engine = CountingEngine(executor)
        queue = make_queue("program", engine=engine)

        def ask(_: int) -> None:
            for i in range(300):
                while queue.ensure_run((str(i),)) is not None:
                    pass

        run_in_threads(N_CALLERS, ask)
    assert set(engine.runs.values()) == {1}


def test_a_run_that_fails_is_over_before_the_next_one_of_its_key_begins(make_queue: MakeQueue) -> None:
    """Every caller is told of an end, whoever ran it, and nothing stays registered."""
    with ThreadPoolExecutor(2) as executor:
        engine = CountingEngine(executor, fails=True)
        queue = make_queue("program", engine=engine)
        jobs: list[Job] = []

        def check(_: int, job: Job | None) -> None:
            assert job is not None
            assert job.wait(30).returncode == 1
            jobs.append(job)

        burst(queue, 300, check)
        assert {job.n_watchers for job in jobs} == {0}
    assert len(queue._registry) == 0


def test_bursts_with_real_programs_run_each_program_once(make_queue: MakeQueue, tmp_path: Path) -> None:
    """Two dozen keys, and each caller waits for its end."""
    log = tmp_path / "log"
    queue = make_queue(write_program(tmp_path / "program", f'echo "$1" >> "{log}"; echo built > "$output"'))

    def check(i: int, job: Job | None) -> None:
        assert job is None or job.wait(30).returncode == 0
        assert queue.destination_path_for_params((str(i),)).read_text() == "built\n"

    burst(queue, 24, check)
    assert sorted(map(int, log.read_text().split())) == list(range(24))


def test_a_run_that_ends_between_the_look_and_the_reservation_is_not_repeated(
    make_queue: MakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race that the bursts are after, pinned by a hook in its window; the second look finds the result."""
    with ThreadPoolExecutor(1) as executor:
        engine = CountingEngine(executor)
        queue = make_queue("program", engine=engine)
        late, first_ended = threading.Event(), threading.Event()
        reserve = queue._registry.reserve

        def reserve_late(key: str, make: Callable[[], Job]) -> tuple[Job, bool]:
            if threading.current_thread().name == "late":
                late.set()
                assert first_ended.wait(10)
            return reserve(key, make)

        monkeypatch.setattr(queue._registry, "reserve", reserve_late)
        answers: list[Job | None] = []
        thread = threading.Thread(target=lambda: answers.append(queue.ensure_run(("a",))), name="late")
        thread.start()
        assert late.wait(10)
        job = queue.ensure_run(("a",))
        assert job is not None
        job.wait(10)
        first_ended.set()
        thread.join(10)
    assert answers == [None]
    assert engine.runs == {("a",): 1}
