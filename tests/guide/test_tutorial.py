"""The tutorial, step by step, by what its page asks of its server; tests/browser does it in a browser."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.guide.walk import FILES, PAGE, Folder, server
from tests.readme import block, blocks
from tests.servers.server import Client, Server, eventually, get
from workqueue.cli import main

_SECONDS = re.compile(r"\d+\.\d s")

#: The blocks that are no files.
COMMANDS = {"install", "install-clone", "check", "flask", "gunicorn", "fail", "again", "ls"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.allow(20)


def ask(port: int, name: str) -> Client:
    return Client(port, "/generate", f"name={name}", Accept="application/x-ndjson")


def end_of(client: Client) -> dict[str, object]:
    """The event that says how the job ended."""
    while (event := client.event())["returncode"] is None:
        pass
    return event


def test_every_block_is_used() -> None:
    assert set(blocks(PAGE)) == {*FILES, *COMMANDS}


def test_the_check_says_what_the_page_shows(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    folder.allow(20)
    command, shown = block("check", PAGE).split("\n", 1)
    assert main(command.split()[2:]) == 0
    assert _SECONDS.sub("", capsys.readouterr().out) == _SECONDS.sub("", shown)


def test_one_run_for_all_and_a_report_that_is_there(folder: Folder) -> None:
    with Server(server("flask"), folder.path) as flask:
        with closing(ask(flask.port, "tides")) as first, closing(ask(flask.port, "tides")) as second:
            folder.allow(7)
            for client in (first, second):
                assert client.until(0.35)["message"] == "Wrote page 7 of 20"
            folder.allow(20)
            assert end_of(first)["returncode"] == end_of(second)["returncode"] == 0
        assert get(flask.port, "/reports/tides").splitlines()[6:] == [f"Page {n} about tides" for n in range(7, 21)]
        assert '<workqueue-progress id="progress"' in get(flask.port, "/")
        assert "workqueue-progress" in get(flask.port, "/generate/workqueue.js")


def test_two_reports_are_written_at_a_time(folder: Folder) -> None:
    with Server(server("flask"), folder.path) as flask:
        clients = []
        try:
            for n_ahead, name in [(0, "rain"), (0, "snow"), (2, "wind"), (3, "fog")]:
                clients.append(ask(flask.port, name))
                assert clients[-1].event()["n_ahead_in_queue"] == n_ahead
            folder.allow(20)
            assert [end_of(client)["returncode"] for client in clients] == [0] * 4
        finally:
            for client in clients:
                client.close()


def test_a_failure_with_two_workers_is_tried_again_and_a_restart_keeps_what_is_there(
    folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.run("fail")
    with Server(server("gunicorn"), folder.path) as gunicorn:
        eventually(lambda: gunicorn.output.count("Booting worker") == 2)
        with closing(ask(gunicorn.port, "volcanoes")) as client:
            assert "The printer is out of paper" in str(end_of(client)["error"])
        folder.run("again")
        folder.allow(20)
        with closing(ask(gunicorn.port, "volcanoes")) as client:
            assert end_of(client)["returncode"] == 0
    with Server(server("gunicorn"), folder.path) as gunicorn, closing(ask(gunicorn.port, "volcanoes")) as client:
        assert client.event()["returncode"] == 0
    monkeypatch.chdir(folder.path)
    assert main(block("ls", PAGE).split()[2:]) == 0
    assert " 471 bytes " in capsys.readouterr().out
