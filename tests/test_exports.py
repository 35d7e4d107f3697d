"""What is public is named in `__all__`, documented, and nothing else is there."""

import ast
import importlib
import inspect
import itertools
import re
import types
from pathlib import Path

import pytest

import workqueue
import workqueue.builder  # here, since it holds a duplicate of stdout from its import on

PUBLIC = (
    "workqueue",
    "workqueue.builder",
    "workqueue.streams",
    "workqueue.engines",
    "workqueue.storage",
    "workqueue.testing",
    "workqueue.web",
)

#: The rooms that a request passes through, with the stages of their modules; the others serve them, or use them.
STAGES = {
    "work_queue": "0",
    "options": "0",
    "parts": "0",
    "params": "1",
    "storage": "1 and 5",
    "jobs": "2|3|2 and 3",
    "engines": "4",
    "program": "5",
    "progress": "5",
    "redaction": "5",
    "streams": "5|6|5 and 6",
    "web": "7",
}

ROOT = Path(workqueue.__file__).parent


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    names = module.__all__
    assert isinstance(names, tuple)
    assert len(set(names)) == len(names)
    for public in names:
        thing = getattr(module, public)
        # An alias of a type has no docstring of its own; the string below it is for readers and for the docs.
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert inspect.getdoc(thing), f"{name}.{public} has no docstring"
        else:
            assert public in documented_names(), f"{name}.{public} is not documented"


def documented_names() -> set[str]:
    """Names that some source of the library assigns, with a string below that says what they are."""
    found = set()
    for path in ROOT.rglob("*.py"):
        body = ast.parse(path.read_text()).body
        for statement, below in itertools.pairwise(body):
            match statement, below:
                case (
                    ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str())),
                ):
                    found.add(name)
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_without_an_underscore_is_public(name: str) -> None:
    """Imported modules aside: importing a submodule makes it an attribute."""
    module = importlib.import_module(name)
    there = {
        attribute
        for attribute in dir(module)
        if not attribute.startswith("_") and not isinstance(getattr(module, attribute), types.ModuleType)
    }
    assert set(vars(module)) <= set(dir(module))
    assert there == set(module.__all__)


def test_errors_are_public_by_their_class() -> None:
    errors = importlib.import_module("workqueue.errors")
    for name, value in vars(errors).items():
        if inspect.isclass(value):
            assert issubclass(value, workqueue.WorkQueueError)
            assert name in (errors.__doc__ or "")
            assert inspect.getdoc(value)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_and_those_of_the_flow_where_they_stand(path: Path) -> None:
    """The first lines of all modules, sorted, tell the way of a request: stage, name within the room, task."""
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    room, *within = path.relative_to(ROOT).with_suffix("").parts
    if room in STAGES:
        names = [name for name in within if name != "__init__"]
        assert re.match(rf"({STAGES[room]}) {' '.join(names) or room}: ", docstring), docstring.splitlines()[0]


def test_the_map_of_the_package_names_each_room_and_nothing_else() -> None:
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    named = set(re.findall(r"^    (\w+)(?:/|  )", workqueue.__doc__ or "", re.MULTILINE))
    assert named == {room for room in rooms if not room.startswith("_")}
