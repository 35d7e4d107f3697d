"""Programs that use the helper, below a real queue: what its clients are told."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ensure
from workqueue import OverviewViewParams, WorkQueue
from workqueue.testing import collect

MakeQueue = Callable[..., WorkQueue]

BUILD = """
from workqueue.builder import arguments, claim_stdout, fail, part, tqdm, track

claim_stdout()
print("a stray print")
server, document_set_id, api_token, output = arguments("server", "document_set_id", "api_token")
if server == "http://down":
    fail("it does not answer", status=3)
with part(0.5):
    documents = list(track("abcd", "Reading {n} of {total}"))
with part(0.5), open(output, "w") as file:
    for document in tqdm(documents, desc="Writing"):
        file.write(document + api_token)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that is started by a shell, since an interpreter's path may hold a blank."""
    (tmp_path / "build.py").write_text(BUILD)
    path = tmp_path / "build"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/build.py" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("token_in", ["argv", "env"])
def test_clients_are_told_and_the_result_is_there(make_queue: MakeQueue, program: Path, token_in: str) -> None:
    queue = make_queue(program, token_in=token_in)
    params = OverviewViewParams("http://localhost", "1", "-")
    job = queue.ensure_run(params)
    assert job is not None
    events = collect(job)
    assert events[-1].returncode == 0
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert "Writing: 4/4" in [event.message for event in events]
    with queue.open_result(params) as path:
        assert path.read_text() == "a-b-c-d-"


def test_a_failure_is_told_with_its_reason(
    make_queue: MakeQueue, program: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = collect(ensure(make_queue(program), "http://down", "1", "token"))[-1]
    assert (last.returncode, last.error) == (3, "Exited with code 3\nstderr:\na stray print\nit does not answer\n")
    assert "invalid program" not in caplog.text


def test_wrong_arguments_are_told_with_the_usage(make_queue: MakeQueue, program: Path) -> None:
    last = collect(ensure(make_queue(program), "http://localhost"))[-1]
    assert last.returncode == 2
    assert "usage: build.py SERVER DOCUMENT_SET_ID API_TOKEN OUTPUT_FILENAME" in (last.error or "")
