"""The examples of docs/storage.rst and docs/results.rst, as their readers would copy them."""

import contextlib
import inspect
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import write_program
from tests.objects.server import ObjectServer
from tests.readme import DOCS, block
from workqueue import OverviewViewParams, ResultNotFound, WorkQueue
from workqueue.storage.objects import ObjectStorage
from workqueue.testing import ScriptedProgram, output
from workqueue.web import OverviewTokenCheck
from workqueue.web.wsgi import GenerateApp

PAGE = DOCS / "storage.rst"
RESULTS = DOCS / "results.rst"


def test_the_page_tells_the_default_of_revalidate() -> None:
    default = inspect.signature(ObjectStorage).parameters["revalidate"].default
    assert f"for ``revalidate`` seconds ({default:g})" in PAGE.read_text()


def test_the_examples_keep_find_and_read_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seaweedfs: ObjectServer, prefix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweedfs.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.credentials["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.credentials["secret_access_key"])
    bucket = block("bucket.py", PAGE)
    for theirs, ours in (
        ("s3://my-bucket/indexes", seaweedfs.url(prefix)),
        ("/var/cache/my-plugin", "cache"),
        ("eu-central-1", "us-east-1"),
    ):
        assert theirs in bucket
        bucket = bucket.replace(theirs, ours)
    program = ScriptedProgram(tmp_path / "program", output(b"the index"))
    Path("process-docset.py").symlink_to(program.path)
    for example in (block("disk.py", PAGE), bucket):
        names: dict[str, Any] = {"WorkQueue": WorkQueue, "ResultNotFound": ResultNotFound, "search": Path.read_bytes}
        exec(example, names)
        queue: WorkQueue = names["queue"]
        names["params"] = ("a",)
        exec(block("search.py", RESULTS), names)
        assert "hits" not in names
        with queue:
            job = queue.ensure_run(("a",))
            assert job is not None
            assert job.wait(30).returncode == 0
        exec(block("search.py", RESULTS), names)
        assert names["hits"] == b"the index"
    assert len(program.runs) == 2


def test_what_is_known_of_a_result_goes_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"the index"))
    with WorkQueue(program.path, storage_dir=tmp_path / "databases") as queue:
        assert queue.ensure_run(("a",)).wait(30).returncode == 0  # type: ignore[union-attr]
        info = queue.result_info(("a",))
        assert info is not None
        names: dict[str, Any] = {"queue": queue, "params": ("a",)}
        exec(block("info.py", RESULTS), names)
        assert capsys.readouterr().out.split()[:1] == ["9"]
        exec(block("serve.py", RESULTS), names)
        assert names["headers"] == {"ETag": f'"{info.etag}"', "Content-Length": "9"}


def test_tokens_are_no_part_of_a_result_and_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = ScriptedProgram(tmp_path / "program", output(b"the index"))
    Path("process-docset.py").symlink_to(program.path)
    names: dict[str, Any] = {
        "WorkQueue": WorkQueue,
        "GenerateApp": GenerateApp,
        "OverviewTokenCheck": OverviewTokenCheck,
    }
    exec(block("naming.py", RESULTS), names)
    with names["queue"] as queue:
        job = queue.ensure_run(OverviewViewParams("https://overview.example", "1", "a token"))
        assert job.wait(30).returncode == 0
        assert queue.ensure_run(OverviewViewParams("https://overview.example", "1", "another")) is None
        exec(block("key_and_authorize.py", RESULTS), names)
        with pytest.raises(TypeError, match="authorize"):
            GenerateApp(queue)


def test_a_result_may_be_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_program(tmp_path / "index-docset.py", 'printf built > "$output/file"')
    names: dict[str, Any] = {"WorkQueue": WorkQueue}
    exec(block("directory.py", RESULTS), names)
    with names["queue"] as queue:
        assert queue.ensure_run(("a",)).wait(30).returncode == 0
        with queue.open_result(("a",)) as path:
            assert (path / "file").read_text() == "built"


def test_a_database_is_read_as_the_page_has_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """One in WAL mode too, as results may be that are older than the check."""
    path = tmp_path / "result"
    for mode in ("DELETE", "WAL"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA journal_mode={mode}")
            database.execute(f"CREATE TABLE {mode.lower()}_mode (x)")
        path.chmod(0o400)
        names: dict[str, Any] = {"sqlite3": sqlite3, "path": path}
        exec(block("sqlite.py", RESULTS), names)
        with contextlib.closing(names["database"]) as database:
            assert database.execute(f"SELECT count(*) FROM {mode.lower()}_mode").fetchone() == (0,)
        assert list(tmp_path.iterdir()) == [path]
        path.chmod(0o600)
