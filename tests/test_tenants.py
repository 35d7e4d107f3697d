"""Tenants take turns, with real programs."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ensure
from workqueue import Progress, State, WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram, output, wait

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture
def program(tmp_path: Path) -> ScriptedProgram:
    """Waits at "gate", builds."""
    return ScriptedProgram(tmp_path / "program", wait("gate"), output(b"built"))


def test_a_tenant_with_one_job_waits_for_no_more_than_one_of_each_other(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=1, tenant=lambda params: params[0])
    many = [ensure(queue, "many", str(i)) for i in range(5)]
    program.wait_reached("gate")
    one = ensure(queue, "one", "0")
    assert one.current_progress.n_ahead_in_queue <= 2
    program.release("gate", times=6)
    assert [job.wait(10).returncode for job in [*many, one]] == [0] * 6
    assert [arguments[0] for arguments in program.runs].index("one") <= 2


def test_a_tenant_runs_no_more_at_once_than_it_may_and_others_pass_it(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=3, max_running_per_tenant=1, tenant=lambda params: params[0])
    many = [ensure(queue, "many", str(i)) for i in range(3)]
    program.wait_reached("gate")
    one = ensure(queue, "one", "0")
    program.wait_reached("gate")
    assert one.state is State.RUNNING
    assert [job.state for job in many] == [State.RUNNING, State.PENDING, State.PENDING]
    program.release("gate", times=4)
    assert [job.wait(10).returncode for job in [*many, one]] == [0] * 4


def test_a_job_whose_tenant_is_busy_can_be_cancelled_and_those_behind_it_run(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    queue = make_queue(program.path, max_running=2, max_running_per_tenant=1, tenant=lambda params: params[0])
    first, second, third = (ensure(queue, "a", str(i)) for i in range(3))
    program.wait_reached("gate")
    second.cancel()
    assert second.wait(0).returncode == -998
    program.release("gate", times=2)
    assert [first.wait(10).returncode, third.wait(10).returncode] == [0, 0]


def test_who_is_overtaken_by_another_tenant_is_told(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, max_running=1, tenant=lambda params: params[0])
    *_, last = [ensure(queue, "many", str(i)) for i in range(3)]
    program.wait_reached("gate")
    watched: list[int] = []
    overtaken = threading.Event()

    def note(progress: Progress) -> None:
        watched.append(progress.n_ahead_in_queue)
        if progress.n_ahead_in_queue == 3:
            overtaken.set()

    last.progress.subscribe(note)
    ensure(queue, "one", "0")
    assert overtaken.wait(10)
    assert watched == [2, 3]
    program.release("gate", times=4)
    assert last.wait(10).returncode == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_lets_nobody_run_is_refused(limit: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_running_per_tenant must be 1 or more"):
        WorkQueue("program", storage_dir=tmp_path, max_running_per_tenant=limit)


def test_an_engine_of_ones_own_keeps_its_own_limits(engine: ManualEngine, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="give it to the engine"):
        WorkQueue("program", storage_dir=tmp_path, engine=engine, max_running_per_tenant=1)


def test_a_tenant_function_that_raises_leaves_nothing_behind(make_queue: MakeQueue, program: ScriptedProgram) -> None:
    queue = make_queue(program.path, tenant=lambda params: params[9])
    with pytest.raises(IndexError):
        queue.ensure_run(("a",))
    assert queue.jobs() == []
