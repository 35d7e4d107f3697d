"""trial: one change, made in a copy of the tree and tried there: the tests fail, or it survives."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutant import Mutant
from tests.mutants.nursery import Nursery, Run
from tests.mutants.reach import Reach

#: What the tests read; `docs` and the README, since some run what stands there.
_COPIED = (
    *("workqueue", "tests", "docs", "benchmarks", "examples", "pyproject.toml", "tox.ini", ".gitignore"),
    *("README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "SECURITY.rst", "LICENSE"),
)

KILLED = "killed"
TIMEOUT = "timeout"
SURVIVED = "survived"

#: How long tests may take beyond five times what they took without a change.
_PATIENCE_SECONDS = 30.0

#: After how long a test hangs. None that is chosen takes half as long on a machine that others use too.
_HANG_SECONDS = 40.0

#: pytest's exit statuses: all passed; some failed, or one hung; there was nothing to run.
_PASSED, _FAILED, _NOTHING = 0, 1, 5


class Verdict(NamedTuple):
    """What became of one change."""

    outcome: str
    #: The test that failed, if it is known.
    by: str
    n_tests: int


def copy_tree(root: Path, tree: Path) -> None:
    """Make `tree` a copy of what is tested. What is the same already keeps its time of change, and so its bytecode."""
    tree.mkdir(parents=True, exist_ok=True)
    wanted = {path.relative_to(root) for name in _COPIED for path in _files(root / name)}
    for path in [path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts]:
        if path.relative_to(tree) not in wanted:
            path.unlink()
    for path in wanted:
        copy = tree / path
        if not copy.exists() or copy.read_bytes() != (root / path).read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / path, copy)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for file in path.rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts)
        if file.is_file() and not hidden:
            yield file


def attempt(
    mutant: Mutant, tree: Path, nursery: Nursery, reach: Reach, directory: Path, *, is_quick: bool = False
) -> Verdict:
    """Make the change, run the tests that can see it until one fails, and take it back.

    A test that takes long may fail by chance where others use the machine: it must fail twice.

    Args:
        mutant: the change.
        tree: the copy of the tree.
        nursery: runs pytest there.
        reach: chooses the tests.
        directory: for logs, and what the tests write.
        is_quick: run the first tests alone.
    """
    choice = reach.choose(mutant, tree)
    n_tests, by_chance = 0, list[str]()

    def run(tests: list[str]) -> Run:
        nonlocal n_tests
        expected = sum(reach.seconds_of(name) for name in tests)
        done = nursery.run(
            [
                *("-x", "-q", "-p", "no:cacheprovider", f"--basetemp={directory / 'tmp'}"),
                *("-o", f"faulthandler_timeout={_HANG_SECONDS}"),
                *tests,
                *(f"--deselect={name}" for name in by_chance),
            ],
            seconds=_PATIENCE_SECONDS + 5.0 * expected,
            log=directory / "trial.log",
        )
        n_tests += len(done.tests)
        return done

    with _changed(tree / mutant.module, mutant.code):
        for tests, is_sure in ((choice.first, True), ([] if is_quick else choice.rest, False)):
            while tests:
                done = run(tests)
                if done.status is None or (done.status == _FAILED and not done.failed):
                    return Verdict(TIMEOUT, "", n_tests)
                if done.status in (_PASSED, _NOTHING):
                    break
                if is_sure or not done.failed or run(done.failed).status not in (_PASSED, _NOTHING):
                    return Verdict(KILLED, next(iter(done.failed), f"pytest ended with {done.status}"), n_tests)
                by_chance += done.failed
    return Verdict(SURVIVED, "", n_tests)


@contextlib.contextmanager
def _changed(path: Path, code: str) -> Iterator[None]:
    """Have this code there, and no bytecode of the other's: Python goes by a file's size and its second of change."""
    text, times = path.read_text(), path.stat()
    bytecode = list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))
    for file in bytecode:
        file.rename(f"{file}.kept")
    path.write_text(code)
    try:
        yield
    finally:
        for file in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            file.unlink()
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        for file in bytecode:
            Path(f"{file}.kept").rename(file)
