"""Results in a bucket: what is wrong is said, what breaks is taken up again or ends, and a copy is fetched once."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.objects.gate import Gate
from tests.objects.server import ObjectServer
from workqueue import OverviewViewParams, WorkQueue
from workqueue.errors import ResultNotFound, StorageError
from workqueue.storage import Storage, bucket, eviction
from workqueue.storage.bucket import Meta
from workqueue.storage.objects import ObjectStorage
from workqueue.testing import ScriptedProgram, collect, output, say, wait

KEY, OTHER = (f"{i:040x}" for i in range(2))

#: More than one part of an upload, and more than all buffers between two processes hold.
LARGE = os.urandom(1_000_000) * 20

MakeStorage = Callable[..., ObjectStorage]


@pytest.fixture
def make_storage(object_server: ObjectServer, prefix: str, tmp_path: Path) -> MakeStorage:
    """Makes storages of one bucket; each `host` has a directory of its own."""

    def make(host: str = "host", *, port: int | None = None, **options: object) -> ObjectStorage:
        endpoint = object_server.endpoint_at(port or object_server.port)
        told = {"url": object_server.url(prefix), "endpoint": endpoint, "config": object_server.credentials, **options}
        return ObjectStorage(directory=tmp_path / host, **told)  # type: ignore[arg-type]

    return make


@pytest.fixture
def storage(make_storage: MakeStorage) -> ObjectStorage:
    return make_storage()


def publish(storage: Storage, key: str = KEY, data: bytes = b"built") -> None:
    with storage.workspace(key) as workspace:
        workspace.output.write_bytes(data)
        workspace.publish()


def read(storage: Storage, key: str = KEY) -> bytes:
    with storage.open(key) as path:
        return path.read_bytes()


def files(storage: ObjectStorage) -> list[str]:
    """What is on this host, but for the file that tells whose turn it is to evict."""
    return sorted(
        str(path.relative_to(storage.directory))
        for path in storage.directory.rglob("*")
        if path.is_file() and path.name != ".evict"
    )


def python(code: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Another process."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


# What is wrong is said


@pytest.mark.parametrize(
    "url",
    [
        "bucket",
        "file:///tmp",
        "s3://",
        "s3:///x",
        "s3://a b",
        "s3://user:pw@host/x",
        "s3://b/a//b",
        "s3://b?x=1",
        "http://h/b",
    ],
)
def test_an_url_that_is_no_buckets_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="url must be s3://BUCKET, gs://BUCKET or az://CONTAINER"):
        ObjectStorage(url, tmp_path)


@pytest.mark.parametrize("endpoint", ["", "nonsense", "localhost:80", "ftp://h", "http://", "http://a b"])
def test_an_endpoint_that_is_no_url_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint must be an http:// or https:// URL; got "):
        ObjectStorage("s3://bucket", tmp_path, endpoint=endpoint)


def test_an_endpoint_of_the_environment_that_is_no_url_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(ValueError, match="AWS_ENDPOINT_URL must be an http:// or https:// URL; got 'localhost:9000'"):
        ObjectStorage("s3://bucket", tmp_path)


@pytest.mark.parametrize("url", ["s3://user:secret@host/x", "az://container?sig=secret"])
def test_a_secret_in_an_url_is_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="url must be") as caught:
        ObjectStorage(url, tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("revalidate", [-1.0, float("nan"), float("inf")])
def test_a_time_that_cannot_be_is_refused(tmp_path: Path, revalidate: float) -> None:
    with pytest.raises(ValueError, match="revalidate must be a number of seconds, 0 or more"):
        ObjectStorage("s3://bucket", tmp_path, revalidate=revalidate)


def test_a_wrong_secret_a_missing_bucket_and_a_dead_endpoint_are_told_apart(
    object_server: ObjectServer, make_storage: MakeStorage, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=r"^Cannot use \w+://wqtest/.*: the service refuses the credentials \(\w+\)"):
        make_storage(config=object_server.wrong_credentials)
    with pytest.raises(
        StorageError, match=r"//no-such-bucket/x: there is no such bucket: create it, or mend its name$"
    ):
        make_storage(url=object_server.url("x", "no-such-bucket"))
    with Gate(object_server.port) as gate:
        gate.refuse()
        with pytest.raises(StorageError, match="nobody listens at the endpoint: look at its address"):
            make_storage(port=gate.port)
    with pytest.raises(StorageError, match="there is no such host: look at the endpoint"):
        make_storage(endpoint="http://no-such-host.invalid")
    with pytest.raises(StorageError, match="the endpoint does not speak TLS"):
        make_storage(endpoint=object_server.endpoint.replace("http:", "https:"))
    # None of them is made, and none leaves anything.
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_says_nothing_is_given_up(make_storage: MakeStorage, gate: Gate) -> None:
    gate.hold()
    with pytest.raises(StorageError, match="the service did not answer in time"):
        make_storage(port=gate.port, client_options={"timeout": "100ms"})


def test_a_question_is_given_up_sooner_than_a_transfer(
    make_storage: MakeStorage, gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(bucket._ASKING_CLIENT, "timeout", "100ms")
    storage = make_storage(port=gate.port, probe=False)
    gate.hold()
    assert not storage.has(KEY)
    assert "the service did not answer in time" in caplog.text
    caplog.clear()


def test_a_secret_is_in_no_text(object_server: ObjectServer, make_storage: MakeStorage) -> None:
    secret = next(
        value for name, value in object_server.wrong_credentials.items() if "key" in name and "id" not in name
    )
    with pytest.raises(StorageError) as caught:
        make_storage(config=object_server.wrong_credentials)
    assert secret not in str(caught.value)
    assert secret not in repr(make_storage(config=object_server.wrong_credentials, probe=False))


def test_a_job_whose_bucket_cannot_be_had_fails_before_its_program_starts(
    object_server: ObjectServer, make_storage: MakeStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    storage = make_storage(config=object_server.wrong_credentials, probe=False)
    with WorkQueue(program.path, storage=storage) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        last = job.wait(30)
    assert last.error is not None
    assert last.error.startswith("Cannot use the bucket: the service refuses the credentials")
    assert program.runs == []
    with pytest.raises(StorageError, match="Cannot look for the result: the service refuses the credentials"):
        read(storage)
    with pytest.raises(StorageError, match="refuses the credentials"):
        queue.delete(("a",))
    assert list(storage.directory.glob(".tmp/*")) == []
    caplog.clear()  # what was wrong holds the bucket, and its connections


def test_a_storage_that_was_used_before_a_fork_is_refused_after_it(storage: ObjectStorage) -> None:
    """Its requests would wait for ever; in a process of its own, since pytest's has used obstore already."""
    code = """
import os, pickle, sys
storage = pickle.loads(bytes.fromhex(sys.argv[1]))
key = sys.argv[2]
if sys.argv[3] == "used":
    storage.has(key)
pid = os.fork()
if pid == 0:
    try:
        print(next(iter(storage.results()), "none"), flush=True)
    except Exception as err:
        print(type(err).__name__, err, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""
    told = []
    for use in ("used", "not used"):
        with python(code, pickle.dumps(storage).hex(), KEY, use) as process:
            told.append(process.communicate(timeout=60)[0].decode())
    assert told[0].startswith(
        "StorageError Cannot use the bucket: this process was forked off one that had used a bucket"
    )
    assert "probe=False" in told[0]
    assert told[1] == "none\n"


# What breaks


def test_an_upload_whose_connections_break_now_and_then_arrives(
    make_storage: MakeStorage, gate: Gate, object_server: ObjectServer, prefix: str
) -> None:
    gate.cut_after(1_000_000, "up", times=2)
    storage = make_storage(port=gate.port)
    publish(storage, KEY, LARGE)
    assert read(make_storage("another host")) == LARGE
    assert object_server.unfinished(prefix) == []


def test_an_upload_that_does_not_get_through_leaves_nothing_to_see(
    make_storage: MakeStorage, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a torn result, nor, on this host, a file; what was there before is there still."""
    monkeypatch.setattr("workqueue.storage.bucket._MOVING", {"max_retries": 1})
    plain = make_storage("another host")
    publish(plain, KEY, b"an earlier one")
    storage = make_storage(port=gate.port)
    with storage.workspace(KEY) as workspace:
        workspace.output.write_bytes(LARGE)
        gate.cut_after(1_000_000, "up")
        with pytest.raises(StorageError, match=r"^Cannot store the result: "):
            workspace.publish()
    assert files(storage) == []
    assert read(plain) == b"an earlier one"
    gate.release()
    assert read(storage) == b"an earlier one"


