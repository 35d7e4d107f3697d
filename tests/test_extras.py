"""A part whose extra is not installed names it; each part in an interpreter that cannot import its packages."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.readme import ROOT
from workqueue.extras import Extra, how_to_install

#: Imports nothing of the packages that come first, as if they were not installed; then does what comes second.
_SCRIPT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
try:
    exec(sys.argv[2])
except ImportError as error:
    print(type(error).__name__, error, sep=": ")
"""

#: What is missing, what needs it, and the extra that brings it.
PARTS = [
    ("prometheus_client", "from workqueue.monitoring.prometheus import WorkQueueCollector", "prometheus"),
    ("opentelemetry", "from workqueue.monitoring.opentelemetry import TracingHooks", "opentelemetry"),
    ("werkzeug,flask", "from workqueue.web.flask import progress_response", "flask"),
    ("django", "from workqueue.web.django import progress_response", "django"),
    ("django", "from workqueue.web.django.apps import WorkqueueConfig", "django"),
    ("starlette", "from workqueue.web.starlette import progress_response", "starlette"),
    ("obstore", "from workqueue.storage.objects import ObjectStorage", "s3"),
    *(
        ("obstore", f"from workqueue.storage.address import storage_at; storage_at('{scheme}://bucket/prefix')", "s3")
        for scheme in ("s3", "gs", "az")
    ),
    ("nats", "from workqueue.engines.cluster import ClusterEngine", "cluster"),
    ("cryptography", "from workqueue.engines.cluster.seal import Seal; Seal(['secret'])", "cluster"),
]

#: The same for commands, which say it on stderr.
COMMANDS = [
    ("nats", ["worker", "./program", "--storage", "results", "--nats", "nats://127.0.0.1"], "cluster"),
    ("nats", ["top", "--nats", "nats://127.0.0.1"], "cluster"),
    ("obstore", ["ls", "s3://bucket/prefix"], "s3"),
    ("flask", ["demo", "--once"], "demo"),
]


def extras() -> dict[str, list[str]]:
    """The extras of pyproject.toml, and what each requires."""
    named: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    return named


def run_without(packages: str, code: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that lacks these packages."""
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT, packages, code], capture_output=True, text=True, check=False, cwd=directory
    )


@pytest.mark.parametrize(("packages", "code", "extra"), PARTS)
def test_a_part_that_lacks_its_extra_names_it(packages: str, code: str, extra: str, tmp_path: Path) -> None:
    done = run_without(packages, code, tmp_path)
    assert done.stderr == ""
    assert done.stdout.startswith(("ImportError: ", "ModuleNotFoundError: "))
    assert done.stdout.endswith(f"pip install 'overview-plugin-workqueue[{extra}]'\n")
    assert extra in extras()


@pytest.mark.parametrize(("package", "arguments", "extra"), COMMANDS)
def test_a_command_that_lacks_its_extra_names_it(
    package: str, arguments: list[str], extra: str, tmp_path: Path
) -> None:
    done = run_without(package, f"from workqueue.cli import main; sys.exit(main({arguments!r}))", tmp_path)
    assert done.returncode in {1, 2}
    assert how_to_install(extra) in done.stderr
    assert extra in extras()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModuleNotFoundError("No module named 'rich.bar'", name="rich.bar"), ModuleNotFoundError),
        (ImportError("cannot import name 'Bar' from 'rich'", name="rich", path="rich/__init__.py"), ImportError),
        (ImportError(), ImportError),
    ],
)
def test_what_went_wrong_is_part_of_the_error(error: ImportError, kind: type[ImportError]) -> None:
    """A package that is there, in a version that cannot be used, is mended by the extra too."""
    with pytest.raises(ImportError) as raised, Extra("cli", "the bar"):
        raise error
    assert type(raised.value) is kind
    assert str(raised.value) == f"the bar cannot be used: {error}. Install what it needs: {how_to_install('cli')}"
    assert (raised.value.name, raised.value.path) == (error.name, error.path)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [ModuleNotFoundError("No module named 'workqueue.nothing'", name="workqueue.nothing"), ValueError("a mistake")],
)
def test_a_mistake_of_ours_is_not_taken_for_a_missing_extra(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, Extra("cli", "the bar"):
        raise error
    assert raised.value is error


def test_the_extra_for_the_tests_has_all_that_parts_need() -> None:
    """What is optional is tested, so it is there wherever the tests run."""
    optional = extras().keys() - {"benchmarks", "docs", "mutants", "test"}
    [own] = [line for line in extras()["test"] if line.startswith("overview-plugin-workqueue[")]
    named = set(own.partition("[")[2].rstrip("]").split(","))
    assert optional <= named | {"benchmarks"}
