"""A look at a real queue."""

import json
from collections.abc import Callable

import pytest

from tests.conftest import ensure
from tests.servers.server import eventually
from workqueue import WorkQueue
from workqueue.engines import SeenRun
from workqueue.progress import Progress
from workqueue.testing import ManualEngine, ScriptedProgram
from workqueue.web.dashboard.look import Look

MakeQueue = Callable[..., WorkQueue]


def test_the_jobs_of_another_process_are_seen_and_how_they_ended(
    make_queue: MakeQueue, program: ScriptedProgram
) -> None:
    """Two queues of one storage are as two processes to each other."""
    theirs, ours = make_queue(program.path, max_running=1), make_queue(program.path, max_running=1)
    job = ensure(theirs, "a")
    program.wait_reached("gate")
    look = Look(ours)
    seen = look.snapshot()
    assert [(row["key"], row["is_running"]) for row in seen["jobs"]] == [(job.key, True)]
    assert seen["max_running"] == 1
    program.release("gate")
    assert job.wait(20).returncode == 0
    eventually(lambda: look.snapshot()["ends"] and not look.snapshot()["jobs"])
    seen = look.snapshot()
    assert [(row["key"], row["outcome"]) for row in seen["ends"]] == [(job.key, "succeeded")]


def test_what_waits_since_nobody_knows_when_waits_since_it_was_seen(
    queue: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000.0
    there = [SeenRun("a", "", False, 0, Progress()), SeenRun("r", "", True, 0, Progress())]
    monkeypatch.setattr(queue, "jobs", lambda *, everywhere=False: there if everywhere else [])
    look = Look(queue, clock=lambda: now)
    assert {row["key"]: row["queued_at"] for row in look.snapshot()["jobs"]} == {"a": now, "r": None}
    first, now = now, now + 60.0
    there.append(SeenRun("b", "", False, 1, Progress(1)))
    assert {row["key"]: row["queued_at"] for row in look.snapshot()["jobs"]} == {"a": first, "b": now, "r": None}
    # Forgotten with the job: one of the same key that comes later is another.
    gone, there[:] = there[:], []
    look.snapshot()
    now += 60.0
    there[:] = gone[:1]
    assert look.snapshot()["jobs"][0]["queued_at"] == now


def test_an_event_is_one_line_of_json(queue: WorkQueue, engine: ManualEngine) -> None:
    job = ensure(queue, "a")
    engine.start(job)
    engine.progress(job, 0.5, "a\u2028b\n")
    event = Look(queue).event()
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2
    assert json.loads(event[6:])["jobs"][0]["fraction"] == 0.5
