"""The README's plugin for Overview, and those of the documentation, served by real servers to real clients."""

import base64
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.readme import DOCS, block
from tests.servers.server import Client, serving
from workqueue.testing import ScriptedProgram, exit_with, output, print_error, say, wait

SERVERS = {
    "flask": ["flask", "--app", "plugin", "run", "--port", "0"],
    "gunicorn gthread": [
        "gunicorn",
        "--worker-class",
        "gthread",
        "--threads",
        "8",
        "--bind",
        "127.0.0.1:0",
        "plugin:app",
    ],
}

#: What else the documentation calls a plugin.
OTHERS = {
    "overview": ("plugin.py", DOCS / "overview.rst"),
    "1.0.1": ("before.py", DOCS / "moving.rst"),
    "moved": ("after.py", DOCS / "moving.rst"),
}

AUTHORIZATION = "Basic " + base64.b64encode(b"token:x-auth-token").decode()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    """Stands at 0.25, then at 0.5, then ends, each time when it is told to go on."""
    steps = say(0.25, "one"), wait("one"), say(0.5, "two"), wait("two"), output(b"the database")
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        yield program


@pytest.fixture(params=SERVERS.values(), ids=SERVERS)
def port(request: pytest.FixtureRequest, tmp_path: Path, program: ScriptedProgram) -> Iterator[int]:
    (tmp_path / "plugin.py").write_text(block("plugin.py"))
    (tmp_path / "process-docset.py").symlink_to(program.path)
    with serving(request.param, tmp_path) as port:
        yield port


def generate(port: int, document_set_id: str = "1") -> Client:
    body = f"server=http://localhost&documentSetId={document_set_id}"
    return Client(port, "/generate", body, Authorization=AUTHORIZATION)


def until(client: Client, fraction: float) -> dict[str, object]:
    """Read on to the first event at this fraction."""
    while (event := client.event())["fraction"] != fraction:
        pass
    return event


def test_each_event_arrives_before_the_next_is_printed(port: int, program: ScriptedProgram) -> None:
    with closing(generate(port)) as client:
        assert client.response.getheader("Content-Type") == "application/json"
        # The program waits until the client has seen the first event, so it cannot have come with the second.
        assert until(client, 0.25)["message"] == "one"
        program.release("one")
        assert until(client, 0.5)["message"] == "two"
        program.release("two")
        assert until(client, 1.0)["returncode"] == 0
        assert client.rest().strip() == "]"


def test_three_clients_of_equal_parameters_share_one_run(port: int, program: ScriptedProgram) -> None:
    clients = [generate(port) for _ in range(3)]
    for fraction, gate in ((0.25, "one"), (0.5, "two")):
        for client in clients:
            until(client, fraction)
        program.release(gate)
    for client in clients:
        assert until(client, 1.0)["returncode"] == 0
        assert client.rest().strip() == "]"
        client.close()
    assert len(program.runs) == 1
    assert program.runs[0][:3] == ["http://localhost", "1", "token"]


def test_a_client_that_left_comes_back_to_where_the_job_is(port: int, program: ScriptedProgram) -> None:
    with closing(generate(port)) as client:
        until(client, 0.25)
    with closing(generate(port)) as client:
        assert client.event()["fraction"] == 0.25
        program.release("one")
        until(client, 0.5)
        program.release("two")
        until(client, 1.0)
    assert len(program.runs) == 1


def test_when_the_file_exists_the_answer_is_an_empty_array(port: int, program: ScriptedProgram) -> None:
    program.release("one")
    program.release("two")
    with closing(generate(port)) as client:
        until(client, 1.0)
    with closing(generate(port)) as client:
        assert client.rest().strip() == "[]"
    assert len(program.runs) == 1


def test_a_failure_is_the_last_event_and_the_next_request_runs_again(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5), print_error("no such set"), exit_with(3))
    (tmp_path / "plugin.py").write_text(block("plugin.py"))
    (tmp_path / "process-docset.py").symlink_to(program.path)
    with serving(SERVERS["flask"], tmp_path) as port:
        for _ in range(2):
            with closing(generate(port)) as client:
                last = until(client, 1.0)
                assert (last["returncode"], last["error"]) == (3, "Exited with code 3\nstderr:\nno such set")
                assert client.rest().strip() == "]"
    assert len(program.runs) == 2


@pytest.mark.parametrize(("name", "page"), OTHERS.values(), ids=OTHERS)
def test_the_plugins_of_the_documentation_stream(
    tmp_path: Path, program: ScriptedProgram, name: str, page: Path
) -> None:
    (tmp_path / "plugin.py").write_text(block(name, page))
    (tmp_path / "process-docset.py").symlink_to(program.path)
    with serving(SERVERS["flask"], tmp_path) as port:
        with closing(generate(port)) as client:
            assert until(client, 0.25)["message"] == "one"
            program.release("one")
            until(client, 0.5)
            program.release("two")
            assert until(client, 1.0)["returncode"] == 0
            assert client.rest().strip() == "]"
        with closing(generate(port)) as client:
            assert client.rest().strip() == "[]"
    assert len(program.runs) == 1


def test_a_search_answers_with_the_result_if_it_is_there(port: int, program: ScriptedProgram) -> None:
    path = "/search?server=http://localhost&documentSetId=1"
    with closing(Client(port, path, None)) as client:
        assert client.response.status == 401
    with closing(Client(port, path, None, Authorization=AUTHORIZATION)) as client:
        assert client.response.status == 404
    with closing(generate(port)) as client:
        program.release("one")
        program.release("two")
        until(client, 1.0)
    with closing(Client(port, path, None, Authorization=AUTHORIZATION)) as client:
        assert (client.response.status, client.rest()) == (200, "the database")


def test_who_has_no_token_or_bad_parameters_is_refused(port: int, program: ScriptedProgram) -> None:
    with closing(Client(port, "/generate", "server=http://localhost&documentSetId=1")) as client:
        assert client.response.status == 401
    with closing(Client(port, "/generate", "server=ftp://x&documentSetId=1", Authorization=AUTHORIZATION)) as client:
        assert client.response.status == 400
        assert "http:// or https://" in client.rest()
    assert program.runs == []
    assert not (Path(os.fspath(program.path)).parent.parent / "databases").exists()
