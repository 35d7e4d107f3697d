"""questions: the list of them, in the order of the report -> what each answers, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.answer import Answer, answer_of

#: The files: first what a client sees, then what a server pays, then what a program costs, then the rest.
QUESTIONS: Final = (
    "latency",
    "seen",
    "waiting",
    "fanout",
    "http_clients",
    "churn",
    "line",
    "estimate",
    "bystander",
    "dedupe",
    "overhead",
    "floods",
    "sharing",
    "cluster",
    "import_time",
    "objects",
    "trees",
)

#: Several times what most of them take on an idle machine, twice what the longest does, and a peer's installation.
TIME_LIMIT_SECONDS: Final = 420.0


@dataclass(frozen=True)
class Outcome:
    """What became of one question."""

    name: str
    """Of its file: `python -m benchmarks.<name>`."""

    answer: Answer | None
    failure: str = ""
    """Why there is no answer."""


def ask(name: str, *, package: str = "benchmarks", time_limit: float = TIME_LIMIT_SECONDS) -> Outcome:
    """Run one question's file; its output is shown as it comes. Whatever it does, there is an outcome.

    Args:
        name: one of QUESTIONS, or another module that does as they do.
        package: where the module is.
        time_limit: seconds; whatever it has started by then in its group of processes is killed.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "answer.json")
        command = [sys.executable, "-m", f"{package}.{name}", "--json", file]
        # A group of its own, so that what it leaves when it is cut short, such as a server, can be ended with it.
        with subprocess.Popen(command, start_new_session=True) as process:
            try:
                status = process.wait(time_limit)
            except subprocess.TimeoutExpired:
                return Outcome(name, None, f"it had not ended after {time_limit:g} s")
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if status:
            return Outcome(name, None, f"it ended with status {status}")
        if not file.exists():
            return Outcome(name, None, "it wrote no answer")
        return Outcome(name, answer_of(json.loads(file.read_text())))
