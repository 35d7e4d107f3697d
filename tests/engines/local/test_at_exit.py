"""What is said of the programs that run when an interpreter ends; tests/test_process_end.py ends real ones."""

from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.conftest import write_program
from workqueue.engines import LocalEngine, Task
from workqueue.engines.local.at_exit import announce
from workqueue.program.command import command_of
from workqueue.progress import Progress, WaitsAgain
from workqueue.storage import DiskStorage

WAITS = "this process ends after {}; it waits {}; press Ctrl-C (again) to stop that now"
STOPS = "this process ends, and stops {}; WorkQueue(exit_drain=SECONDS) gives time to finish"
PROGRAMS = "3 running programs (2 x index, other)"


@pytest.mark.parametrize(
    ("drain", "text"),
    [
        (0.5, WAITS.format(PROGRAMS, "up to 0.5 s")),
        (1e300, WAITS.format(PROGRAMS, "as long as it takes")),
        (0.0, STOPS.format(PROGRAMS)),
    ],
)
def test_the_programs_that_run_are_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, drain: float, text: str
) -> None:
    engine, storage = LocalEngine(max_running=3), DiskStorage(tmp_path / "storage")
    reports: SimpleQueue[Progress | WaitsAgain] = SimpleQueue()
    for key, name in (("a", "index"), ("b", "other"), ("c", "index")):
        program = write_program(tmp_path / name, "echo 0.5; exec sleep 1000")
        engine.submit(Task(key, command_of(program), (), storage), reports.put)
        while reports.get(timeout=20) != Progress(fraction=0.5):
            pass
    announce(engine, drain)
    engine.close(0.0)
    assert [record.getMessage() for record in caplog.records] == [text]


def test_of_no_programs_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    engine = LocalEngine()
    announce(engine, 1.0)
    announce(object(), 1.0)
    assert caplog.records == []
    engine.close()
