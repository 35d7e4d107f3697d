"""What the demo starts, and clears away."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.demo.conftest import TOKEN, ask, basic
from tests.demo.library_demo import Gates, LibraryDemo, offered
from workqueue import OverviewViewParams
from workqueue.demo.library import Library
from workqueue.demo.server import listen
from workqueue.demo.stage import PROGRAM, open_library, open_stage, real_overview, runnable, stand_in
from workqueue.demo.texts import Text


def test_a_stage_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = os.environ["PATH"]
    with open_stage(stand_in([Text("a", "a", "a")], None, 1.0), listen("127.0.0.1", 0)) as stage:
        assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
        assert len(list(tmp_path.iterdir())) == 1
        answer = ask(stage.show_url())
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        params = stage.params
        assert ask(f"{params.server}/api/v1/api-token", basic(params.api_token)).status == 200
    assert os.environ["PATH"] == path
    assert list(tmp_path.iterdir()) == []


def test_the_address_says_what_overview_says() -> None:
    params = OverviewViewParams("http://o/a b", "7", TOKEN)
    with open_stage(real_overview(params), listen("127.0.0.1", 0)) as stage:
        assert stage.params is params
        query = f"server=http%3A%2F%2Fo%2Fa+b&origin=http%3A%2F%2Fo%2Fa+b&documentSetId=7&apiToken={TOKEN}"
        assert stage.show_url() == f"{stage.plugin_url}/show?{query}"


def test_where_a_token_is_not_for_everybody_the_root_says_where_the_page_is() -> None:
    params = OverviewViewParams("http://overview", "7", TOKEN)
    with open_stage(real_overview(params), listen("127.0.0.1", 0)) as stage:
        assert not stage.has_home
        answer = ask(f"{stage.plugin_url}/")
        assert answer.status == 404
        assert answer.body.startswith(b"The address of the demo's page has a token in it")
        assert TOKEN.encode() not in answer.body


def test_a_library_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    library = Library([offered("Alpha"), offered("Beta")], delay=0)
    with open_library(library, listen("127.0.0.1", 0)) as stage:
        assert stage.has_home
        assert stage.params.document_set_id == "1"
        assert ask(stage.show_url()).status == 200
        demo = LibraryDemo(stage, Gates())
        with demo.generate("2") as build:
            assert build.last()["returncode"] == 0
        [scratch] = tmp_path.iterdir()
        assert len([path for path in (scratch / "databases").iterdir() if path.is_file()]) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_start_leaves_no_port() -> None:
    def refuse(_: ExitStack) -> OverviewViewParams:
        raise ZeroDivisionError

    listener = listen("127.0.0.1", 0)
    with pytest.raises(ZeroDivisionError), open_stage(refuse, listener):
        pass
    assert listener.fileno() == -1


def test_a_program_that_lost_its_mode_is_copied(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    copy = runnable(program, scratch)
    assert copy == scratch / "program"
    assert copy.read_text() == "#!/bin/sh\n"
    assert copy.stat().st_mode & 0o777 == 0o700
    assert runnable(PROGRAM, scratch) == PROGRAM
