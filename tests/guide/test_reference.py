"""The pages of options, of the command line and of symptoms say what the code says."""

import ast
import importlib.util
import inspect
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import workqueue
from tests.readme import DOCS
from workqueue import WorkQueue
from workqueue.cli.parser import build_parser

#: Messages that docs/troubleshooting.rst gives in part, with "..." for what differs.
_QUOTED = re.compile(r"^``([^`]+)``  ", re.MULTILINE)


@cache
def parsers() -> ModuleType:
    path = DOCS / "_ext" / "parsers.py"
    spec = importlib.util.spec_from_file_location("parsers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def texts() -> str:
    """Every text in the package, a line each, with "..." for what is put into it."""
    found = []
    for path in Path(workqueue.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "..." for part in node.values]
                found.append("".join(map(str, parts)))
    return "\n".join(found)


def test_every_option_of_a_queue_is_in_the_tables() -> None:
    told = re.findall(r"^``(\w+)``  ", (DOCS / "options.rst").read_text(), re.MULTILINE)
    parameters = [name for name in inspect.signature(WorkQueue.__init__).parameters if name != "self"]
    assert sorted(told) == sorted(parameters)


@pytest.mark.parametrize(("name", "default"), [("max_running", 2), ("retry_delay", 60), ("token_in", '``"argv"``')])
def test_defaults_are_those_of_the_code(name: str, default: object) -> None:
    row = next(line for line in (DOCS / "options.rst").read_text().splitlines() if line.startswith(f"``{name}``  "))
    assert row.split()[1] == str(default)
    if name != "max_running":  # whose default is the engine's
        expected = inspect.signature(WorkQueue.__init__).parameters[name].default
        assert str(default).strip('`"') == str(expected).removesuffix(".0")


def test_each_command_has_a_section_with_all_its_options() -> None:
    commands = parsers().commands(build_parser())
    assert {"run", "check", "ls"} <= set(commands)
    for name, (summary, parser) in commands.items():
        text = "\n".join(parsers().section(name, summary, parser))
        assert text.startswith(f"workqueue {name}\n---")
        usage = parser.format_usage()
        for option in re.findall(r"(?<=\[)--[\w-]+", usage):
            assert f"``{option}" in text, (name, option)
        assert "%(default)s" not in text


def test_no_markup_and_no_lost_dashes_in_what_a_parser_says() -> None:
    escaped = parsers()._escaped("the *.txt files, |x|, and what --once prints")
    assert escaped == r"the \*.txt files, \|x\|, and what ``--once`` prints"


def test_messages_in_the_list_of_symptoms_are_those_of_the_code() -> None:
    quoted = _QUOTED.findall((DOCS / "troubleshooting.rst").read_text())
    assert len(quoted) >= 14
    for message in quoted:
        if message != "ProgramError":
            assert message in texts(), message
    page = " ".join((DOCS / "troubleshooting.rst").read_text().split())
    for name in ("this server has one thread in each process", "flush stdout after each line"):
        assert name in page
        assert name in texts()
