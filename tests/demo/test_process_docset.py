"""The program, run as a program, against real servers."""

import http.server
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask, Response

from tests.demo.conftest import TOKEN, make_document_set
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.server import listen
from workqueue.demo.stage import PROGRAM

Serve = Callable[[Flask], str]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The output file, empty and alone in its directory, as the queue gives it."""
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "output"
    path.touch()
    return path


def run_program(
    server: str, output: Path, *, set_id: str = "7", token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-W", "error", str(PROGRAM), server, set_id, token, str(output)]
    return subprocess.run(argv, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)


def assert_fails(run: subprocess.CompletedProcess[str], message: str) -> None:
    """One line says why; it holds no traceback and no secret."""
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert re.search(message, run.stderr), run.stderr
    assert TOKEN not in run.stderr + run.stdout


def serve_body(serve: Serve, body: str | bytes, status: int = 200) -> str:
    """A server that answers everything so."""
    app = Flask("canned")
    app.add_url_rule("/<path:_>", view_func=lambda _: Response(body, status))
    return serve(app)


def test_it_is_executable() -> None:
    assert os.access(PROGRAM, os.X_OK)
    assert PROGRAM.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_it_builds_a_searchable_index_of_every_document(serve: Serve, output: Path) -> None:
    run = run_program(serve(create_overview_api(make_document_set(45), TOKEN)), output)
    assert (run.returncode, run.stderr) == (0, "")
    assert list(output.parent.iterdir()) == [output]
    with closing(sqlite3.connect(f"{output.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        query = "SELECT rowid, title, text FROM documents WHERE documents MATCH ?"
        assert database.execute(query, ["word44"]).fetchall() == [((7 << 32) + 44, "Title 44", "common word44 café 😀")]
        assert len(database.execute(query, ["common"]).fetchall()) == 45


def test_its_progress_is_valid_and_honest(serve: Serve, output: Path) -> None:
    run = run_program(serve(create_overview_api(make_document_set(45), TOKEN)), output)
    lines = run.stdout.splitlines(keepends=True)
    matches = [re.fullmatch(r"(\d\.\d+)\tIndexed (\d+) of 45 documents\n", line) for line in lines]
    told = [(float(match[1]), int(match[2])) for match in matches if match]
    assert len(told) == len(lines)
    assert told == sorted(set(told))
    assert told[-1] == (1.0, 45)
    assert all(fraction == pytest.approx(done / 45, abs=1e-4) for fraction, done in told)


def test_a_set_without_documents_is_an_index_too(serve: Serve, output: Path) -> None:
    run = run_program(serve(create_overview_api(make_document_set(0), TOKEN)), output)
    assert (run.returncode, run.stdout) == (0, "1.0000\tIndexed 0 of 0 documents\n")
    assert output.stat().st_size > 0


def test_a_path_before_the_api_is_kept(serve: Serve, output: Path) -> None:
    inner = create_overview_api(make_document_set(2), TOKEN)
    app = Flask("prefix")
    app.wsgi_app = lambda environ, start: inner.wsgi_app(  # type: ignore[method-assign]
        environ | {"PATH_INFO": environ["PATH_INFO"].removeprefix("/a b")}, start
    )
    assert run_program(serve(app) + "/a b/", output).returncode == 0


@pytest.mark.parametrize("after", [0, 25])
def test_a_stream_that_broke_off_is_an_error(serve: Serve, output: Path, after: int) -> None:
    url = serve(create_overview_api(make_document_set(45), TOKEN, truncate_after=after))
    assert_fails(run_program(url, output), "broke off before its end")


def test_a_stream_with_too_few_documents_is_an_error(serve: Serve, output: Path) -> None:
    page = {"pagination": {"total": 3}, "items": [{"id": 1, "title": None, "text": "x"}]}
    assert_fails(run_program(serve_body(serve, json.dumps(page)), output), "announced 3 documents but sent 1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<html>Welcome</html>", "not JSON"),
        ("", "broke off before its end, or is not JSON"),
        ("{}", "lacks the number of documents"),
        ("[1, 2]", "lacks the number of documents"),
        ('{"pagination":{"total":1},"items":[5]}', "not a document"),
        ('{"pagination":{"total":1},"items":[{"title":"x"}]}', "not a document"),
        ('{"pagination":{"total":1},"items":[{"id":99999999999999999999}]}', "not a document"),
        ('{"pagination":{"total":2},"items":[{"id":1},{"id":1}]}', "Cannot write the index"),
        (b'{"pagination":{"total":1},"items":[{"id":1,"text":"\xff"}]}', "JSON"),
    ],
)
def test_an_answer_that_is_none_is_an_error(serve: Serve, output: Path, body: str | bytes, message: str) -> None:
    assert_fails(run_program(serve_body(serve, body), output), message)


def test_a_wrong_token_is_an_error(serve: Serve, output: Path) -> None:
    url = serve(create_overview_api(make_document_set(1), TOKEN))
    run = run_program(url, output, token="wrong0secret")
    assert_fails(run, "answered HTTP 401: it does not accept the API token")
    assert "wrong0secret" not in run.stderr


def test_a_token_of_another_set_is_an_error(serve: Serve, output: Path) -> None:
    run = run_program(serve(create_overview_api(make_document_set(1), TOKEN)), output, set_id="8")
    assert_fails(run, "answered HTTP 403: the API token is for another document set")


@pytest.mark.parametrize(("status", "message"), [(404, "no such document set"), (503, "UNAVAILABLE"), (302, "FOUND")])
def test_any_other_status_is_an_error(serve: Serve, output: Path, status: int, message: str) -> None:
    assert_fails(run_program(serve_body(serve, "", status), output), f"HTTP {status}: .*{message}")


def test_a_server_that_is_not_there_is_an_error(output: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    run = run_program(f"http://127.0.0.1:{port}", output)
    assert_fails(run, rf"Cannot reach Overview at http://127\.0\.0\.1:{port}: Connection refused")


@pytest.mark.parametrize("server", ["http://[", "http://127.0.0.1:99999999", "nonsense"])
def test_an_address_that_is_none_is_an_error(output: Path, server: str) -> None:
    assert_fails(run_program(server, output), "")


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """A server that sends these bytes and hangs up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "connection to Overview failed"),
        (b"SSH-2.0-OpenSSH\r\n", "connection to Overview failed"),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n', "broke off before the last"),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"a":', "broke off"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"a":', "broke off before its end"),
        (b'HTTP/1.0 200 OK\r\n\r\n{"pagination":{"total":1},"items":[', "broke off before its end"),
    ],
)
def test_a_connection_that_breaks_is_an_error(output: Path, answer: bytes, message: str) -> None:
    with raw_server(answer) as server:
        assert_fails(run_program(server, output), message)


def test_an_output_that_cannot_be_written_is_an_error(serve: Serve, tmp_path: Path) -> None:
    url = serve(create_overview_api(make_document_set(1), TOKEN))
    assert_fails(run_program(url, tmp_path / "missing" / "output"), "Cannot write the index: unable to open")


def test_called_wrongly_it_says_how(output: Path) -> None:
    run = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("Usage: process-docset.py SERVER DOCUMENT_SET_ID")


def test_without_ijson_it_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "ijson.py").write_text("raise ImportError")
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    argv = [sys.executable, PROGRAM, "a", "b", "c", "d"]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
    assert run.returncode == 1
    assert "pip install 'overview-plugin-workqueue[demo]'" in run.stderr
