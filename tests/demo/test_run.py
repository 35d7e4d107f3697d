"""`workqueue demo`, in this process and as a program."""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.demo.conftest import PATIENCE, TOKEN, ask, make_document_set
from tests.objects.server import ObjectServer
from workqueue.demo import start
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.run import add_arguments, run
from workqueue.demo.server import listen
from workqueue.demo.stage import Stage


def parse(*argv: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(item) for item in argv])


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A directory of two texts."""
    directory = tmp_path / "docs"
    directory.mkdir()
    (directory / "one.txt").write_text("The rhinoceros is large.")
    (directory / "two.md").write_text("The shrew is not.")
    return directory


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made; whoever asks for it looks whether they are gone."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


def demo(*argv: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "workqueue", "demo", *map(str, argv)]


def test_once_as_a_program_ends_with_hits_and_nothing_left(scratch: Path) -> None:
    done = subprocess.run(demo("--once"), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^Index: 100%  built$", done.stdout, re.MULTILINE)
    assert re.search(r"^\d+ documents match 'queue'; the best 5:$", done.stdout, re.MULTILINE)
    assert re.search(r"^  queue  \[\d+\]$", done.stdout, re.MULTILINE)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_with_a_person_it_runs_until_it_is_stopped(documents: Path, scratch: Path, number: int) -> None:
    argv = demo("--port", 0, "--documents", documents)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        page = next(line.strip() for line in process.stdout if "/show?" in line)
        assert ask(page).status == 200
        process.send_signal(number)
        rest = process.stdout.read()
        assert rest.endswith("Stopped\n")
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 0
    assert list(scratch.iterdir()) == []


def test_without_options_it_shows_a_queue_until_it_is_stopped(scratch: Path) -> None:
    with subprocess.Popen(demo("--port", 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        page = next(line.strip() for line in process.stdout if "http://" in line)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", page)
        answer = ask(page)
        assert answer.status == 200
        assert answer.body.count(b"<workqueue-progress") == 6
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "\nPress Ctrl-C to stop.\nStopped\n"
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 0
    assert list(scratch.iterdir()) == []


def test_output_that_nobody_reads_ends_it(documents: Path, scratch: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = demo("--once", "--documents", documents)
    done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    assert list(scratch.iterdir()) == []


def test_once_over_own_documents_finds_a_word_of_the_first(
    documents: Path, scratch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "kept"
    assert run(parse("--once", "--documents", documents, "--storage", storage, "--delay", 0)) == 0
    out = capsys.readouterr().out
    assert "document matches 'rhinoceros':" in out
    assert "one.txt" in out
    assert len([path for path in storage.iterdir() if path.is_file()]) == 1
    assert list(scratch.iterdir()) == []


def test_once_with_words_that_nothing_has_fails(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parse("--once", "--documents", documents, "--search", "xylophone")) == 1
    assert capsys.readouterr().err == (
        "workqueue demo: The index is built, but a search for 'xylophone' finds nothing in it\n"
    )


def test_once_against_an_overview_elsewhere(serve: Callable[[Flask], str], capsys: pytest.CaptureFixture[str]) -> None:
    server = serve(create_overview_api(make_document_set(3), TOKEN))
    real = ["--once", "--server", server, "--document-set-id", 7]
    assert run(parse(*real, "--api-token", TOKEN)) == 0
    assert "documents match" in capsys.readouterr().out
    assert run(parse(*real, "--api-token", "wrong")) == 1
    assert "Overview does not know this API token" in capsys.readouterr().err


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv, message in (
        (["--server", "http://o"], "--server, --document-set-id and --api-token go together"),
        (["--documents", tmp_path / "none"], "no such directory"),
        (["--documents", tmp_path], "no text file"),
    ):
        assert run(parse("--once", *argv)) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "x"])
def test_a_delay_is_a_time(seconds: str) -> None:
    with pytest.raises(SystemExit):
        parse("--delay", seconds)


@pytest.mark.parametrize("name", ["flask", "ijson", "rich"])
def test_without_the_extra_it_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    assert run(parse("--once")) == 2
    assert capsys.readouterr().err == (f"workqueue demo needs {name}: pip install 'overview-plugin-workqueue[demo]'\n")


def test_a_port_that_is_taken_is_told_or_passed_over(
    documents: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stages: list[Stage] = []

    def wait(stage: Stage) -> int:
        stages.append(stage)
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "_wait", wait)
    with listen("127.0.0.1", 0) as listener:
        taken = listener.getsockname()[1]
        monkeypatch.setattr(start, "DEFAULT_PORT", taken)
        assert run(parse("--documents", documents)) == 0
        assert not stages[0].plugin_url.endswith(f":{taken}")
        assert run(parse("--documents", documents, "--port", taken)) == 2
    assert f"cannot listen on 127.0.0.1, port {taken}: " in capsys.readouterr().err
    assert run(parse("--documents", documents, "--host", "192.0.2.1")) == 2


def test_a_signal_ends_it_cleanly(
    documents: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(threading.Event):
        """An event whose wait is ended by a signal, as a person's Ctrl-C would."""

        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None and threading.current_thread() is threading.main_thread():
                os.kill(os.getpid(), signal.SIGTERM)
            return super().wait(timeout)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(start, "Event", Interrupted)
    assert run(parse("--port", 0, "--documents", documents)) == 0
    out = capsys.readouterr().out
    assert "/show?server=http%3A%2F%2F127.0.0.1" in out
    assert out.endswith("Stopped\n")
    assert signal.getsignal(signal.SIGTERM) is before
    assert list(scratch.iterdir()) == []


def test_once_that_is_interrupted_says_so(documents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "tour", interrupt)
    assert run(parse("--once", "--documents", documents)) == 130


def test_the_whole_demo_with_its_index_in_a_bucket(
    seaweedfs: ObjectServer, prefix: str, documents: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built, kept, searched; and nothing stays on this host."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.credentials["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.credentials["secret_access_key"])
    command = demo("--once", "--documents", documents, "--search", "rhinoceros")
    command += ["--storage", seaweedfs.url(prefix), "--endpoint", seaweedfs.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n1 document matches 'rhinoceros'" in done.stdout
    assert list(scratch.iterdir()) == []
    [result] = seaweedfs.objects(prefix)
    assert re.fullmatch("[0-9a-f]{40}", result)


@pytest.mark.parametrize(
    ("storage", "complaint"),
    [
        ("ftp://host", "workqueue demo: url must be s3://BUCKET"),
        ("s3://no-such-bucket", "workqueue demo: Cannot use s3://no-such-bucket: there is no such bucket: create it"),
    ],
)
def test_a_storage_that_cannot_be_used_is_told_at_once(
    seaweedfs: ObjectServer,
    documents: Path,
    storage: str,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.credentials["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.credentials["secret_access_key"])
    arguments = parse("--once", "--documents", documents, "--storage", storage, "--endpoint", seaweedfs.endpoint)
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith(complaint)