KILLED_UPLOAD = """
import pickle, sys
with pickle.loads(bytes.fromhex(sys.argv[1])).workspace(sys.argv[2]) as workspace:
    workspace.output.write_bytes(bytes(20_000_000))
    workspace.publish()
"""


def test_a_process_killed_in_mid_upload_leaves_nothing_to_see(make_storage: MakeStorage, gate: Gate) -> None:
    storage = make_storage()
    uploading = make_storage(port=gate.port)
    gate.hold_after(5_000_000, "up")
    with python(KILLED_UPLOAD, pickle.dumps(uploading).hex(), KEY) as process:
        gate.wait_for(lambda gate: gate.n_up > 5_000_000)
        assert not storage.has(KEY)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    gate.release()
    assert list(storage.results()) == []
    assert len(files(uploading)) == 1
    uploading.sweep()
    assert files(uploading) == []
    publish(storage, KEY, b"built after all")
    assert read(make_storage("another host")) == b"built after all"


def test_a_download_whose_connection_breaks_is_taken_up_again(make_storage: MakeStorage, gate: Gate) -> None:
    publish(make_storage("another host"), KEY, LARGE)
    storage = make_storage(port=gate.port)
    gate.cut_after(3_000_000, "down", times=3)
    assert read(storage) == LARGE
    assert gate.n_down > len(LARGE)


