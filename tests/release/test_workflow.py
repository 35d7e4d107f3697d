"""The workflow of the repository's host runs `.ci/run`, and may do nothing else."""

import os
import re
from typing import Any

import pytest

from tests.release.source import SOURCE, source_file
from tests.release.test_metadata import pythons_of_tox
from tests.tools import missing

WORKFLOW = ".github/workflows/ci.yml"


@pytest.fixture(scope="module")
def text() -> str:
    if not (SOURCE / ".github").exists():
        pytest.skip("an sdist has no workflow: run it in a checkout")
    return source_file(WORKFLOW).read_text()


@pytest.fixture(scope="module")
def workflow(text: str) -> dict[Any, Any]:
    try:
        import yaml
    except ModuleNotFoundError:
        missing("no YAML reader: pip install pyyaml")
    data: dict[Any, Any] = yaml.safe_load(text)
    return data


@pytest.fixture(scope="module")
def job(workflow: dict[Any, Any]) -> dict[str, Any]:
    """Its only one."""
    [job] = workflow["jobs"].values()
    assert isinstance(job, dict)
    return job


def test_it_may_read_the_source_and_nothing_else(workflow: dict[Any, Any], job: dict[str, Any], text: str) -> None:
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read"}
    assert "secrets" not in text
    # A pull request of a stranger's is tested as theirs. YAML 1.1 takes the key "on" for true.
    assert set(workflow[True]) == {"push", "pull_request"}


def test_each_action_is_named_by_the_hash_of_a_commit(job: dict[str, Any], text: str) -> None:
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    for action in actions:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)
        assert re.search(rf"uses: {action} # v\d+\.\d+\.\d+$", text, re.MULTILINE), f"{action} lacks its version"


def test_the_checkout_keeps_no_credentials(job: dict[str, Any]) -> None:
    [checkout] = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"] == {"persist-credentials": False}


def test_it_runs_the_command_that_everybody_runs(job: dict[str, Any]) -> None:
    *_, last = job["steps"]
    assert last == {"run": ".ci/run"}
    assert os.access(source_file(".ci/run"), os.X_OK)
    for step in job["steps"]:
        assert "${{" not in step.get("run", ""), "what comes from outside is no part of a script"
        assert "continue-on-error" not in step
    assert job["timeout-minutes"] <= 180


def test_it_runs_on_each_python(job: dict[str, Any]) -> None:
    assert job["strategy"]["matrix"]["python"] == pythons_of_tox()
    assert "${{ matrix.python }}" in job["container"]["image"]
