"""Buckets of services that are odd, or in trouble: the promises hold, and what is wrong is told in its own words."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.objects.faulty import ODD, Faulty, Refusal, Renames, Request
from tests.objects.seaweedfs import SeaweedFS
from workqueue import WorkQueue
from workqueue.errors import ResultNotFound, StorageError
from workqueue.storage import eviction
from workqueue.storage.base import Form
from workqueue.storage.objects import ObjectStorage
from workqueue.testing import ScriptedProgram, output

KEY, OTHER = (f"{i:040x}" for i in range(2))

#: More than one part of an upload.
LARGE = os.urandom(1_000_000) * 9

MakeStorage = Callable[..., ObjectStorage]


@pytest.fixture
def service(seaweedfs: SeaweedFS) -> Iterator[Faulty]:
    """As the one behind it, until a test says otherwise."""
    with Faulty(seaweedfs) as service:
        yield service


@pytest.fixture
def make_storage(service: Faulty, prefix: str, tmp_path: Path) -> MakeStorage:
    """Makes storages of one bucket; each `host` has a directory of its own."""

    def make(host: str = "host", **options: object) -> ObjectStorage:
        told = {"endpoint": service.endpoint, "config": service.credentials, **options}
        return ObjectStorage(service.url(prefix), tmp_path / host, **told)  # type: ignore[arg-type]

    return make


def publish(storage: ObjectStorage, data: bytes, form: Form = "file", key: str = KEY) -> None:
    with storage.workspace(key, "", form) as workspace:
        file = workspace.output if form == "file" else workspace.output / "file"
        file.write_bytes(data)
        workspace.publish()


def read(storage: ObjectStorage, form: Form = "file", key: str = KEY) -> bytes:
    with storage.open(key) as path:
        return (path if form == "file" else path / "file").read_bytes()


# Odd


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, service: Faulty) -> Faulty:
    service.refuses, service.renames = ODD[request.param]
    return service


@pytest.mark.parametrize("form", ["file", "directory"])
@pytest.mark.parametrize("data", [b"built", LARGE], ids=["small", "in parts"])
def test_what_is_published_is_there_for_all_and_has_one_name(
    odd: Faulty, make_storage: MakeStorage, form: Form, data: bytes
) -> None:
    one, other = make_storage("one", revalidate=0.0), make_storage("other", revalidate=0.0)
    publish(one, data, form)
    assert (one.has(KEY), other.has(KEY)) == (True, True)
    assert read(one, form) == data
    assert odd.asked("GET") == []  # what it has published it has
    assert read(other, form) == data
    n_downloads = len(odd.asked("GET"))
    assert 1 <= n_downloads <= 2  # once with what is not taken, once without
    assert read(other, form) == data
    assert len(odd.asked("GET")) == n_downloads
    infos = [storage.info(KEY) for storage in (one, other, make_storage("a third"))]
    assert len({info.etag for info in infos if info is not None}) == 1
    assert None not in infos


@pytest.mark.parametrize("form", ["file", "directory"])
def test_what_is_replaced_is_found_out_when_it_is_fetched(odd: Faulty, make_storage: MakeStorage, form: Form) -> None:
    one, other = make_storage("one"), make_storage("other")
    publish(one, b"first", form)
    assert other.has(KEY)
    publish(one, b"the second", form)
    assert read(other, form) == b"the second"
    with other.open_with_info(KEY) as (_, info):
        assert info == other.info(KEY)
        assert info.size == 10 if form == "directory" else len(b"the second")
    one.delete(KEY)
    other = make_storage("other", revalidate=0.0)
    assert not other.has(KEY)
    with pytest.raises(ResultNotFound), other.open(KEY):
        pass


def test_a_look_that_is_older_than_what_is_downloaded_does_not_count(
    odd: Faulty, make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a cache answers HEAD: the answer to the download names what is there."""
    one, other = make_storage("one"), make_storage("other", revalidate=0.0)
    publish(one, b"first")
    old = other._bucket.head(KEY)
    monkeypatch.setattr(other._bucket, "head", lambda _: old)
    publish(one, b"the second")
    assert read(other) == b"the second"
    with other.open_with_info(KEY) as (_, info):
        assert info.size == len(b"the second")


# In trouble


def always(refusal: Refusal) -> Callable[[Request], Refusal]:
    return lambda _: refusal


