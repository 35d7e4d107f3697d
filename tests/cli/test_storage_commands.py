"""`workqueue ls`, `rm` and `gc`, over results of real runs' making, on disk and in a bucket."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.objects.server import ObjectServer
from workqueue.cli import main
from workqueue.cli.quantities import counted
from workqueue.storage import DiskStorage, Origin, Storage
from workqueue.storage.address import storage_at

A, B, C = (letter * 40 for letter in "abc")

DAY = 86400.0


def publish(storage: Storage, key: str, size: int) -> None:
    with storage.workspace(key) as workspace:
        workspace.output.write_bytes(bytes(size))
        workspace.publish()


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """Has three results: small and old, large and old but used today, large and new."""
    storage = DiskStorage(tmp_path / "results")
    now = time.time()
    for key, size, published, used in ((A, 100, 3, 3), (B, 3000, 2, 0.5), (C, 2000, 0, 0)):
        publish(storage, key, size)
        os.utime(storage.path(key), (now - used * DAY, now - published * DAY))
    (storage.directory / "README").write_text("nobody's result")
    return str(storage.directory)


def left(directory: str) -> list[str]:
    return sorted(result.key for result in DiskStorage(Path(directory)).results())


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        return (status, *capsys.readouterr())

    return run


def listed(run: Run, *arguments: str) -> list[str]:
    """The first letters of the keys, in the order in which they are listed."""
    status, out, err = run("ls", *arguments, "--json")
    assert (status, err) == (0, "")
    return [json.loads(line)["key"][0] for line in out.splitlines()]


def test_ls_shows_a_line_each_and_how_much_it_is(run: Run, directory: str) -> None:
    status, out, err = run("ls", directory)
    assert (status, err) == (0, "")
    head, *lines, total = out.splitlines()
    assert head.split() == ["KEY", "SIZE", "AGE", "USED"]
    shown = [line.split() for line in lines]
    assert shown[:2] == [[A, "100", "bytes", "3", "d", "3", "d"], [B, "2.9", "KB", "2", "d", "12", "h"]]
    # How old it is by now is the machine's affair.
    assert [*shown[2][:3], shown[2][4], shown[2][6]] == [C, "2.0", "KB", "s", "s"]
    assert total == "3 results, 5.0 KB"


@pytest.mark.parametrize(("order", "keys"), [("key", "abc"), ("size", "bca"), ("age", "abc"), ("use", "abc")])
def test_ls_sorts(run: Run, directory: str, order: str, keys: str) -> None:
    assert listed(run, directory, "--sort", order) == list(keys)


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ([], "abc"),
        (["a", "c"], "ac"),
        (["--larger-than", "1K"], "bc"),
        (["--older-than", "1d"], "ab"),
        (["--unused-for", "1d"], "a"),
        (["--older-than", "1d", "--larger-than", "1K"], "b"),
        (["d"], ""),
    ],
)
def test_ls_and_rm_are_about_the_same(run: Run, directory: str, options: list[str], keys: str) -> None:
    assert listed(run, directory, *options) == list(keys)
    everything = [] if options else ["--all", "--yes"]
    status, out, err = run("rm", directory, *options, *everything)
    assert [key[0] for key in out.split()] == list(keys)
    assert status == (options == ["d"])
    assert err.startswith(f"{counted(len(keys), 'result')} removed, ")
    assert left(directory) == sorted({A, B, C} - {letter * 40 for letter in keys})


def test_rm_tries_out_what_it_would_do(run: Run, directory: str) -> None:
    status, out, err = run("rm", directory, "--dry-run", "--all")
    assert (status, out.split()) == (0, [A, B, C])
    assert err == "3 results would be removed, 5.0 KB\n"
    assert left(directory) == [A, B, C]


def test_rm_wants_to_know_which(run: Run, directory: str) -> None:
    status, out, err = run("rm", directory)
    assert (status, out) == (2, "")
    assert err == "workqueue: say which results: a KEY, --larger-than, --older-than, --unused-for or --all\n"
    assert left(directory) == [A, B, C]


@pytest.mark.parametrize("command", ["ls", "rm"])
def test_an_empty_key_is_not_every_key(run: Run, directory: str, command: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(command, directory, "")
    assert caught.value.code == 2
    assert left(directory) == [A, B, C]


def test_rm_says_which_are_not_there(run: Run, directory: str) -> None:
    status, out, err = run("rm", directory, "a", "d")
    assert (status, out.split()) == (1, [A])
    assert err.endswith("1 result removed, 100 bytes\nworkqueue: no result to remove has a key that begins with d\n")


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ([], ""),
        (["--max-bytes", "5000"], "a"),
        (["--max-bytes", "4K"], "ab"),
        (["--max-bytes", "0"], "ab"),
        (["--ttl", "60h"], "a"),
    ],
)
def test_gc_keeps_a_size_and_an_age_and_what_is_new(run: Run, directory: str, options: list[str], keys: str) -> None:
    status, out, err = run("gc", directory, *options)
    assert (status, sorted(key[0] for key in out.split())) == (0, list(keys))
    assert err.startswith(f"{counted(len(keys), 'result')} removed, ")
    assert left(directory) == sorted({A, B, C} - {letter * 40 for letter in keys})
    assert Path(directory, "README").exists()


def test_gc_leaves_what_is_open_and_removes_what_dead_runs_left(run: Run, directory: str) -> None:
    dead = Path(directory, ".tmp", f"{A}.0123456789abcdef")
    dead.mkdir(parents=True)
    storage = DiskStorage(Path(directory))
    with storage.open(A), storage.workspace(B) as workspace:
        status, out, _ = run("gc", directory, "--max-bytes", "0")
        assert workspace.output.exists()
    assert (status, out.split()) == (0, [B])
    assert not dead.exists()
    assert left(directory) == [A, C]


COMMANDS = [["ls"], ["ls", "--json"], ["rm", "--all"], ["rm", "--older-than", "1d"], ["gc"], ["gc", "--max-bytes", "0"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_that_is_not_there_is_an_error_and_is_not_made(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    status, out, err = run(*command, str(tmp_path / "none"))
    assert (status, out) == (2, "")
    assert err.startswith(f"workqueue: there is no directory {tmp_path / 'none'}; check the path: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_is_no_storage(run: Run, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").write_text("somebody's")
    status, out, err = run(*command, str(tmp_path / "file"))
    assert (status, out) == (2, "")
    assert err == f"workqueue: {tmp_path / 'file'} is not a directory; name the directory that holds the results\n"


@pytest.mark.parametrize("command", [*COMMANDS, ["run", "/bin/sh", "--storage"]])
def test_an_empty_word_is_not_the_current_directory(run: Run, command: list[str]) -> None:
    """A shell makes it of a variable that is not set."""
    with pytest.raises(SystemExit, match="2"):
        run(*command, "")


def test_a_directory_without_results_is_empty(run: Run, tmp_path: Path) -> None:
    head = f"{'KEY':40}  {'SIZE':>12}  {'AGE':>6}  {'USED':>6}\n"
    assert run("ls", str(tmp_path)) == (0, f"{head}0 results, 0 bytes\n", "")
    assert run("rm", str(tmp_path), "--all", "--yes") == (0, "", "0 results removed, 0 bytes\n")
    publish(DiskStorage(tmp_path), A, 1)
    assert run("ls", str(tmp_path))[1].splitlines()[-1] == "1 result, 1 byte"


def test_all_results_are_not_removed_where_nobody_can_be_asked(
    run: Run, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as in a daemon
    status, out, err = run("rm", directory, "--all")
    assert (status, out) == (2, "")
    assert err.startswith("workqueue: --all removes every result, and there is no terminal to ask on; add --yes")
    assert left(directory) == [A, B, C]


@pytest.mark.parametrize(
    ("address", "options", "complaint"),
    [
        ("ftp://host/path", [], "workqueue: url must be s3://BUCKET, gs://BUCKET or az://CONTAINER"),
        ("s3://bucket", ["--endpoint", "nonsense"], "workqueue: endpoint must be an http:// or https:// URL"),
        (".", ["--endpoint", "http://localhost"], "workqueue: an endpoint is for a bucket's URL"),
    ],
)
@pytest.mark.parametrize("command", ["ls", "rm", "gc"])
def test_a_storage_that_cannot_be_is_complained_of(
    run: Run, command: str, address: str, options: list[str], complaint: str
) -> None:
    status, out, err = run(command, address, *options, *(["--all"] if command == "rm" else []))
    assert (status, out) == (2, "")
    assert err.startswith(complaint)


def test_results_in_a_bucket_are_listed_and_removed(
    run: Run, seaweedfs: ObjectServer, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.credentials["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.credentials["secret_access_key"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    address = (seaweedfs.url(prefix), "--endpoint", seaweedfs.endpoint)
    storage = storage_at(address[0], endpoint=address[2])
    assert storage.directory.parent == tmp_path / "workqueue"
    for key, size in ((A, 10), (B, 2000)):
        publish(storage, key, size)
    assert listed(run, *address, "--sort", "size") == ["b", "a"]
    assert run("rm", *address, "--larger-than", "1K")[:2] == (0, f"{B}\n")
    assert listed(run, *address) == ["a"]
    assert run("gc", *address, "--max-bytes", "0")[:2] == (0, "")
    status, out, err = run("ls", address[0], "--endpoint", "http://127.0.0.1:9")
    assert (status, out) == (1, "")
    assert err.startswith(f"workqueue: Cannot use {address[0]}: nobody listens at the endpoint")


def test_json_tells_what_is_known_of_each(run: Run, tmp_path: Path) -> None:
    storage = DiskStorage(tmp_path / "results")
    with storage.workspace(A, form="directory") as workspace:
        (workspace.output / "file").write_bytes(bytes(100))
        workspace.publish(Origin("build.py", "7", 1.5, "done"))
    publish(storage, B, 10)
    printed = run("ls", str(storage.directory), "--sort", "size", "--json")[1]
    [of_a, of_b] = map(json.loads, printed.splitlines())
    told = {"form": "directory", "name": "build.py", "version": "7", "seconds": 1.5, "message": "done", "size": 100}
    assert told.items() <= of_a.items()
    assert (of_b["form"], of_b["name"], of_b["key"]) == ("file", None, B)
    for result in (of_a, of_b):
        assert result["etag"] == getattr(storage.info(result["key"]), "etag", None)
        assert result["used_at"] >= result["published_at"] > 0


def test_a_directory_is_removed_and_collected_like_a_file(run: Run, tmp_path: Path) -> None:
    storage = DiskStorage(tmp_path / "results")
    for key in (A, B):
        with storage.workspace(key, form="directory") as workspace:
            (workspace.output / "file").write_bytes(bytes(100))
            workspace.publish()
        os.utime(storage.path(key), (1000, 1000))
    assert run("rm", str(storage.directory), "a")[:2] == (0, A + "\n")
    assert run("gc", str(storage.directory), "--max-bytes", "10")[:2] == (0, B + "\n")
    assert list((storage.directory / ".trees").iterdir()) == []
