"""What every storage promises: on disk, on S3 (SeaweedFS), on Azure (Azurite)."""

import contextlib
import os
import pickle
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from tests.conftest import write_program
from tests.objects.server import ObjectServer
from workqueue import WorkQueue
from workqueue.errors import OutputError, ResultNotFound
from workqueue.storage import DiskStorage, Origin, ResultInfo, Storage, Workspace, eviction
from workqueue.storage.base import Form, StoredResult
from workqueue.storage.objects import ObjectStorage
from workqueue.testing import ScriptedProgram, collect, output, say

KEYS = tuple(f"{i:040x}" for i in range(10))
KEY, OTHER, THIRD, *_ = KEYS

MakeStorage = Callable[..., Storage]
P = ParamSpec("P")


# Of a module: a server that is started for a test would be counted as what the test left behind.
@pytest.fixture(scope="module", params=["disk", "seaweedfs", "azurite"])
def server(request: pytest.FixtureRequest) -> ObjectServer | None:
    return None if request.param == "disk" else request.getfixturevalue(request.param)


@pytest.fixture
def make_storage(server: ObjectServer | None, prefix: str, tmp_path: Path) -> MakeStorage:
    """Makes storages that have the same results; each `host` has a directory of its own, where that makes sense."""
    if server is None:
        return lambda _host="host", **options: DiskStorage(tmp_path / "results", **options)
    url = server.url(prefix)

    def make(host: str = "host", **options: object) -> Storage:
        told = {"endpoint": server.endpoint, "config": server.credentials, **options}
        return ObjectStorage(url, tmp_path / host, **told)  # type: ignore[arg-type]

    return make


