"""reach: one run of the tests -> for each line of the code, the tests that run it, and how long each test takes."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData

from tests.mutants.mutant import Mutant
from tests.mutants.nursery import Nursery

#: What is run: tests of the packages that are changed, and of what stands on them. Those of servers, browsers, the
#: command line and the documentation take most of the suite's time, and add little.
TESTS = (
    *("tests/jobs", "tests/engines", "tests/streams", "tests/program", "tests/storage", "tests/system"),
    *(
        "tests/conformance",
        "tests/cluster",
        "tests/processes",
        "tests/races",
        "tests/testing",
        "tests/cli/test_adapt.py",
    ),
    *("tests/test_cancel.py", "tests/test_process_end.py", "tests/test_read_back.py", "tests/test_shared_threads.py"),
    *("tests/test_tenants.py", "tests/test_work_queue.py"),
)

#: What of that is not: tests that run other tests, or last for a minute.
WITHOUT = (
    *("tests/program/test_hostile.py", "tests/processes/test_ordeal.py", "tests/processes/test_c_forks.py"),
    *("tests/cluster/test_kills.py", "tests/cluster/test_web_servers.py", "tests/cluster/test_docs_page.py"),
)

#: Tests of code that runs in processes of its own, where coverage does not follow, or beside servers; all modules have
#: ``tests/<room>/test_<module>.py``, where there is such a file.
OWN_TESTS: Mapping[str, tuple[str, ...]] = {
    "workqueue/program/warden_process.py": (
        "tests/program/test_warden_process.py",
        "tests/program/test_warden.py",
        "tests/processes/test_kill.py",
    ),
    "workqueue/program/adapted.py": ("tests/cli/test_adapt.py",),
    "workqueue/program/popen_child.py": ("tests/program/test_gevent.py",),
    "workqueue/storage/copies.py": ("tests/storage/test_objects.py",),
    "workqueue/storage/bucket.py": ("tests/storage/test_objects.py",),
    "workqueue/engines/local/at_exit.py": ("tests/test_process_end.py",),
    "workqueue/engines/host/engine.py": ("tests/test_process_end.py", "tests/processes/test_sharing.py"),
    "workqueue/engines/cluster/fence.py": ("tests/cluster/test_takeover.py",),
    "workqueue/engines/cluster/held.py": ("tests/cluster/test_takeover.py", "tests/cluster/test_worker_command.py"),
    "workqueue/engines/cluster/offer.py": ("tests/cluster/test_worker_command.py",),
    "workqueue/engines/cluster/worker.py": ("tests/cluster/test_worker_command.py", "tests/cluster/test_takeover.py"),
    "workqueue/engines/host/shared_task.py": ("tests/processes/test_sharing.py", "tests/processes/test_kill.py"),
}

#: How long the first tests may take together: a change that they see costs no more than that.
FIRST_SECONDS = 3.0

#: A test that takes longer is run only where it is one of its module's own.
LONGEST_SECONDS = 8.0

#: How long all of them may take: a line that a thousand tests run is judged by the quickest.
ALL_SECONDS = 30.0

#: How long a test, or a file of them, may take that came after they were measured.
_NEW_SECONDS = 20.0

#: Tests that need a server of objects, which takes long to start, are run only where they are a module's own too.
_NEEDS_SERVER = re.compile(r"\[(seaweedfs|azurite|s3|azure)\b")

_CONTEXTS = "contexts.db"
_SECONDS = "seconds.json"


class Choice(NamedTuple):
    """The tests for one change: those to run first, and the rest."""

    first: list[str]
    rest: list[str]


class Reach:
    """Which tests run which lines."""

    def __init__(self, directory: Path, seconds: Mapping[str, float]) -> None:
        """Read what `measure` has left in `directory`."""
        self._data = CoverageData(str(directory / _CONTEXTS))
        self._data.read()
        self._files = {_module(path): path for path in self._data.measured_files()}
        self.seconds = seconds

    @classmethod
    def read(cls, directory: Path) -> "Reach | None":
        """What `measure` left there; None when it did not end."""
        try:
            seconds = json.loads((directory / _SECONDS).read_text())
        except FileNotFoundError:
            return None
        return cls(directory, {name: taken for name, taken in seconds.items() if taken is not None})

    @classmethod
    def measure(cls, nursery: Nursery, tree: Path, directory: Path) -> "Reach":
        """Run the tests, with coverage.

        Raises:
            RuntimeError: pytest itself failed. A test that fails is left out of all that follows.
        """
        config = directory / "coverage.ini"
        config.write_text(f"[run]\nsource_pkgs = workqueue\ndata_file = {directory / _CONTEXTS}\n")
        log = directory / "measure.log"
        run = nursery.run(
            [
                *("-p", "pytest_cov.plugin", "-p", "no:cacheprovider", "-q", f"--basetemp={directory / 'tmp'}"),
                *("--cov", f"--cov-config={config}", "--cov-context=test", "--cov-report="),
                *(f"--ignore={path}" for path in WITHOUT),
                *(path for path in TESTS if (tree / path).exists()),
            ],
            seconds=3600.0,
            log=log,
        )
        if run.status not in (0, 1):
            raise RuntimeError(f"pytest ended with {run.status}; see {log}")
        for name in run.failed:
            print(f"fails without any change, and is not used: {name}")
        (directory / _SECONDS).write_text(json.dumps(run.tests))
        read = cls.read(directory)
        assert read is not None
        return read

    def choose(self, mutant: Mutant, tree: Path) -> Choice:
        """The tests that can see this change, the quickest first; its own module's files are among them."""
        names = sorted(self._covering(mutant.module, mutant.reach), key=self.seconds.__getitem__)
        covering = [name for name in names if _is_there(name, tree)]
        first = _within(covering, self.seconds, FIRST_SECONDS)
        own = [path for path in (own_test(mutant.module),) if (tree / path).exists()]
        more = OWN_TESTS.get(mutant.module, ())
        if not first:  # what runs in processes of its own, or with servers
            return Choice([*own, *more], [])
        others = [name for name in covering if name.partition("::")[0] not in own and name not in first]
        return Choice(first, [*own, *_within(others, self.seconds, ALL_SECONDS), *more])

    def seconds_of(self, test: str) -> float:
        """How long a test takes, or all of a file."""
        if "::" in test:
            return self.seconds.get(test, _NEW_SECONDS)
        return sum(taken for name, taken in self.seconds.items() if name.partition("::")[0] == test) or _NEW_SECONDS

    def _covering(self, module: str, lines: range) -> set[str]:
        if module not in self._files:
            return set()
        by_line = self._data.contexts_by_lineno(self._files[module])
        contexts = {context for line, found in by_line.items() if line in lines for context in found}
        names = {context.rpartition("|")[0] for context in contexts} & self.seconds.keys()
        return {n for n in names if self.seconds[n] <= LONGEST_SECONDS and not _NEEDS_SERVER.search(n)}


def _is_there(test: str, tree: Path) -> bool:
    """Whether it still has its name: what was measured may be older than the tests."""
    path, _, name = test.partition("::")
    function = name.partition("[")[0].rpartition("::")[2]
    return (tree / path).exists() and f"def {function}(" in (tree / path).read_text()


def own_test(module: str) -> str:
    """The file that tests a module before all others, if there is one."""
    path = Path(module)
    return str(Path("tests", *path.parts[1:-1], f"test_{path.name}"))


def _within(names: Iterable[str], seconds: Mapping[str, float], budget: float) -> list[str]:
    chosen = []
    for name in names:
        budget -= seconds[name]
        if budget < 0.0:
            break
        chosen.append(name)
    return chosen


def _module(path: str) -> str:
    parts = Path(path).parts
    return "/".join(parts[len(parts) - parts[::-1].index("workqueue") - 1 :])
