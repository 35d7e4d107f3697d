"""What a program gets of the server's environment, and what is added."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import WorkQueue
from workqueue.program.environment import LEAST, check_environment, make_environment
from workqueue.program.interpreter import python

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a secret, and something that is no text in any encoding."""
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    monkeypatch.setitem(os.environb, b"BYTES", b"\xff")
    monkeypatch.setenv("TMPDIR", "/tmp")


def test_all_of_it_by_default() -> None:
    environment = make_environment({"ADDED": "Zürich"})
    assert environment[b"DATABASE_PASSWORD"] == b"secret"
    assert environment[b"BYTES"] == b"\xff"
    assert environment[b"ADDED"] == "Zürich".encode()
    assert environment[b"PYTHONUNBUFFERED"] == b"1"


def test_some_names_of_it() -> None:
    environment = make_environment({"ADDED": "x"}, ("BYTES", "NO_SUCH"))
    assert set(environment) == {b"BYTES", b"PATH", b"ADDED", b"PYTHONUNBUFFERED"}


def test_as_little_as_can_be() -> None:
    environment = make_environment({}, inherited=False)
    assert set(environment) == {os.fsencode(name) for name in (*LEAST, "PYTHONUNBUFFERED") if name in os.environ} | {
        b"PATH",
        b"PYTHONUNBUFFERED",
    }
    assert environment[b"TMPDIR"] == b"/tmp"


def test_what_is_added_takes_the_place_of_what_is_there() -> None:
    environment = make_environment({"DATABASE_PASSWORD": "other", "PATH": "/bin", "PYTHONUNBUFFERED": ""})
    assert environment[b"DATABASE_PASSWORD"] == b"other"
    assert environment[b"PATH"] == b"/bin"
    assert environment[b"PYTHONUNBUFFERED"] == b""


def test_the_servers_python_comes_first(make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if its environment were activated: it has what the program imports."""
    other = tmp_path / "bin" / "python3"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\nexit 9\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{other.parent}:{os.environ['PATH']}")
    program = tmp_path / "program"
    program.write_text("#!/usr/bin/env python3\nimport sys\nopen(sys.argv[-1], 'w').write(sys.prefix)\n")
    program.chmod(0o755)
    queue = make_queue(program)
    job = queue.ensure_run(("a",))
    assert job is not None
    assert job.wait(10).error is None
    with queue.open_result(("a",)) as path:
        assert path.read_text() == sys.prefix


def test_path_is_as_it_was_where_the_servers_python_comes_first_already(monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{sys.prefix}/bin:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    assert make_environment({})[b"PATH"] == path.encode()


def test_a_queue_passes_on_what_it_was_told(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo "$DATABASE_PASSWORD,$ADDED" > "$output"')
    for n, (options, expected) in enumerate(
        [
            ({}, "secret,\n"),
            ({"env": {"ADDED": "x"}}, "secret,x\n"),
            ({"env": {"ADDED": "x"}, "inherit_env": False}, ",x\n"),
            ({"inherit_env": ["DATABASE_PASSWORD"]}, "secret,\n"),
        ]
    ):
        queue = make_queue(program, storage_dir=tmp_path / f"results {n}", **options)
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(10).error is None
        with queue.open_result(("a",)) as path:
            assert path.read_text() == expected


@pytest.mark.parametrize(
    ("env", "inherit_env", "error", "message"),
    [
        ({}, "PATH", TypeError, "a collection of names, not one name"),
        ({"A": 1}, True, TypeError, "must be strings; got 1"),
        ({}, [b"PATH"], TypeError, "must be strings; got b'PATH'"),
        ({"": "x"}, True, ValueError, "must not be empty"),
        ({"A=B": "x"}, True, ValueError, "got 'A=B'"),
        ({}, ["A=B"], ValueError, "got 'A=B'"),
        ({"A": "x\0"}, True, ValueError, "NUL"),
    ],
)
def test_what_can_be_no_environment_is_refused(
    make_queue: MakeQueue, env: dict[str, str], inherit_env: bool, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_environment(env, inherit_env)
    with pytest.raises(error, match=message):
        make_queue(python(), env=env, inherit_env=inherit_env)
