"""What the page about the web shows is what happens."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request

from tests.conftest import write_program
from tests.readme import DOCS, block
from tests.recipes.recipe import WEB
from workqueue import Progress, WorkQueue
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.testing import ManualEngine, ScriptedProgram, output, say
from workqueue.web import ProgressStream
from workqueue.web.encodings import Encoding, JsonArray, NdJson, ServerSent
from workqueue.web.fields import MAX_BODY_BYTES
from workqueue.web.flask import progress_response
from workqueue.web.stream import DEFAULT_MAX_DURATION

EVENTS = Progress(1), Progress(0, 0.5, "Read 1 of 2"), Progress(0, 1.0, None, 0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Runs a block of the page in the test's directory; its queue is closed at the end."""
    monkeypatch.chdir(tmp_path)
    write_program(tmp_path / "process-docset.py", "exit 0")  # for recipes that build nothing here
    spaces: list[dict[str, Any]] = []

    def run(name: str, page: Path = WEB) -> dict[str, Any]:
        spaces.append({"__name__": name.removesuffix(".py")})
        exec(compile(block(name, page), name, "exec"), spaces[-1])
        return spaces[-1]

    yield run
    for space in spaces:
        space["queue"].close()


@pytest.mark.parametrize(
    ("name", "encoding"), [("stream.json", JsonArray), ("stream.ndjson", NdJson), ("stream.sse", ServerSent)]
)
def test_the_samples_are_what_is_sent(name: str, encoding: type[Encoding]) -> None:
    encode = encoding().encode
    sent = b"".join(map(encode, EVENTS)).decode()
    assert block(name, WEB).rstrip("\n") == sent.rstrip("\n")


def test_operators_are_put_into_a_response_of_ones_own(tmp_path: Path) -> None:
    engine = ManualEngine()
    with WorkQueue("unused", storage_dir=tmp_path, engine=engine) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        engine.start(job)
        engine.succeed(job)
        names = {"job": job, "request": Request({}), "progress_response": progress_response}
        response = eval(block("events.py", WEB).strip(), names)
        assert json.loads(response.get_data())[-1]["returncode"] == 0


def test_each_header_is_explained() -> None:
    headers = {name: value for name, value in ProgressStream(None).headers.items() if name != "Content-Type"}
    section = WEB.read_text().partition("Headers\n~~~~~~~")[2].partition("``ProgressStream")[0]
    for name, value in headers.items():
        assert f"\n``{name}: {value}``  " in section
    assert section.count("\n``") == len(headers)


def test_parameters_of_ones_own_become_arguments(run: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    with ScriptedProgram(tmp_path / "program", say(0.5), output(b"the report")) as program:
        (tmp_path / "make-report.py").symlink_to(program.path)
        client = Client(run("own_params.py")["app"])
        with closing(client.get("/generate?corpus=enron&year=2001")) as response:
            assert response.status_code == 200
            assert json.loads(response.data)[-1]["returncode"] == 0
        assert [arguments[:-1] for arguments in program.runs] == [["enron", "2001"]]

        refused = client.get("/generate?corpus=enron&year=last")
        assert (refused.status_code, refused.get_json()["detail"]) == (400, "year must be a number")
        lacking = client.get("/generate?year=2001")
        assert lacking.status_code == 400
        assert "corpus is missing" in lacking.get_json()["detail"]
        assert len(program.runs) == 1


def test_a_view_of_ones_own_refuses_as_the_applications_do(
    run: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    with ScriptedProgram(tmp_path / "program", say(0.5), output(b"the report")) as program:
        (tmp_path / "make-report.py").symlink_to(program.path)
        space = run("own_view.py")
        client = Client(space["app"])
        with closing(client.get("/reports?corpus=enron&year=2001")) as response:
            assert json.loads(response.data)[-1]["returncode"] == 0
        lacking, twice, never = map(
            client.get, ("/reports?year=2001", "/reports?year=1&year=2", "/reports?corpus=%00&year=1")
        )
        assert [refused.status_code for refused in (lacking, twice, never)] == [400, 400, 400]
        assert "corpus is missing" in lacking.get_json()["detail"]
        assert "year is twice" in twice.get_json()["detail"]
        assert {refused.content_type for refused in (lacking, twice, never)} == {"application/problem+json"}
        space["queue"].close()
        closed = client.get("/reports?corpus=enron&year=2002")
        assert (closed.status_code, closed.headers["Retry-After"]) == (503, "5")
        assert len(program.runs) == 1


@pytest.mark.parametrize(("name", "page"), [("overview_only.py", WEB), ("checked.py", DOCS / "overview.rst")])
def test_another_overview_is_refused_and_never_connected_to(
    run: Callable[[str, Path], dict[str, Any]], name: str, page: Path
) -> None:
    client = Client(run(name, page)["app"])
    form = {"server": "http://localhost:1", "documentSetId": "1", "apiToken": "token"}
    refused = client.post("/generate", data=form)
    # If Overview had been asked, it would be status 502.
    assert refused.status_code == 400
    assert "not one of those" in refused.get_json()["detail"]


def test_the_sizes_that_the_page_gives_are_those_of_the_code() -> None:
    text = WEB.read_text()
    assert set(re.findall(r"(\d+) [KM]iB", text)) == {str(MAX_BODY_BYTES // 1024)}
    assert (
        f"``max_duration``   seconds after which a stream may end before its job does; {DEFAULT_MAX_DURATION:g}\n"
        in text
    )
    assert f"seconds of silence after which the latest event is sent again; {DEFAULT_HEARTBEAT:g}\n" in text


def test_the_refusal_is_what_is_sent(run: Callable[[str], dict[str, Any]]) -> None:
    client = Client(run("ready_wsgi.py")["app"])
    refused = client.post("/generate", data={"server": "http://localhost", "documentSetId": "1"})
    assert refused.text == block("refusal.json", WEB).rstrip("\n")
    assert refused.status_code == refused.get_json()["status"]
    assert refused.content_type == "application/problem+json"
    assert refused.headers["WWW-Authenticate"].startswith("x-Basic ")
