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
    ("workqueue.errors", "workqueue.extras", "workqueue.progress", "workqueue.redaction"),
    ("workqueue.streams",),
    ("workqueue.params",),
    ("workqueue.naming",),
    ("workqueue.system",),
    ("workqueue.storage",),
    ("workqueue.program",),
    ("workqueue.engines.base",),
    ("workqueue.engines.run",),
    ("workqueue.engines.local",),
    ("workqueue.engines.host",),
    ("workqueue.engines.cluster",),
    ("workqueue.engines",),
    ("workqueue.jobs",),
    ("workqueue.options", "workqueue.results"),
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

#: Foreign packages, and modules of ours that are another's, which only some modules may import.
ONLY_IN = {
    "reactivex": ("workqueue.streams", "workqueue.jobs"),
    "subprocess": ("workqueue.program",),
    "multiprocessing": (),
    "ctypes": ("workqueue.engines.host.changes",),
    "select": ("workqueue.system.poll", "workqueue.program.warden_process", "workqueue.builder"),
    "fcntl": ("workqueue.system.locks",),
    "asyncio": ("workqueue.streams", "workqueue.web", "workqueue.engines.cluster"),
    "nats": ("workqueue.engines.cluster.log", "workqueue.engines.cluster.connection"),
    "workqueue.engines.cluster.connection": ("workqueue.engines.cluster.log",),
    "cryptography": ("workqueue.engines.cluster.seal",),
    "rich": ("workqueue.terminal", "workqueue.cli", "workqueue.demo"),
    "flask": ("workqueue.demo",),
    "werkzeug": ("workqueue.demo", "workqueue.web.flask"),
    "ijson": ("workqueue.demo",),
    "starlette": ("workqueue.web.starlette",),
    "django": ("workqueue.web.django",),
    "prometheus_client": ("workqueue.monitoring.prometheus",),
    "opentelemetry": ("workqueue.monitoring.opentelemetry",),
    "obstore": ("workqueue.storage.bucket",),
    "gevent": (),
    "eventlet": (),
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
        ("workqueue.engines.local.run", "import workqueue.engines.host.line.log", "which is above it"),
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
        ("workqueue.engines.cluster.moves", "import nats.errors", "imports nats.errors, which belongs in"),
        ("workqueue.engines.cluster.moves", "from workqueue.engines.cluster.connection import told", "cluster.log"),
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


# What is made in few rooms, each of which has its reason

#: Where threads are started; everywhere else it is a `WorkerThread`, which no exception ends.
THREADS = {
    "workqueue.system.worker_thread": "it is the one",
    "workqueue.system.signals": "a handler cannot wait for a thread to start, as threading.Thread does",
    "workqueue.streams.callback": "one for each client that is pushed to, which ends with that client's stream",
    "workqueue.engines.local.pool": "a pool of threads, each of which runs one program at a time",
    "workqueue.storage.at_once": "disks and buckets do many things in the time of one; they end before the call does",
    "workqueue.web.asgi": "a pool that calls `authorize`; what that raises ends its request alone",
    "workqueue.web.overview": "a timer for one connection, which it cuts",
    "workqueue.engines.cluster.loop": "it runs an event loop, which logs what a task raises, and goes on",
    "workqueue.cli.health": "it ends with the command; what a question raises ends that question",
    "workqueue.demo.server": "it ends with the demonstration",
}

_THREAD_MAKERS = ("Thread", "Timer", "ThreadPoolExecutor", "start_new_thread")

#: Where an object keeps the number of a descriptor. It owns what it keeps: closes it once, and hands out no number that
#: another thread could use after that.
DESCRIPTORS = {
    "workqueue.system.wake_pipe": "closed under the lock that guards each use by other threads",
    "workqueue.engines.host.changes": "the kernel's, closed under the lock that guards each use by other threads",
    "workqueue.engines.host.line.member": "closed once, under the connection's lock",
    "workqueue.engines.host.lead": "used and closed by the thread that makes the run alone",
    "workqueue.program.child": "a process's, used by the thread that reads it, and under the process's lock",
    "workqueue.program.popen_child": "as a child's",
    "workqueue.program.guard": "used by the thread that makes the run alone",
    "workqueue.program.helper": "used with the warden's lock held, and closed once it is nobody's but the closer's",
    "workqueue.testing.program": "in pipes of a test's, used by the test's thread",
    "workqueue.program.launcher": "used by the thread that starts a program alone",
}

_DESCRIPTOR_MAKERS = (
    *("open_own", "open_own_pipe", "socket_pair", "above_standard", "mkstemp", "_open_inotify"),
    *(f"os.{name}" for name in ("open", "dup", "pipe", "pipe2", "pidfd_open", "memfd_create", "eventfd", "openpty")),
)


def name_of(node: ast.expr) -> str:
    """What is called, as it is written: `os.open`."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def thread_makers(source: str) -> list[str]:
    """What in this source makes a thread, or is a kind of one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        used = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
        found += [name_of(expression) for expression in used]
    return [name for name in found if name.rpartition(".")[2] in _THREAD_MAKERS]


def kept_descriptors(source: str) -> list[str]:
    """The attributes of objects in this source that are set to a descriptor just opened."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        kept = [part for target in targets for part in ast.walk(target) if isinstance(part, ast.Attribute)]
        calls = [name_of(part.func) for part in ast.walk(node.value) if isinstance(part, ast.Call)]
        if kept and any(name in _DESCRIPTOR_MAKERS for name in calls):
            found += [name_of(target) for target in kept]
    return found


@pytest.mark.parametrize("module", SOURCES)
def test_threads_are_made_and_descriptors_kept_where_there_is_a_reason(module: str) -> None:
    source = SOURCES[module].read_text()
    assert bool(thread_makers(source)) == (module in THREADS)
    assert bool(kept_descriptors(source)) == (module in DESCRIPTORS)


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("import threading\nt = threading.Thread(target=f)", ["threading.Thread"]),
        ("from threading import Timer\ndef f():\n    Timer(1, g).start()", ["Timer"]),
        ("class T(threading.Thread):\n    pass", ["threading.Thread"]),
        ("_thread.start_new_thread(f, ())", ["_thread.start_new_thread"]),
        ("pool = ThreadPoolExecutor(2) if x else y", ["ThreadPoolExecutor"]),
        ("t: threading.Thread | None = None\ncurrent = threading.current_thread()", []),
        ("worker = WorkerThread('a', turn)", []),
    ],
)
def test_a_thread_that_is_made_is_found(source: str, made: list[str]) -> None:
    assert thread_makers(source) == made


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("self._fd = os.open(path, flags)", ["self._fd"]),
        ("self.r, self.w = os.pipe()", ["self.r", "self.w"]),
        ("self._fd: int = open_own(lambda: os.open(path, 0))", ["self._fd"]),
        ("if x:\n    self._fd = None if y else os.dup(fd)", ["self._fd"]),
        ("fd = os.open(path, flags)", []),
        ("self._file = Owned(path)", []),
    ],
)
def test_a_descriptor_that_is_kept_is_found(source: str, kept: list[str]) -> None:
    assert kept_descriptors(source) == kept
