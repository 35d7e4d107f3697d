"""Imports point down: a module imports nothing of a higher level, and foreign packages where they belong."""

import ast
from pathlib import Path

import pytest

import workqueue

ROOT = Path(workqueue.__file__).parent

#: The rooms, lowest first. A module may import from its own room and from those before it. A room within a room, such
#: as `workqueue.engines.host`, has a place of its own.
ROOMS = (
    # For other programs; it has nothing to do with the rest.
    ("workqueue.builder",),
    ("workqueue.errors", "workqueue.progress", "workqueue.redaction"),
    ("workqueue.streams",),
    ("workqueue.params",),
    ("workqueue.system",),
    ("workqueue.storage",),
    ("workqueue.program",),
    ("workqueue.engines.base",),
    ("workqueue.engines.run",),
    ("workqueue.engines.local",),
    ("workqueue.engines.host",),
    ("workqueue.engines",),
    ("workqueue.jobs",),
    ("workqueue.options",),
    ("workqueue.parts",),
    ("workqueue.work_queue",),
    ("workqueue",),
    ("workqueue.testing",),
    ("workqueue.monitoring",),
    ("workqueue.web",),
    ("workqueue.terminal",),
    ("workqueue.demo",),
    ("workqueue.cli",),
    ("workqueue.__main__",),
)

#: Foreign packages that only some modules may import.
ONLY_IN = {
    "reactivex": ("workqueue.streams", "workqueue.jobs"),
    "subprocess": ("workqueue.program",),
    "multiprocessing": (),
    "ctypes": ("workqueue.engines.host.changes",),
    "select": ("workqueue.system.poll", "workqueue.program.warden_process", "workqueue.builder"),
    "fcntl": ("workqueue.system.locks",),
    "asyncio": ("workqueue.streams", "workqueue.web"),
    "rich": ("workqueue.terminal", "workqueue.cli", "workqueue.demo"),
    "flask": ("workqueue.demo",),
    "werkzeug": ("workqueue.demo", "workqueue.web.flask"),
    "ijson": ("workqueue.demo",),
    "starlette": ("workqueue.web.starlette",),
    "django": ("workqueue.web.django",),
    "prometheus_client": ("workqueue.monitoring.prometheus",),
    "opentelemetry": ("workqueue.monitoring.opentelemetry",),
    "obstore": ("workqueue.storage.bucket",),
}

#: What a package must not know of at all, on whatever level.
KNOWS_ONLY = {"workqueue.streams": ("workqueue.streams",)}


def is_in(module: str, package: str) -> bool:
    return module == package or (module.startswith(f"{package}.") and package != "workqueue")


def level_of(module: str) -> int:
    """How high its room stands: the innermost one, where a room is within another."""
    _, level = max((len(room), i) for i, rooms in enumerate(ROOMS) for room in rooms if is_in(module, room))
    return level


def imports_of(source: str) -> list[str]:
    """The modules that a source imports, wherever in it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            # `from package import module` imports the module.
            found += [
                f"{node.module}.{alias.name}" if is_module(node.module, alias.name) else node.module
                for alias in node.names
            ]
    return found


def is_module(package: str, name: str) -> bool:
    path = ROOT.parent.joinpath(*package.split("."), name)
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def violations(module: str, source: str) -> list[str]:
    """What is wrong with the imports of this source, were it the source of this module."""
    found = []
    for name in imports_of(source):
        if name.split(".")[0] == "workqueue":
            if level_of(name) > level_of(module):
                found.append(f"{module} imports {name}, which is above it")
            for package, known in KNOWS_ONLY.items():
                if is_in(module, package) and not any(is_in(name, other) for other in known):
                    found.append(f"{module} imports {name}, which {package} must not know")
        for package, places in ONLY_IN.items():
            if is_in(name, package) and not any(is_in(module, place) for place in places):
                found.append(f"{module} imports {name}, which belongs in {' and '.join(places) or 'no module'}")
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module: str) -> None:
    assert violations(module, SOURCES[module].read_text()) == []


def test_every_module_is_looked_at() -> None:
    assert {"workqueue", "workqueue.jobs.job", "workqueue.streams.hub", "workqueue.program.run"} <= set(SOURCES)


def first_circle(imports: dict[str, list[str]]) -> list[str]:
    """Modules each of which imports the next, and the last the first; none when there is no such circle."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return way[way.index(module) :]
        if module in done:
            return []
        for name in imports.get(module, ()):
            if circle := walk(name, [*way, module]):
                return circle
        done.add(module)
        return []

    return next((circle for module in imports if (circle := walk(module, []))), [])