@pytest.fixture
def storage(make_storage: MakeStorage) -> Storage:
    return make_storage()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass, for what asks the time of day."""
    now = time.time

    def wait(seconds: float) -> None:
        monkeypatch.setattr(eviction.time, "time", lambda: now() + seconds)

    return wait


def test_a_place_has_one_identity_on_every_host(make_storage: MakeStorage, tmp_path: Path) -> None:
    storage = make_storage("one")
    others = [make_storage("other"), pickle.loads(pickle.dumps(storage)), make_storage("one", ttl=5.0)]
    assert {other.identity for other in others} == {storage.identity}
    assert DiskStorage(tmp_path / "elsewhere").identity != storage.identity


#: Tests of what only a file can be, or have beside it.
OF_FILES: set[str] = set()


def of_files(test: Callable[P, None]) -> Callable[P, None]:
    OF_FILES.add(test.__name__)
    return test


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    forms = ["file"] if metafunc.function.__name__ in OF_FILES else ["file", "directory"]
    metafunc.parametrize("form", forms, indirect=True)


@pytest.fixture(autouse=True)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Form:
    """What results are in this test; both, unless it is of files."""
    monkeypatch.setattr(sys.modules[__name__], "FORM", request.param)
    return request.param  # type: ignore[no-any-return]


FORM: Form = "file"


def workspace_of(storage: Storage, key: str = KEY, suffix: str = "") -> AbstractContextManager[Workspace]:
    return storage.workspace(key, suffix, FORM)


def write(path: Path, data: bytes) -> None:
    """Make this what a program leaves: a file, or a directory with two of them."""
    if FORM == "file":
        path.write_bytes(data)
        return
    middle = len(data) // 2
    (path / "first").write_bytes(data[:middle])
    (path / "in").mkdir(exist_ok=True)
    (path / "in" / "second").write_bytes(data[middle:])


def content(path: Path) -> bytes:
    files = [path] if FORM == "file" else [path / "first", path / "in" / "second"]
    return b"".join(file.read_bytes() for file in files)


def publish(storage: Storage, key: str = KEY, data: bytes = b"built") -> None:
    with workspace_of(storage, key) as workspace:
        write(workspace.output, data)
        workspace.publish()


def read(storage: Storage, key: str = KEY) -> bytes:
    with storage.open(key) as path:
        return content(path)


def keys(storage: Storage) -> list[str]:
    return sorted(result.key for result in storage.results())


def test_what_was_not_published_is_not_there(storage: Storage) -> None:
    assert not storage.has(KEY)
    assert list(storage.results()) == []
    assert storage.delete(KEY) is False
    assert storage.evict() == []
    with pytest.raises(ResultNotFound, match="there is no such result"), storage.open(KEY):
        pass


def test_what_was_published_is_there_and_whole_for_all(make_storage: MakeStorage) -> None:
    storage, elsewhere = make_storage(), make_storage("another host")
    data = os.urandom(300_000)
    before = time.time()
    publish(storage, KEY, data)
    for each in (storage, elsewhere):
        assert each.has(KEY)
        assert read(each) == data
        [result] = each.results()
        assert result.key == KEY
        # What lies in a bucket is an archive of the directory.
        assert len(data) <= result.size <= len(data) + (0 if FORM == "file" else 10_000)
        # A server's clock may count in whole seconds.
        assert before - 1 <= result.published_at <= time.time() + 1
        assert result.used_at >= result.published_at - 1


def test_a_result_larger_than_a_part_of_an_upload_is_whole(make_storage: MakeStorage) -> None:
    data = os.urandom(1_000_000) * 20 + b"the end"
    publish(make_storage(), KEY, data)
    assert read(make_storage("another host")) == data


@of_files
def test_the_file_that_is_read_is_nobodys_to_write(storage: Storage) -> None:
    publish(storage)
    with storage.open(KEY) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert stat.S_ISREG(path.lstat().st_mode)


def test_a_run_in_progress_is_seen_by_nobody_and_leaves_nothing(make_storage: MakeStorage) -> None:
    storage = make_storage()
    with workspace_of(storage) as workspace:
        write(workspace.output, b"half")
        assert not storage.has(KEY)
        assert keys(make_storage("another host")) == []
        assert workspace.directory.is_dir()
        assert stat.S_IMODE(workspace.directory.stat().st_mode) == 0o700
    assert not workspace.directory.exists()
    assert keys(storage) == []


def test_what_is_not_published_leaves_an_earlier_result_alone(storage: Storage) -> None:
    publish(storage, KEY, b"old")
    with workspace_of(storage) as workspace:
        write(workspace.output, b"half of the n")
    assert read(storage) == b"old"


@of_files
def test_a_result_that_is_replaced_is_read_to_its_end_by_who_has_it_open(storage: Storage) -> None:
    publish(storage, KEY, b"the old one")
    with storage.open(KEY) as path, path.open("rb") as old:
        assert old.read(4) == b"the "
        publish(storage, KEY, b"the new one")
        assert old.read() == b"old one"
    assert read(storage) == b"the new one"
    assert keys(storage) == [KEY]


@of_files
def test_a_result_that_is_deleted_is_read_to_its_end_by_who_has_it_open(storage: Storage) -> None:
    publish(storage, KEY, b"built")
    with storage.open(KEY) as path, path.open("rb") as file:
        assert storage.delete(KEY) is True
        assert file.read() == b"built"
    assert storage.delete(KEY) is False
    assert not storage.has(KEY)
    assert keys(storage) == []


ORIGIN = Origin("build.py", "2024-06", 12.5, "indexing \N{SNOWMAN}")


def publish_with(storage: Storage, origin: Origin, data: bytes = b"built") -> ResultInfo:
    with workspace_of(storage) as workspace:
        write(workspace.output, data)
        workspace.publish(origin)
    info = storage.info(KEY)
    assert info is not None
    return info


def test_what_is_known_of_a_result_is_told_to_all(make_storage: MakeStorage) -> None:
    storage, elsewhere = make_storage(), make_storage("another host")
    assert storage.info(KEY) is None
    before = time.time()
    info = publish_with(storage, ORIGIN)
    assert info[:3] == (KEY, FORM, 5)
    assert re.fullmatch(r"[\w.-]+", info.etag)
    assert before - 1 <= info.published_at <= time.time() + 1
    assert Origin(info.name, info.version, info.seconds, info.message) == ORIGIN
    # A server's clock is another.
    for each in (elsewhere.info(KEY), make_storage("a third host").info(KEY)):
        assert each is not None
        assert each._replace(published_at=info.published_at) == info
    assert storage.delete(KEY)
    assert storage.info(KEY) is None


def test_what_nobody_said_of_a_result_is_not_known(storage: Storage) -> None:
    assert publish_with(storage, Origin())[5:] == (None, None, None, None)


def test_each_publication_has_its_etag_though_it_has_the_same_content(storage: Storage) -> None:
    infos = [publish_with(storage, ORIGIN._replace(seconds=float(i))) for i in range(5)]
    assert len({info.etag for info in infos}) == 5
    assert [info.seconds for info in infos] == [0.0, 1.0, 2.0, 3.0, 4.0]
    read(storage)
    assert storage.has(KEY)
    assert storage.info(KEY) == infos[-1]


def test_what_is_opened_by_its_path_later_is_what_is_known_of(storage: Storage) -> None:
    """As by a server that hands the path on: the ETag must be that of the bytes that are sent."""
    old = publish_with(storage, ORIGIN, b"the old one")
    with storage.open_with_info(KEY) as (path, info), storage.open_with_info(KEY) as (other, _):
        publish_with(storage, ORIGIN, b"the new, longer one")
        assert content(path) == content(other) == b"the old one"
        assert info == old
    assert read(storage) == b"the new, longer one"


@of_files
def test_what_is_known_of_an_open_result_is_about_that_one(storage: Storage) -> None:
    old = publish_with(storage, ORIGIN, b"the old one")
    with storage.open_with_info(KEY) as (path, info), path.open("rb") as file:
        publish_with(storage, ORIGIN._replace(version="new"), b"the new, longer one")
        assert info == old
        assert file.read() == b"the old one"
    with storage.open_with_info(KEY) as opened:
        assert opened.info == storage.info(KEY)
        assert opened.info.version == "new"
        assert opened.path.read_bytes() == b"the new, longer one"
    storage.delete(KEY)
    with pytest.raises(ResultNotFound, match="there is no such result"), storage.open_with_info(KEY):
        pass


def test_to_ask_what_is_known_is_no_use(make_storage: MakeStorage, later: Callable[[float], None]) -> None:
    storage = make_storage(max_bytes=10)
    publish(storage, KEY, bytes(100))
    later(1000)
    assert storage.info(KEY) is not None
    assert [result.key for result in storage.evict()] == [KEY]


def test_each_key_has_its_own(storage: Storage) -> None:
    publish(storage, KEY, b"one")
    publish(storage, OTHER, b"another")
    assert (read(storage, KEY), read(storage, OTHER)) == (b"one", b"another")
    assert storage.delete(KEY)
    assert keys(storage) == [OTHER]


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("leave", [nothing, a_directory, a_link, Path.unlink])
@of_files
def test_what_is_no_result_is_refused(storage: Storage, leave: Callable[[Path], None]) -> None:
    with workspace_of(storage) as workspace:
        leave(workspace.output)
        with pytest.raises(OutputError):
            workspace.publish()
    assert not storage.has(KEY)
    assert keys(storage) == []


@of_files
def test_a_database_in_wal_mode_is_refused_with_the_pragma_that_mends_it(storage: Storage) -> None:
    def leave(mode: str) -> None:
        with workspace_of(storage) as workspace:
            with contextlib.closing(sqlite3.connect(workspace.output)) as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("CREATE TABLE t (x)")
                database.execute(f"PRAGMA journal_mode={mode}")
            workspace.publish()

    with pytest.raises(OutputError, match="PRAGMA journal_mode=DELETE before it closes"):
        leave("WAL")
    assert not storage.has(KEY)
    leave("DELETE")
    with storage.open(KEY) as path:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            assert database.execute("SELECT count(*) FROM t").fetchone() == (0,)
        assert is_alone(path)


@of_files
def test_an_output_that_has_another_name_is_copied(storage: Storage, tmp_path: Path) -> None:
    cache = tmp_path / "a file of the program's own"
    cache.write_bytes(b"version 1")
    cache.chmod(0o640)
    os.utime(cache, (1000.0, 1000.0))
    with workspace_of(storage) as workspace:
        workspace.output.unlink()
        os.link(cache, workspace.output)
        workspace.publish()
    assert (stat.S_IMODE(cache.stat().st_mode), cache.stat().st_mtime, cache.stat().st_nlink) == (0o640, 1000.0, 1)
    cache.write_bytes(b"version 2")
    assert read(storage) == b"version 1"
    with storage.open(KEY) as path:
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_nlink) == (0o400, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a file is open for writing")
@of_files
def test_who_still_has_an_output_open_for_writing_changes_no_result(storage: Storage) -> None:
    with storage.workspace(KEY) as workspace, workspace.output.open("wb", buffering=0) as writer:
        writer.write(b"built")
        workspace.publish()
        writer.write(b" and changed")
        writer.truncate(20)
        assert read(storage) == b"built"
    assert [result.size for result in storage.results()] == [5]


@pytest.mark.parametrize("suffix", ["", ".mp4", ".tar.gz", ".c++"])
def test_the_name_of_an_output_ends_as_it_was_said_and_that_of_a_result_does_not(storage: Storage, suffix: str) -> None:
    with workspace_of(storage, KEY, suffix) as workspace:
        assert workspace.output.name == f"out{suffix}"
        assert list(workspace.output.iterdir()) == [] if FORM == "directory" else workspace.output.read_bytes() == b""
        write(workspace.output, b"built")
        workspace.publish()
    assert read(storage) == b"built"
    assert keys(storage) == [KEY]
    assert storage.address(KEY).endswith(f"/{KEY}")


@of_files
def test_an_output_may_be_removed_and_made_anew(storage: Storage) -> None:
    """As by a program that wants no file there: DuckDB takes an empty one for a broken database."""
    with storage.workspace(KEY, ".duckdb") as workspace:
        workspace.output.unlink()
        write(workspace.output, b"built")
        workspace.publish()
    assert read(storage) == b"built"


BESIDE = ("-wal", "-shm", "-journal")


def leave_beside(path: Path) -> Path:
    """What readers of a database in WAL mode leave; return the name of a file that is not of that form."""
    for end in BESIDE:
        path.with_name(path.name + end).write_bytes(b"left")
    other = path.with_name(f"{path.name}-wal-of-mine")
    other.touch()
    return other


def is_alone(path: Path) -> bool:
    return not any(path.with_name(path.name + end).exists() for end in BESIDE)


@of_files
def test_what_readers_left_beside_a_result_is_not_listed_and_goes_with_it(storage: Storage) -> None:
    publish(storage)
    with storage.open(KEY) as path:
        other = leave_beside(path)
    assert keys(storage) == [KEY]
    assert storage.delete(KEY) is True
    assert not path.exists()
    assert is_alone(path)
    assert other.exists()


@of_files
def test_what_readers_left_beside_a_result_is_not_beside_the_one_that_replaces_it(storage: Storage) -> None:
    publish(storage)
    with storage.open(KEY) as path:
        leave_beside(path)
    publish(storage, KEY, b"the new one")
    assert is_alone(path)
    assert read(storage) == b"the new one"


@pytest.mark.parametrize("options", [{"ttl": 3600.0}, {"max_bytes": 10}])
@of_files
def test_what_readers_left_beside_a_result_is_evicted_with_it_and_not_counted(
    make_storage: MakeStorage, later: Callable[[float], None], options: dict[str, float]
) -> None:
    # What is in a bucket and what this host has of it go by themselves.
    on_host = {} if make_storage().address(KEY).startswith("/") else {"cache_bytes": 10}
    storage = make_storage(**options, **on_host)
    publish(storage, KEY, b"123")
    publish(storage, OTHER, b"123456")
    paths = []
    for key in (KEY, OTHER):
        with storage.open(key) as path:
            paths.append(path)
            leave_beside(path)
    later(1000)
    assert storage.evict() == []
    assert not any(is_alone(path) for path in paths)
    publish(storage, THIRD, b"12345678")
    later(5000)
    storage.evict()
    assert not {KEY, OTHER} & set(keys(storage))
    assert all(is_alone(path) and not path.exists() for path in paths)


@of_files
def test_what_a_reader_left_after_its_result_had_gone_is_evicted_too(make_storage: MakeStorage) -> None:
    on_host = {} if make_storage().address(KEY).startswith("/") else {"cache_bytes": 10}
    storage = make_storage(max_bytes=10, **on_host)
    publish(storage)
    with storage.open(KEY) as path:
        storage.delete(KEY)
        other = leave_beside(path)
    assert keys(storage) == []
    storage.evict()
    assert is_alone(path)
    assert other.exists()


@of_files
def test_a_storage_travels(storage: Storage) -> None:
    publish(storage)
    there = pickle.loads(pickle.dumps(storage))
    assert there.has(KEY)
    assert read(there) == b"built"
    assert there.directory == storage.directory


@of_files
def test_an_address_is_for_a_person_to_read(storage: Storage) -> None:
    assert storage.address(KEY).endswith(f"/{KEY}")


def test_of_many_who_publish_and_read_at_once_each_reads_a_whole_one(storage: Storage) -> None:
    n_writers, n_readers, n_rounds = 3, 3, 4
    texts = {bytes([65 + i]) * 100_000 for i in range(n_writers)}
    publish(storage, KEY, min(texts))
    begin = threading.Barrier(n_writers + n_readers)

    def write(text: bytes) -> set[bytes]:
        begin.wait()
        for _ in range(n_rounds):
            publish(storage, KEY, text)
        return set()

    def look(_: int) -> set[bytes]:
        begin.wait()
        return {read(storage) for _ in range(n_rounds)}

    with ThreadPoolExecutor(n_writers + n_readers) as pool:
        done = [*(pool.submit(write, text) for text in texts), *(pool.submit(look, i) for i in range(n_readers))]
        seen = set().union(*(future.result() for future in done))
    assert seen <= texts
    assert read(storage) in texts


# How long, and how much


def test_a_result_is_fresh_for_so_long_and_given_until_it_is_evicted(
    make_storage: MakeStorage, later: Callable[[float], None]
) -> None:
    storage = make_storage(ttl=3600.0)
    publish(storage)
    later(3500)
    assert storage.has(KEY)
    assert storage.evict() == []
    later(3700)
    assert not storage.has(KEY)
    assert read(storage) == b"built"
    # Whoever opened it a moment ago may come back to it.
    later(3800)
    assert [result.key for result in storage.evict()] == [KEY]
    assert keys(storage) == []
    with pytest.raises(ResultNotFound), storage.open(KEY):
        pass


def test_what_is_too_much_goes_least_recently_used_first(
    make_storage: MakeStorage, later: Callable[[float], None]
) -> None:
    storage = make_storage(max_bytes=250_000)
    for key in (THIRD, KEY, OTHER):
        publish(storage, key, bytes(100_000))
    later(1000)
    assert [(result.key, result.size // 10_000) for result in storage.evict()] == [(THIRD, 10)]
    assert keys(storage) == sorted([KEY, OTHER])
    assert storage.evict() == []


def test_what_came_just_now_stays_though_it_is_too_much(make_storage: MakeStorage) -> None:
    storage = make_storage(max_bytes=10)
    publish(storage, KEY, bytes(100))
    publish(storage, OTHER, bytes(100))
    assert storage.evict() == []
    assert keys(storage) == sorted([KEY, OTHER])


def test_publishing_evicts_once_a_minute_at_most(make_storage: MakeStorage, later: Callable[[float], None]) -> None:
    storage = make_storage(max_bytes=150_000)
    publish(storage, KEY, bytes(100_000))  # it has looked now
    later(50)
    publish(storage, OTHER, bytes(100_000))
    later(100)
    before = keys(storage)
    publish(storage, THIRD, bytes(100_000))
    assert before == sorted([KEY, OTHER])
    assert KEY not in keys(storage)


@of_files
def test_a_job_ends_before_anything_is_evicted_for_it(
    make_storage: MakeStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the client nor the next in line waits for that; who closes the queue does."""
    may_evict, seen = threading.Event(), list[bool]()
    evict = eviction.Policy.evict

    def held(*arguments: Any) -> list[StoredResult]:
        seen.append(may_evict.wait(30))
        return evict(*arguments)

    storage = make_storage(max_bytes=10)
    monkeypatch.setattr(eviction.Policy, "evict", held)
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    with WorkQueue(program.path, storage=storage) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(20).error is None
        with queue.open_result(("a",)) as path:
            assert path.read_bytes() == b"built"
        may_evict.set()
    assert seen
    assert all(seen)


