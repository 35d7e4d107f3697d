"""Whose a result is, with real programs: on disk and in a bucket, in one process and in four."""

from pathlib import Path

import pytest

from tests.conformance.client import Request, answers
from tests.conformance.test_storage import MakeStorage, make_storage, server
from tests.conftest import write_program
from workqueue import OverviewViewParams

__all__ = ("make_storage", "server")

pytestmark = pytest.mark.parametrize("are_processes", [False, True], ids=["one process", "four processes"])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def program(runs: Path, name: str) -> Path:
    """Tells who made the result, for whom; and that it ran."""
    return write_program(runs.parent / name, f'echo "$*" >> \'{runs}\'\necho made by {name} $VERSION > "$output"')


def test_each_program_has_results_of_its_own(make_storage: MakeStorage, runs: Path, *, are_processes: bool) -> None:
    programs = [program(runs, name) for name in ("one", "two")]
    requests = [Request(each, make_storage(), ("a",)) for each in programs * 2]
    assert answers(requests, are_processes=are_processes) == ["made by one\n", "made by two\n"] * 2
    assert len(runs.read_text().splitlines()) == 2


def test_each_version_has_results_of_its_own(make_storage: MakeStorage, runs: Path, *, are_processes: bool) -> None:
    path = program(runs, "one")
    requests = [Request(path, make_storage(), ("a",), version) for version in ("1", "2", "1", "2")]
    assert answers(requests, are_processes=are_processes) == ["made by one 1\n", "made by one 2\n"] * 2
    assert len(runs.read_text().splitlines()) == 2


def test_what_is_no_part_of_the_key_costs_no_build(
    make_storage: MakeStorage, runs: Path, *, are_processes: bool
) -> None:
    """A document set has a token for each View; the program gets that of whoever asked first."""
    path = program(runs, "one")
    views = [OverviewViewParams("https://overview.example", "7", token) for token in ("t1", "t2", "t3", "t4")]
    requests = [Request(path, make_storage(), view, n_fields=2) for view in views]
    assert answers(requests, are_processes=are_processes) == ["made by one\n"] * 4
    [run] = runs.read_text().splitlines()
    server_url, document_set, token, _ = run.split()
    assert (server_url, document_set) == ("https://overview.example", "7")
    assert token in {"t1", "t2", "t3", "t4"}
