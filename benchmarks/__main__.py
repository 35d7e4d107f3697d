"""All questions, or those that are named, answered in one run; and a report: a page of Markdown, and pictures.

It ends with status 1 when a target is missed, or a question has no answer.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import host, plots
from benchmarks.peers import REQUIREMENTS, python_of
from benchmarks.questions import QUESTIONS, Outcome, ask
from benchmarks.report import missed, report_of, summary_of

DIRECTORY = Path(__file__).parent.parent / "docs" / "benchmarks"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to ask: {', '.join(QUESTIONS)}; all, if none")
    parser.add_argument("--out", type=Path, default=DIRECTORY, metavar="DIR", help="where the report goes")
    options = parser.parse_args(arguments)
    facts = host.facts()
    if not options.names:
        install_peers()
    outcomes = []
    for name in options.names or QUESTIONS:
        print(f"\n--- {name}", flush=True)
        outcomes.append(ask(name))
    write(outcomes, facts, options.out)
    print("", *summary_of(outcomes), sep="\n")
    return int(bool(missed(outcomes)) or any(outcome.answer is None for outcome in outcomes))


def install_peers() -> None:
    """Before anything is measured, and no question's time."""
    for peer in REQUIREMENTS:
        try:
            python_of(peer)
        except subprocess.CalledProcessError as err:
            print(f"without {peer}: {err}", file=sys.stderr)


def write(outcomes: Sequence[Outcome], facts: Sequence[tuple[str, str]], directory: Path) -> None:
    """Write `report.md`, and the pictures, in place of those of an earlier report."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("plot-*.svg"):
        file.unlink()
    pictures: dict[str, list[str]] = {}
    for outcome in outcomes:
        for i, plot in enumerate(outcome.answer.plots if outcome.answer else (), start=1):
            picture = f"plot-{outcome.name}-{i}.svg"
            plots.draw(plot, directory / picture)
            pictures.setdefault(outcome.name, []).append(picture)
    (directory / "report.md").write_text(report_of(outcomes, facts, pictures))


if __name__ == "__main__":
    sys.exit(main())
