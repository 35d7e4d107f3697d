"""An import brings what is needed to be used, and nothing optional; each in an interpreter of its own."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import workqueue

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
    brought = brought_by(f"from {module} import *")
    assert module in brought
    assert packages_in(brought) & OPTIONAL == set()


@pytest.mark.parametrize("module", ["workqueue", "workqueue.streams", "workqueue.web.wsgi", "workqueue.web.asgi"])
def test_an_import_goes_without_what_only_a_queue_needs(module: str) -> None:
    """It is half of what `from workqueue import WorkQueue` would take beyond reactivex."""
    assert [name for name in brought_by(f"from {module} import *") if name.startswith(HEAVY)] == []


def test_the_queue_is_imported_without_what_its_use_brings() -> None:
    """Each of these costs milliseconds, which a reloader or a command line pays at every start."""
    beyond = set(brought_by("import reactivex; from workqueue import WorkQueue")) - set(brought_by("import reactivex"))
    assert "workqueue.work_queue" in beyond
    assert beyond & {"bz2", "dataclasses", "ipaddress", "lzma", "pathlib", "shutil", "urllib.parse"} == set()


def test_an_import_of_the_package_brings_nothing() -> None:
    """What a program in Python imports is below it, and is not to pay for the rest."""
    assert [name for name in brought_by("import workqueue") if name.startswith(("workqueue", "reactivex"))] == [
        "workqueue"
    ]


@pytest.mark.parametrize(
    "expression",
    [
        *(f"workqueue.{name}" for name in workqueue.__all__),
        "workqueue.streams.to_generator",
        "workqueue.errors.StorageError",
        "workqueue.builder.track",
        "dict(inspect.getmembers(workqueue))['WorkQueue'].ensure_run",
        "pickle.loads(pickle.dumps(workqueue.Progress(fraction=0.5)))._asdict()",
        "pydoc.render_doc(workqueue, renderer=pydoc.plaintext).index('class WorkQueue')",
        "inspect.signature(workqueue.WorkQueue)",
    ],
)
def test_what_the_package_names_is_imported_when_it_is_first_used(expression: str) -> None:
    assert "workqueue" in brought_by(f"import inspect, pickle, pydoc, workqueue; {expression}")


def test_the_names_are_those_that_a_type_checker_sees() -> None:
    """Each from the module where it is defined, and none besides."""
    tree = ast.parse(Path(workqueue.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: f"{node.module}" for node in imports for alias in node.names}
    assert seen == {name: f"workqueue.{home}" for name, home in workqueue._HOMES.items()}
    assert set(seen) == set(workqueue.__all__)


def test_a_name_that_is_not_there_is_told_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'workqueue' has no attribute 'Nonsense'"):
        _ = workqueue.Nonsense  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'Nonsense' from 'workqueue'"):
        from workqueue import Nonsense  # type: ignore[attr-defined]  # noqa: F401


def test_a_queue_brings_nothing_optional_either(tmp_path: Path) -> None:
    brought = brought_by(f"import workqueue; workqueue.WorkQueue('/bin/sh', storage_dir={str(tmp_path)!r}).close()")
    assert "workqueue.engines.local.engine" in brought
    assert packages_in(brought) & OPTIONAL == set()