@of_files
def test_only_one_evicts_at_a_time(make_storage: MakeStorage, later: Callable[[float], None]) -> None:
    storage = make_storage(max_bytes=10)
    publish(storage, KEY, bytes(100))
    later(1000)
    with eviction.turn(storage.directory / ".evict") as is_mine:
        assert is_mine
        assert storage.evict() == []
    assert [result.key for result in storage.evict()] == [KEY]


@pytest.mark.parametrize("options", [{"ttl": 0}, {"ttl": float("nan")}, {"ttl": -1.0}, {"max_bytes": -1}])
@of_files
def test_a_number_that_cannot_be_is_refused(make_storage: MakeStorage, options: dict[str, float]) -> None:
    [name] = options
    with pytest.raises(ValueError, match=f"^{name} must be "):
        make_storage(**options)


# What dead processes leave

KILLED = """
import os, pickle, signal, sys
with pickle.loads(bytes.fromhex(sys.argv[1])).workspace(sys.argv[2], "", sys.argv[3]) as workspace:
    if sys.argv[3] == "file":
        workspace.output.write_bytes(b"half")
    else:
        (workspace.output / "in").mkdir(mode=0o500)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_sweep_removes_what_killed_runs_left_and_nothing_of_live_ones(storage: Storage) -> None:
    command = [sys.executable, "-c", KILLED, pickle.dumps(storage).hex(), OTHER, FORM]
    path = os.pathsep.join(filter(None, sys.path))
    assert subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": path}).returncode == -9
    left = list(storage.directory.glob(f".tmp/{OTHER}.*"))
    assert len(left) == 1
    with workspace_of(storage) as workspace:
        storage.sweep()
        assert not left[0].exists()
        assert workspace.output.exists()
    assert keys(storage) == []


# With a queue


@pytest.fixture
def queue(storage: Storage, tmp_path: Path) -> Iterator[WorkQueue]:
    with WorkQueue(ScriptedProgram(tmp_path / "program", say(0.5), output(b"built")).path, storage=storage) as queue:
        yield queue


@of_files
def test_a_queue_builds_once_and_finds_what_it_built(queue: WorkQueue) -> None:
    job = queue.ensure_run(("a",))
    assert job is not None
    assert collect(job)[-1].returncode == 0
    assert queue.ensure_run(("a",)) is None
    with queue.open_result(("a",)) as path:
        assert path.read_bytes() == b"built"
    assert queue.delete(("a",)) is True
    with pytest.raises(ResultNotFound), queue.open_result(("a",)):
        pass
    again = queue.ensure_run(("a",))
    assert again is not None
    assert again.wait(30).returncode == 0


@of_files
def test_a_queue_tells_what_is_known_of_a_result(storage: Storage, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5, "half"), say(0.9, "nearly"), output(b"built"))
    with WorkQueue(program.path, storage=storage, name="mine", version="7") as queue:
        assert queue.result_info(("a",)) is None
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(30).returncode == 0
        info = queue.result_info(("a",))
        assert info is not None
        assert (info.key, info.form, info.size) == (job.key, "file", 5)
        assert (info.name, info.version, info.message) == ("mine", "7", "nearly")
        assert 0 < (info.seconds or 0) < 30
        with queue.open_with_info(("a",)) as opened:
            assert opened == (opened.path, info)
            assert opened.path.read_bytes() == b"built"


@of_files
def test_a_refresh_replaces_what_is_there(queue: WorkQueue, storage: Storage) -> None:
    first = queue.ensure_run(("a",))
    assert first is not None
    first.wait(30)
    again = queue.ensure_run(("a",), refresh=True)
    assert again is not None
    with queue.open_result(("a",)) as path:
        assert path.read_bytes() == b"built"
    assert again.wait(30).returncode == 0
    assert len(keys(storage)) == 1


#: It fills the directory that it finds, or makes it anew; its name ends as was said.
FILLS = 'rmdir "$output"; mkdir -p "$output/in"; case $output in */out.index) printf built > "$output/in/file";; esac'


@of_files
def test_a_queue_for_directories_and_one_for_files_do_not_find_each_others(storage: Storage, tmp_path: Path) -> None:
    fills = write_program(tmp_path / "fills", FILLS)
    for_directories = WorkQueue(fills, storage=storage, suffix=".index", name="mine", result="directory")
    for_files = WorkQueue(write_program(tmp_path / "program", 'printf built > "$output"'), storage=storage, name="mine")
    with for_directories, for_files:
        for queue in (for_directories, for_files, for_directories):
            job = queue.ensure_run(("a",), refresh=True)
            assert job is not None
            assert job.wait(30).error is None
        for queue in (for_directories, for_files):
            assert queue.ensure_run(("a",)) is None
        with for_directories.open_with_info(("a",)) as (path, info):
            assert (path / "in" / "file").read_bytes() == b"built"
            assert (info.form, info.size, info.name) == ("directory", 5, "mine")
        with for_files.open_result(("a",)) as path:
            assert path.read_bytes() == b"built"
        assert for_directories.delete(("a",))
        assert for_directories.result_info(("a",)) is None
        assert for_files.ensure_run(("a",)) is None


#: A tool that chooses by the name what it writes, and wants no file there.
CHOOSES = 'rm "$output"; case $output in */out.mp4) printf built;; *) exit 1;; esac > "$output"'


@of_files
def test_a_queue_gives_the_output_its_suffix_and_the_result_its_key(storage: Storage, tmp_path: Path) -> None:
    with WorkQueue(write_program(tmp_path / "program", CHOOSES), storage=storage, suffix=".mp4") as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(30).returncode == 0
        with queue.open_result(("a",)) as path:
            assert path.read_bytes() == b"built"
    assert keys(storage) == [job.key]