CLOCK = r"the clock of this host is wrong, says the service \(RequestTimeTooSkewed\): set it"
REGION = r"the bucket is in another region"


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [
        (Refusal(403, "RequestTimeTooSkewed"), CLOCK),
        (
            Refusal(301, "PermanentRedirect", "<Endpoint>b.example</Endpoint>"),
            f"{REGION}: set region",
        ),
        (
            Refusal(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            rf"{REGION}, eu-west-1 \(AuthorizationHeaderMalformed\): set region in config",
        ),
        (Refusal(400, "ExpiredToken"), r"the credentials have expired \(ExpiredToken\): get new ones"),
        (Refusal(403, "AccessDenied"), r"the service refuses the credentials \(AccessDenied\): look at"),
    ],
    ids=lambda value: value.code if isinstance(value, Refusal) else "",
)
def test_each_trouble_is_told_in_its_own_words_whatever_is_asked(
    service: Faulty,
    make_storage: MakeStorage,
    refusal: Refusal,
    cause: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where the answer to HEAD, which has no text, is a status alone."""
    storage = make_storage()
    publish(storage, b"built")
    elsewhere = make_storage("elsewhere")
    service.refuses = always(refusal)
    with pytest.raises(StorageError, match=rf"^Cannot use \S+: {cause}"):
        make_storage()
    with pytest.raises(StorageError, match=rf"^Cannot look for the result: {cause}"):
        read(elsewhere)
    with pytest.raises(StorageError, match=rf"^Cannot list the results: {cause}"):
        list(storage.results())
    with (
        pytest.raises(StorageError, match=rf"^Cannot use the bucket: {cause}"),
        storage.workspace(KEY),
    ):
        pass
    assert not elsewhere.has(KEY)
    assert cause.partition(" ")[0] in caplog.text
    caplog.clear()  # what was wrong holds the bucket, and its connections


def when_it_is_downloaded(refusal: Refusal, request: Request) -> Refusal | None:
    return refusal if request.method == "GET" and request.is_of_an_object else None


@pytest.mark.parametrize("refusal", [Refusal(403, "InvalidObjectState"), Refusal(409, "BlobArchived")])
def test_what_was_moved_to_an_archive_is_not_there_and_is_built_again(
    service: Faulty, make_storage: MakeStorage, tmp_path: Path, refusal: Refusal
) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    with WorkQueue(program.path, storage=make_storage("one")) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(30).error is None
    storage = make_storage("two")
    with WorkQueue(program.path, storage=storage) as queue:
        service.refuses = partial(when_it_is_downloaded, refusal)
        with pytest.raises(ResultNotFound, match="in an archive tier of the bucket"), queue.open_result(("a",)):
            pass
        assert not storage.has(job.key)
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(30).error is None
        assert storage.has(job.key)
        with queue.open_result(("a",)) as path:
            assert path.read_bytes() == b"built"
    assert len(program.runs) == 2


def test_what_was_brought_back_from_an_archive_is_read(service: Faulty, make_storage: MakeStorage) -> None:
    publish(make_storage("one"), b"built")
    storage = make_storage("two")
    service.refuses = partial(when_it_is_downloaded, Refusal(403, "InvalidObjectState"))
    with pytest.raises(ResultNotFound), storage.open(KEY):
        pass
    service.refuses = None
    assert read(storage) == b"built"


def test_a_service_that_names_no_part_is_told_of_and_leaves_what_was_there(
    service: Faulty, make_storage: MakeStorage
) -> None:
    storage = make_storage()
    publish(storage, b"an earlier one")
    nameless: Renames = lambda request, e_tag: None if request.method == "PUT" else e_tag  # noqa: E731 - of this type
    service.renames = nameless
    with pytest.raises(StorageError, match="the service does not say which version"):
        publish(storage, LARGE)
    assert read(make_storage("another host")) == b"an earlier one"
    publish(storage, b"small")  # in one request, of which it can be asked
    assert read(make_storage("another host")) == b"small"


# Evicting


def test_many_are_asked_for_and_removed_at_once(
    service: Faulty, make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question, and each removal, waits until there are eight."""
    storage = make_storage(max_bytes=0)
    keys = [f"{i:040x}" for i in range(16)]
    for key in keys:
        publish(storage, b"built", key=key)
    eight = {method: threading.Barrier(8) for method in ("HEAD", "DELETE")}

    def wait_for_more(request: Request) -> None:
        if request.method in eight:
            eight[request.method].wait(30)

    service.refuses = wait_for_more
    now = eviction.time.time
    monkeypatch.setattr(eviction.time, "time", lambda: now() + 1000)
    # As a service does that is far away, whatever is slow here: no answer before the last question of eight.
    assert sorted(result.key for result in storage.evict()) == keys
    service.refuses = None
    assert list(storage.results()) == []
