"""Change the code in many small ways, one at a time, and see whether the tests fail.

It prints a line for each change, and a summary, and writes those that survive to survivors.toml. Its exit status is 0
when at least 95 of 100 die, equivalents aside; else 1. An equivalent that is listed and is none is an error.
"""

import argparse
import contextlib
import json
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutants import equivalents
from tests.mutants.mutant import Mutant, sample, sources
from tests.mutants.nursery import Nursery
from tests.mutants.reach import Reach
from tests.mutants.trial import SURVIVED, Verdict, attempt, copy_tree

ROOT = Path(__file__).parents[2]

#: The part of the changes that must die.
TARGET = 0.95

EQUIVALENT = "equivalent"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="MODULE", help="all changes of workqueue/jobs/job.py, instead")
    parser.add_argument("-n", type=int, default=500, help="how many changes (500)")
    parser.add_argument("--seed", type=int, default=17, help="which ones (17)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where copy and results are; a run goes on there")
    parser.add_argument("--at-most", type=int, metavar="N", help="try N of them now; the next run goes on in DIR")
    parser.add_argument("--again", action="store_true", help="try those that survived again, with new tests")
    parser.add_argument("--quick", action="store_true", help="a first look: run the quickest tests of each alone")
    options = parser.parse_args(arguments)
    listed = equivalents.read()
    if stale := equivalents.stale(listed, ROOT):
        print("these equivalents are about other code than there is, or give no reason:", *stale, sep="\n")
        return 1
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
        return _run(options, options.work.resolve(), listed)
    with tempfile.TemporaryDirectory(prefix="workqueue-mutants-") as directory:
        return _run(options, Path(directory).resolve(), listed)


def _run(options: argparse.Namespace, directory: Path, listed: list[equivalents.Equivalent]) -> int:
    tree = directory / "tree"
    copy_tree(ROOT, tree)
    mutants = _sample(options, directory / "sample.pickle")
    results = Results(directory / "results.jsonl")
    with Nursery(tree) as nursery:
        reach = Reach.read(directory) or Reach.measure(nursery, tree, directory)
        doubtful = [m for m in mutants if results.outcome(m) == SURVIVED and m.name not in {e.name for e in listed}]
        todo = [m for m in mutants if results.get(m) is None or (options.again and m in doubtful)]
        for mutant in todo[: options.at_most]:
            began = time.monotonic()
            verdict = attempt(mutant, tree, nursery, reach, directory, is_quick=options.quick)
            results.add(mutant, verdict, time.monotonic() - began)
            print(_line(mutant, verdict, time.monotonic() - began), flush=True)
    return _conclude(mutants, results, listed, directory / "survivors.toml")


def _sample(options: argparse.Namespace, kept: Path) -> list[Mutant]:
    """What is to be tried; made once for the code as it is, since it takes a minute."""
    wanted = (sys.maxsize if options.only else options.n, options.seed, tuple(options.only))
    made_of = (wanted, [(str(path), path.read_text()) for path in sources(ROOT)])
    with contextlib.suppress(FileNotFoundError):
        was_made_of, mutants = pickle.loads(kept.read_bytes())
        if was_made_of == made_of:
            return list(mutants)
    mutants = sample(ROOT, *wanted)
    kept.write_bytes(pickle.dumps((made_of, mutants)))
    return mutants


def _line(mutant: Mutant, verdict: Verdict, seconds: float) -> str:
    return (
        f"{verdict.outcome:9} {seconds:6.1f} s  {mutant.module}:{mutant.line}  {mutant.before}  ->  {mutant.after}"
        f"  [{verdict.n_tests} tests]  {verdict.by}"
    )


class Results:
    """What became of each change, in a file that is written after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = dict(self._read())

    def get(self, mutant: Mutant) -> dict[str, object] | None:
        """The result of this change, if it was tried."""
        return self._known.get(mutant.name)

    def outcome(self, mutant: Mutant) -> str:
        """How it ended."""
        return str((self.get(mutant) or {}).get("outcome"))

    def seconds(self, mutant: Mutant) -> float:
        """How long it took."""
        taken = (self.get(mutant) or {}).get("seconds")
        return float(taken) if isinstance(taken, float) else 0.0

    def add(self, mutant: Mutant, verdict: Verdict, seconds: float) -> None:
        """Keep a result; a later one takes its place."""
        result = {"outcome": verdict.outcome, "by": verdict.by, "n_tests": verdict.n_tests, "seconds": seconds}
        self._known[mutant.name] = result
        with self._path.open("a") as file:
            print(json.dumps([mutant.name, result]), file=file)

    def _read(self) -> Iterator[tuple[tuple[str, str, str, str], dict[str, object]]]:
        if self._path.exists():
            for name, result in map(json.loads, self._path.read_text().splitlines()):
                module, function, before, after = name
                yield (module, function, before, after), result


def _conclude(mutants: list[Mutant], results: Results, listed: list[equivalents.Equivalent], file: Path) -> int:
    names = {item.name for item in listed}
    tried = [mutant for mutant in mutants if results.get(mutant) is not None]
    survived = [mutant for mutant in tried if results.outcome(mutant) == SURVIVED]
    unknown = [mutant for mutant in survived if mutant.name not in names]
    wrong = [mutant for mutant in tried if mutant.name in names and mutant not in survived]
    file.write_text("\n".join(equivalents.entry(mutant.name) for mutant in unknown))
    counts = Counter(results.outcome(mutant) for mutant in tried)
    counts[SURVIVED] -= len(survived) - len(unknown)
    counts[EQUIVALENT] = len(survived) - len(unknown)
    print(f"\n{len(tried)} of {len(mutants)} tried, {sum(map(results.seconds, tried)) / max(1, len(tried)):.1f} s each")
    for outcome, n in sorted(counts.items()):
        print(f"{outcome:11} {n:4}")
    for mutant in wrong:
        print(f"listed as equivalent, but tests see it: {mutant.name}")
    n_judged = len(tried) - counts[EQUIVALENT]
    died = 1.0 - len(unknown) / max(1, n_judged)
    print(f"{died:.1%} died; {TARGET:.0%} must. Those that survived are in {file}.")
    return int(died < TARGET or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
