"""What pyproject.toml says, against what else says the same."""

import configparser
import re
import tomllib
from typing import Any

import pytest

import workqueue
from tests.readme import ROOT
from tests.release.source import source_file


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def test_the_version_is_said_in_one_place() -> None:
    """That of the package; all that is built has it from there."""
    assert "version" not in project()
    assert project()["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|(a|b|rc)\d+)?", workqueue.__version__)


def test_the_changelog_begins_with_this_version() -> None:
    [latest] = re.findall(r"^(\d+\.\d+\.\d+) \(.*\)\n-+$", source_file("CHANGELOG.rst").read_text(), re.MULTILINE)[:1]
    assert workqueue.__version__.startswith(latest)


def test_every_classifier_is_one() -> None:
    known = pytest.importorskip("trove_classifiers", reason="no trove-classifiers: pip install hatchling").classifiers
    classifiers = project()["classifiers"]
    assert set(classifiers) <= known
    assert classifiers == sorted(classifiers)


def pythons_of_tox() -> list[str]:
    """The versions that tox runs the tests with, such as 3.11."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read_string(source_file("tox.ini").read_text())
    return [f"{name[2]}.{name[3:]}" for name in re.findall(r"py\d+", tox["tox"]["env_list"])]


def test_the_pythons_that_are_named_are_those_that_are_tested() -> None:
    prefix = "Programming Language :: Python :: "
    named = [line.removeprefix(prefix) for line in project()["classifiers"] if line.startswith(prefix)]
    assert named == ["3 :: Only", *pythons_of_tox()]
    assert project()["requires-python"] == f">={pythons_of_tox()[0]}"


def test_the_core_depends_on_reactivex_alone() -> None:
    [line] = project()["dependencies"]
    assert line.startswith("reactivex>=")


@pytest.mark.parametrize("extra", sorted(project()["optional-dependencies"]))
def test_an_extra_says_which_versions_it_takes(extra: str) -> None:
    for line in project()["optional-dependencies"][extra]:
        requirement = line.partition(";")[0]
        assert requirement.startswith("overview-plugin-workqueue[") or ">=" in requirement, line
