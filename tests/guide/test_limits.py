"""The examples of docs/limits.rst, as their readers would copy them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.readme import DOCS, block, blocks
from tests.servers.server import eventually
from workqueue import State
from workqueue.testing import ScriptedProgram, collect, wait

PAGE = DOCS / "limits.rst"

Example = Callable[[str], dict[str, Any]]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Example]:
    """Runs an example in a directory with a program that waits; its queue is closed."""
    monkeypatch.chdir(tmp_path)
    made: list[dict[str, Any]] = []

    def run(name: str) -> dict[str, Any]:
        made.append({"__name__": name.removesuffix(".py")})
        exec(block(name, PAGE), made[-1])
        return made[-1]

    with ScriptedProgram(tmp_path / "program", wait("for ever")) as program:
        (tmp_path / "report.py").symlink_to(program.path)
        yield run
        for names in made:
            names["queue"].close(drain=0)


def test_a_view_cancels_a_job(example: Example) -> None:
    names = example("cancelling.py")
    job = names["queue"].ensure_run(("tides",))
    client = names["app"].test_client()
    assert client.post("/cancel/tides").status_code == 204
    assert collect(job, 30)[-1].returncode == -998


def test_where_there_is_nothing_to_cancel_nothing_is_started(example: Example) -> None:
    names = example("cancelling.py")
    assert names["app"].test_client().post("/cancel/tides").status_code == 204
    assert names["queue"].jobs() == []
    assert names["queue"].statistics().cancelled == 0


def test_one_of_each_tenant_runs_at_a_time(example: Example) -> None:
    queue = example("limited.py")["queue"]
    jobs = [queue.ensure_run(params) for params in (("a", "1"), ("a", "2"), ("b", "1"))]
    # There are places for four. The second of this tenant waits for the first.
    eventually(lambda: jobs[2].state is State.RUNNING)
    assert jobs[1].state is State.PENDING
    for job in jobs:
        job.cancel()
    assert [job.wait(30).returncode for job in jobs] == [-998] * 3


def test_every_example_is_run() -> None:
    assert set(blocks(PAGE)) == {"limited.py", "cancelling.py"}