def test_a_download_that_does_not_get_through_leaves_nothing(
    make_storage: MakeStorage, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workqueue.storage.bucket._MOVING", {"max_retries": 1})
    publish(make_storage("another host"), KEY, LARGE)
    storage = make_storage(port=gate.port)
    gate.cut_after(1_000_000, "down")
    with pytest.raises(StorageError, match=r"^Cannot fetch the result: "), storage.open(KEY):
        pass
    assert files(storage) == []
    gate.release()
    assert read(storage) == LARGE


# Azurite writes down what it has every few seconds, and has forgotten the rest when it is killed.
@pytest.mark.parametrize("own_server", ["s3"], indirect=True)
def test_a_server_killed_in_mid_download_and_started_again_is_asked_again(
    own_server: ObjectServer, tmp_path: Path
) -> None:
    told = {"endpoint": own_server.endpoint, "config": own_server.credentials}
    publish(ObjectStorage(own_server.url(), tmp_path / "there", **told), KEY, LARGE)  # type: ignore[arg-type]
    with Gate(own_server.port) as gate, ThreadPoolExecutor(1) as pool:
        told["endpoint"] = own_server.endpoint_at(gate.port)
        storage = ObjectStorage(own_server.url(), tmp_path / "here", **told)  # type: ignore[arg-type]
        gate.hold_after(3_000_000, "down")
        reading = pool.submit(read, storage)
        gate.wait_for(lambda gate: gate.n_down >= 3_000_000)
        own_server.kill()
        gate.cut()
        own_server.restart()
        gate.release()
        assert reading.result(60) == LARGE


def test_a_killed_download_is_begun_anew_by_who_waited_for_it(make_storage: MakeStorage, gate: Gate) -> None:
    publish(make_storage("another host"), KEY, LARGE)
    storage = make_storage(port=gate.port)
    gate.hold_after(3_000_000, "down")
    code = "import pickle, sys\nwith pickle.loads(bytes.fromhex(sys.argv[1])).open(sys.argv[2]): pass"
    with python(code, pickle.dumps(storage).hex(), KEY) as process, ThreadPoolExecutor(1) as pool:
        gate.wait_for(lambda gate: gate.n_down >= 3_000_000)
        reading = pool.submit(read, storage)
        process.kill()
        process.wait()
        gate.release()
        assert reading.result(60) == LARGE
    assert [name for name in files(storage) if not name.startswith(f"cache/{KEY[:2]}/{KEY}")] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("only root may mount a file system that is small enough to be full")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_local_disk_is_said_and_leaves_nothing(make_storage: MakeStorage, small_disk: Path) -> None:
    publish(make_storage("another host"), KEY, LARGE)
    storage = make_storage(str(small_disk / "host"))
    message = "^Cannot keep a copy of the result in .*: No space left on device$"
    with pytest.raises(StorageError, match=message), storage.open(KEY):
        pass
    assert files(storage) == []
    publish(storage, OTHER, b"small enough")
    assert read(storage, OTHER) == b"small enough"


def test_a_copy_that_cannot_be_kept_is_no_reason_not_to_publish(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("workqueue.storage.copies.place", refuse)
        publish(storage)
    assert "cannot keep a copy of a result: [Errno 28] No space left on device" in caplog.text
    caplog.clear()  # the error holds the bucket, and its connections
    assert files(storage) == []
    assert read(storage) == b"built"


# Copies

FOUR_READERS = 4

READER = """
import pickle, sys
storage = pickle.loads(bytes.fromhex(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
with storage.open(sys.argv[2]) as path:
    print(path.stat().st_size, flush=True)
"""


def test_processes_that_open_a_new_result_at_once_download_it_once(make_storage: MakeStorage, gate: Gate) -> None:
    size = 50_000_000
    publish(make_storage("another host"), KEY, bytes(size))
    told = pickle.dumps(make_storage(port=gate.port)).hex()
    readers = [python(READER, told, KEY) for _ in range(FOUR_READERS)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"ready\n"
        before = gate.n_down
        for reader in readers:
            assert reader.stdin is not None
            reader.stdin.write(b"now\n")
            reader.stdin.flush()
        assert [reader.communicate(timeout=60)[0] for reader in readers] == [b"%d\n" % size] * FOUR_READERS
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    assert size <= gate.n_down - before < 1.1 * size


def test_what_this_host_has_published_is_not_downloaded(make_storage: MakeStorage, gate: Gate) -> None:
    storage = make_storage(port=gate.port)
    publish(storage, KEY, LARGE)
    before = gate.n_down
    assert read(storage) == LARGE
    assert read(make_storage(port=gate.port)) == LARGE
    assert gate.n_down - before < 10_000


def test_what_is_known_is_not_asked_for_again_until_it_is_time(make_storage: MakeStorage, gate: Gate) -> None:
    storage = make_storage(port=gate.port)
    assert not storage.has(KEY)
    publish(make_storage("another host"), KEY, b"first")
    assert storage.has(KEY)
    assert read(storage) == b"first"
    gate.refuse()
    assert storage.has(KEY)
    assert read(storage) == b"first"
    gate.admit()
    publish(make_storage("another host"), KEY, b"second")
    assert read(storage) == b"first"
    assert read(make_storage(revalidate=0.0)) == b"second"
    assert read(make_storage("another host")) == b"second"


def test_what_is_asked_while_it_is_removed_or_replaced_is_not_believed_afterwards(
    storage: ObjectStorage, make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request's look comes between another's look and his removal, or upload."""
    publish(storage, KEY, b"first")
    asked = storage._bucket
    delete, head = asked.delete, asked.head

    def look_first(name: str) -> None:
        assert storage.has(name)
        delete(name)

    monkeypatch.setattr(asked, "delete", look_first)
    assert storage.delete(KEY)
    assert not storage.has(KEY)

    def publish_after(name: str) -> object:
        meta = head(name)
        monkeypatch.setattr(asked, "head", head)
        publish(storage, KEY, b"third")
        return meta

    publish(make_storage("another host"), KEY, b"second")
    monkeypatch.setattr(asked, "head", publish_after)
    assert storage.has(KEY)
    assert read(storage) == b"third"


def test_processes_of_a_host_see_at_once_what_one_of_them_has_replaced(make_storage: MakeStorage) -> None:
    """As one does that follows another's run, and is then asked for its result."""
    one, other = make_storage(), make_storage()
    publish(one, KEY, b"first")
    assert read(other) == b"first"
    publish(one, KEY, b"second")
    assert read(other) == b"second"
    publish(make_storage("another host"), KEY, b"third")
    assert read(make_storage()) == b"third"
    assert read(other) == b"third"
    assert len(files(one)) == 1


def test_what_is_stale_is_asked_for_again_since_another_may_have_built_it(
    make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make_storage(ttl=3600.0), make_storage(ttl=3600.0)
    publish(one)
    assert other.has(KEY)
    meta = other._known.get(KEY)
    assert meta is not None
    other._known.learn(KEY, meta._replace(published_at=meta.published_at - 4000))
    assert other.has(KEY)


def test_a_result_that_was_replaced_while_an_evictor_looked_stays(
    make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = make_storage(ttl=3600.0)
    publish(make_storage("another host"))
    objects = storage._bucket.objects

    def as_they_were() -> Iterator[tuple[str, Meta]]:
        for name, meta in objects():
            yield name, meta._replace(published_at=meta.published_at - 4000)

    monkeypatch.setattr(storage._bucket, "objects", as_they_were)
    assert storage.evict() == []
    assert storage.has(KEY)


def test_a_result_that_somebody_was_told_of_is_used_as_far_as_its_copy_is_here(make_storage: MakeStorage) -> None:
    storage = make_storage(max_bytes=0)
    publish(storage)
    [copy] = storage.directory.glob(f"cache/{KEY[:2]}/{KEY}.*")
    os.utime(copy, (1000.0, 1000.0))
    assert storage.has(KEY)
    assert copy.stat().st_atime > 1000.0


def test_copies_that_cannot_be_listed_are_an_error_of_the_storage(storage: ObjectStorage) -> None:
    storage.directory.mkdir(parents=True)
    (storage.directory / "cache").touch()
    with pytest.raises(StorageError, match=r"^Cannot list the copies in .*: Not a directory$"):
        list(storage.results())


def test_what_was_replaced_or_removed_elsewhere_is_found_out_when_it_is_fetched(make_storage: MakeStorage) -> None:
    storage, elsewhere = make_storage(), make_storage("another host")
    publish(elsewhere, KEY, b"first")
    assert storage.has(KEY)
    publish(elsewhere, KEY, b"second")
    assert read(storage) == b"second"
    publish(elsewhere, OTHER, b"another")
    assert storage.has(OTHER)
    elsewhere.delete(OTHER)
    with pytest.raises(ResultNotFound), storage.open(OTHER):
        pass
    assert not storage.has(OTHER)


def test_copies_keep_their_size_and_what_is_open_stays(
    make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{i:040x}" for i in range(5)]
    publisher = make_storage("another host")
    for key in keys:
        publish(publisher, key, bytes(1000))
    storage = make_storage(cache_bytes=2500)
    with storage.open(keys[0]):
        for key in keys[1:4]:
            read(storage, key)
        assert len(files(storage)) == 4
        now = eviction.time.time
        monkeypatch.setattr(eviction.time, "time", lambda: now() + 1000)
        storage.evict()
        assert [Path(name).stem for name in files(storage)] == [keys[0], keys[3]]
    assert len(list(storage.results())) == 5
    assert read(storage, keys[1]) == bytes(1000)


def test_a_fetch_looks_through_few_of_the_copies_that_are_there(
    make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{i:02x}".ljust(40, "0") for i in range(16)]
    publisher, storage = make_storage("another host"), make_storage()
    for key in keys:
        publish(publisher, key)
        read(storage, key)
    looked: list[Path] = []
    listdir = os.listdir

    def noted(path: Path) -> list[str]:
        names = listdir(path)
        looked.extend(Path(path, name) for name in names)
        return names

    monkeypatch.setattr(os, "listdir", noted)
    one_more = "f" * 40
    publish(publisher, one_more)
    read(storage, one_more)
    assert [path.stem for path in looked if path.is_relative_to(storage.directory / "cache")] == [one_more]
    assert len(list(storage.results())) == len(keys) + 1


def test_objects_that_are_no_results_are_left_alone(
    storage: ObjectStorage, object_server: ObjectServer, prefix: str
) -> None:
    import obstore

    store = object_server.store(prefix)
    for name in ("README", f"below/{KEY}", f"{KEY}.bak"):
        obstore.put(store, name, b"somebody's")
    publish(storage)
    assert [result.key for result in storage.results()] == [KEY]
    assert storage.delete(KEY)
    assert object_server.objects(prefix) == sorted(["README", f"below/{KEY}", f"{KEY}.bak"])


# Several hosts


def test_a_host_finds_what_another_has_built(make_storage: MakeStorage, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5), output(b"the index"))
    params = OverviewViewParams("https://host", "1", "token")
    with WorkQueue(program.path, storage=make_storage("one")) as one:
        job = one.ensure_run(params)
        assert job is not None
        assert [progress.fraction for progress in collect(job)] == [0.0, 0.5, 1.0]
    with WorkQueue(program.path, storage=make_storage("two")) as two:
        assert two.ensure_run(params) is None
        with two.open_result(params) as path:
            assert path.read_bytes() == b"the index"
        with pytest.raises(TypeError, match=r"read one with open_result\(params\)"):
            two.destination_path_for_params(params)
    assert len(program.runs) == 1


def test_two_hosts_that_build_at_once_both_succeed(make_storage: MakeStorage, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5), wait("gate"), output(b"the index"))
    with (
        program,
        WorkQueue(program.path, storage=make_storage("one")) as one,
        WorkQueue(program.path, storage=make_storage("two")) as two,
    ):
        jobs = [queue.ensure_run(("a",)) for queue in (one, two)]
        begun = threading.Barrier(3)
        for job in jobs:
            assert job is not None
            job.progress.subscribe(lambda progress: progress.fraction == 0.5 and begun.wait(30))
        begun.wait(30)
        program.release("gate", times=2)
        assert [job.wait(30).returncode for job in jobs if job is not None] == [0, 0]
        for queue in (one, two):
            with queue.open_result(("a",)) as path:
                assert path.read_bytes() == b"the index"
    assert len(program.runs) == 2
