"""An import brings what is needed to be used, and nothing optional; each in an interpreter of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: The extras' packages, and those of the standard library that take long and that only some use.
OPTIONAL = {
    "aiohttp",
    "django",
    "fastapi",
    "flask",
    "gevent",
    "ijson",
    "multiprocessing",
    "obstore",
    "opentelemetry",
    "prometheus_client",
    "quart",
    "rich",
    "sqlite3",
    "starlette",
    "unittest",
    "werkzeug",
}

#: What runs, stores and shares: needed by who makes a queue.
HEAVY = ("workqueue.engines", "workqueue.engines.host", "workqueue.storage", "workqueue.program.run")

_SCRIPT = """
import json, sys
before = set(sys.modules)
exec(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def brought_by(statement: str) -> list[str]:
    """The modules that a statement imports, in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT, statement], stdout=subprocess.PIPE, check=True, text=True)
    modules: list[str] = json.loads(done.stdout)
    return modules


def packages_in(modules: list[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize(
    "module", ["workqueue", "workqueue.streams", "workqueue.web.wsgi", "workqueue.web.asgi", "workqueue.testing"]
)
def test_an_import_brings_nothing_optional(module: str) -> None:
    brought = brought_by(f"import {module}")
    assert module in brought
    assert packages_in(brought) & OPTIONAL == set()


@pytest.mark.parametrize("module", ["workqueue", "workqueue.streams", "workqueue.web.wsgi", "workqueue.web.asgi"])
def test_an_import_goes_without_what_only_a_queue_needs(module: str) -> None:
    """It is half of what `import workqueue` would take beyond reactivex."""
    assert [name for name in brought_by(f"import {module}") if name.startswith(HEAVY)] == []


def test_a_queue_brings_nothing_optional_either(tmp_path: Path) -> None:
    brought = brought_by(f"import workqueue; workqueue.WorkQueue('/bin/sh', storage_dir={str(tmp_path)!r}).close()")
    assert "workqueue.engines.local.engine" in brought
    assert packages_in(brought) & OPTIONAL == set()