def test_no_imports_run_in_a_circle() -> None:
    assert first_circle({module: imports_of(path.read_text()) for module, path in SOURCES.items()}) == []


def test_a_circle_is_found() -> None:
    assert first_circle({"a": ["b"], "b": ["c", "d"], "c": [], "d": ["e", "b"]}) == ["b", "d"]


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        (
            "workqueue.errors",
            "from workqueue.jobs.lifecycle import State",
            "imports workqueue.jobs.lifecycle, which is above it",
        ),
        ("workqueue.params", "import workqueue.jobs.job", "imports workqueue.jobs.job, which is above it"),
        ("workqueue.storage.disk", "from workqueue import engines", "imports workqueue.engines, which is above it"),
        ("workqueue.jobs.job", "from workqueue import Progress", "imports workqueue, which is above it"),
        ("workqueue.engines.run", "def f():\n    from workqueue.work_queue import WorkQueue", "which is above it"),
        ("workqueue.work_queue", "if True:\n    import workqueue.testing.engine", "which is above it"),
        ("workqueue.streams.hub", "from workqueue.progress import Progress", "which workqueue.streams must not know"),
        ("workqueue.builder.loops", "from workqueue.progress import Progress", "which is above it"),
        ("workqueue.engines.run", "from workqueue.engines.local.run import LocalRun", "which is above it"),
        ("workqueue.engines.local.run", "import workqueue.engines.host.slots", "which is above it"),
        ("workqueue.engines.host.engine", "from workqueue.jobs.job import Job", "which is above it"),
        ("workqueue.program.start", "from workqueue.engines import Engine", "which is above it"),
        ("workqueue.storage.disk", "import workqueue.program.process", "which is above it"),
        ("workqueue.system.locks", "from workqueue.storage.base import Storage", "which is above it"),
        ("workqueue.demo.tour", "from workqueue.cli.run import run", "imports workqueue.cli.run, which is above it"),
        ("workqueue.engines.local.engine", "from reactivex import Subject", "in workqueue.streams and workqueue.jobs"),
        ("workqueue.engines.local.engine", "import subprocess", "subprocess, which belongs in workqueue.program"),
        ("workqueue.jobs.job", "import asyncio.events as e", "imports asyncio.events, which belongs in"),
        ("workqueue.storage.disk", "import obstore", "imports obstore, which belongs in workqueue.storage.bucket"),
        ("workqueue.cli.run", "from flask import Flask", "imports flask, which belongs in workqueue.demo"),
        ("workqueue.program.start", "from multiprocessing import Process", "which belongs in no module"),
    ],
)
def test_a_violation_is_found(module: str, source: str, complaint: str) -> None:
    [found] = violations(module, source)
    assert found.startswith(f"{module} imports ")
    assert complaint in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("workqueue.engines.run", "from workqueue.program.run import run_program\nimport threading"),
        ("workqueue.demo.plugin", "from workqueue import WorkQueue\nfrom flask import Flask"),
        ("workqueue.streams.hub", "import asyncio\nfrom workqueue.streams.mailbox import Mailbox\nimport reactivex"),
        ("workqueue.jobs.job", "import asyncio_like, reactivexed"),
    ],
)
def test_what_is_allowed_is_not_complained_of(module: str, source: str) -> None:
    assert violations(module, source) == []
