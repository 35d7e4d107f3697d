"""For tests of several processes: a maker of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes.worker import Worker
from workqueue.testing import ScriptedProgram

MakeWorker = Callable[..., Worker]


@pytest.fixture
def make_worker(tmp_path: Path, program: ScriptedProgram) -> Iterator[MakeWorker]:
    """Makes processes whose queues run `program` over one storage."""
    with ExitStack() as stack:

        def make(path: Path | None = None, **options: object) -> Worker:
            worker = stack.enter_context(Worker(path or program.path, tmp_path / "storage", **options))  # type: ignore[arg-type]
            worker.hear("", lambda what: what == "ready")
            return worker

        yield make
