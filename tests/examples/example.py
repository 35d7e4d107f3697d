"""An example as its README says it is started, in a copy of its own."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes
from docutils.core import publish_doctree

from tests.objects.ports import free_ports
from tests.readme import ROOT
from tests.servers.server import Client, Server

EXAMPLES = ROOT / "examples"

#: What each program of a virtual environment is here: a module, to be run by this interpreter.
_PROGRAMS = {"python": "tests.examples.script"}


class Readme(NamedTuple):
    """What an example's README has a reader type."""

    line: str
    """The whole line."""

    installed: list[str]
    """What is installed, as pip is told."""

    extras: set[str]
    """Those of ours that are among it."""

    command: list[str]
    """What starts the example, as arguments of `python -m`; a command of Docker's as it is."""


def readme(name: str) -> Readme:
    """That of an example; it has one command, and no more lines than a reader takes in at a glance."""
    text = (EXAMPLES / name / "README.rst").read_text()
    assert text.count("\n") <= 14
    tree = publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 2})
    [line] = [node.astext() for node in tree.findall(nodes.literal_block)]
    if line.startswith("docker "):
        return Readme(line, [], set(), shlex.split(line))
    make, install, *more, start = line.split(" && ")
    assert make == "python3 -m venv .venv"
    pip, verb, *installed = shlex.split(install)
    assert (pip, verb) == (".venv/bin/pip", "install")
    extras = set(re.findall(r"\w+", "".join(word[1:] for word in installed if word.startswith(".["))))
    program, *arguments = shlex.split(start)
    module = program.removeprefix(".venv/bin/")
    assert module != program
    assert all(word.startswith("npm ") for word in more)
    return Readme(line, installed, extras, [_PROGRAMS.get(module, module), *arguments])


def known_extras() -> set[str]:
    """All of ours."""
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def copy(name: str, directory: Path) -> Path:
    """Put an example where a clone of the repository would have it below a directory; return its own."""
    ignored = shutil.ignore_patterns("__pycache__", "results", "node_modules", "bundle")
    return Path(shutil.copytree(EXAMPLES / name, directory / "examples" / name, ignore=ignored))


@contextmanager
def running(name: str, directory: Path, **environment: str) -> Iterator[Server]:
    """Start an example by the command of its README, but on a port that is free."""
    copy(name, directory)
    command = readme(name).command
    if command[-1] == "runserver":  # which tells the port that it is given, and no other
        (port,) = free_ports(1)
        command += ["--noreload", f"127.0.0.1:{port}"]
    else:
        command += ["--port", "0"]
    # An example that a framework warns about is out of date.
    with Server(command, directory, PYTHONWARNINGS="error", **environment) as server:
        yield server


def events(port: int, path: str) -> Generator[dict[str, Any]]:
    """What a client is told, to the last event, or until it leaves."""
    with closing(Client(port, path, None, Accept="application/x-ndjson")) as client:
        while True:
            event = client.event()
            yield event
            if event["returncode"] is not None:
                return
