"""The list of changes that no test can see."""

from pathlib import Path

import pytest

import workqueue
from tests.mutants import equivalents
from tests.mutants.equivalents import Equivalent

#: Where the package is, which may be installed.
ROOT = Path(workqueue.__file__).parents[1]

ENTRY = Equivalent("workqueue/a.py", "f", "x = 'a' + \"b\"", r"x = 'a\n' - \"b\"", "why it's the same")


def test_each_is_about_code_that_is_there_and_has_its_reason() -> None:
    assert equivalents.stale(equivalents.read(), ROOT) == []


def test_none_is_listed_twice() -> None:
    names = [item.name for item in equivalents.read()]
    assert len(names) == len(set(names))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "equivalents.toml"
    file.write_text(equivalents.entry(ENTRY.name, ENTRY.reason))
    assert equivalents.read(file) == [ENTRY]


@pytest.mark.parametrize(
    ("code", "reason", "is_stale"),
    [
        ("def f():\n    x = 'a' + \"b\"", "why", False),
        ("def f():\n    x = 'a' + \\\n        \"b\"", "why", True),
        ("def f():\n    x = 'ab'", "why", True),
        ("def f():\n    x = 'a' + \"b\"", " ", True),
        (None, "why", True),
    ],
)
def test_one_about_code_that_has_gone_is_stale(code: str | None, reason: str, is_stale: bool, tmp_path: Path) -> None:
    (tmp_path / "workqueue").mkdir()
    if code is not None:
        (tmp_path / ENTRY.module).write_text(code)
    listed = [ENTRY._replace(reason=reason)]
    assert equivalents.stale(listed, tmp_path) == (listed if is_stale else [])
