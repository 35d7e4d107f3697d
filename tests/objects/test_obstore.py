"""What a storage relies on in obstore: what it raises, and when what is stored can be seen. Each is as it was found."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

import obstore
import pytest
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
)
from obstore.store import ObjectStore

from tests.objects.calls import CALLS, get, head, list_all, tree
from tests.objects.gate import Gate
from tests.objects.server import ObjectServer

#: Lists in this process, and then in a child of it, with a store of its own; says whether the child ended in time.
FORK = """
import json, os, sys, time
import obstore
from obstore.store import from_url

def look():
    url, options = json.loads(sys.argv[1])
    obstore.list(from_url(url, **options)).collect()

look()
pid = os.fork()
if not pid:
    look()
    os._exit(0)
deadline = time.monotonic() + float(sys.argv[2])
while not (ended := os.waitpid(pid, os.WNOHANG)[0]) and time.monotonic() < deadline:
    time.sleep(0.01)
if not ended:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
print("answered" if ended else "hung", flush=True)
os._exit(0)  # without a word to obstore, whose end may hang, too
"""


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_secret_is_refused(
    object_server: ObjectServer, prefix: str, call: Callable[[ObjectStore], object]
) -> None:
    """A listing says so in its text alone."""
    store = object_server.store(prefix, **object_server.wrong_credentials)
    with pytest.raises(GenericError if call is list_all else PermissionDeniedError, match="403 Forbidden") as caught:
        call(store)
    assert "status: 403," in tree(caught.value)


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_bucket_looks_like_a_missing_key_but_in_a_listing(
    object_server: ObjectServer, call: Callable[[ObjectStore], object]
) -> None:
    """To head, which has no text to go by, in all; and nobody makes the bucket."""
    store = object_server.store(bucket="missing")
    with pytest.raises(GenericError if call is list_all else FileNotFoundError, match="404 Not Found") as caught:
        call(store)
    names_it = "NoSuchBucket" in str(caught.value) or "ContainerNotFound" in str(caught.value)
    assert names_it == (call is not head)


def test_a_missing_key(store: ObjectStore) -> None:
    for call in (head, get):
        with pytest.raises(FileNotFoundError, match=r"^Object at location \S+key not found: .*404 Not Found"):
            call(store)
    assert list_all(store) == []


def test_deleting_what_is_not_there_is_an_error_to_azure_alone(object_server: ObjectServer, store: ObjectStore) -> None:
    try:
        obstore.delete(store, "key")
    except FileNotFoundError:
        assert object_server.kind == "azure"
    else:
        assert object_server.kind == "s3"


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_connection(
    through_gate: Callable[..., ObjectStore], gate: Gate, call: Callable[[ObjectStore], object]
) -> None:
    """The first part of the text is the same whatever is wrong with a connection."""
    gate.refuse()
    with pytest.raises(GenericError, match="HTTP error: error sending request") as caught:
        call(through_gate())
    assert "kind: Connect," in tree(caught.value)
    assert "ConnectionRefused" in tree(caught.value)


def test_no_such_host(object_server: ObjectServer) -> None:
    """A name with a label that is too long, so that nobody has to be asked for it."""
    endpoint = object_server.endpoint.replace("127.0.0.1", "x" * 64 + ".invalid")
    with pytest.raises(GenericError, match="HTTP error: error sending request") as caught:
        list_all(object_server.store(endpoint=endpoint))
    assert "kind: Connect," in tree(caught.value)
    assert "dns error" in tree(caught.value)


def test_a_server_that_says_nothing(through_gate: Callable[..., ObjectStore], gate: Gate) -> None:
    gate.hold()
    with pytest.raises(GenericError, match="HTTP error: error sending request") as caught:
        head(through_gate(client_options={"allow_http": True, "timeout": "100ms"}))
    assert "kind: Timeout," in tree(caught.value)


def test_without_tls_it_must_be_allowed(object_server: ObjectServer) -> None:
    with pytest.raises(GenericError, match="HTTP error: builder error") as caught:
        list_all(object_server.store(client_options={}))
    assert "BadScheme" in tree(caught.value)


def test_what_was_changed_is_not_got(store: ObjectStore) -> None:
    old = obstore.put(store, "key", b"old")["e_tag"]
    new = obstore.put(store, "key", b"new")["e_tag"]
    assert old != new
    with pytest.raises(PreconditionError, match="412 Precondition Failed"):
        obstore.get(store, "key", options={"if_match": old})
    with pytest.raises(NotModifiedError, match="304 Not Modified"):
        obstore.get(store, "key", options={"if_none_match": new})
    assert bytes(obstore.get(store, "key", options={"if_match": new}).bytes()) == b"new"


def test_what_is_there_is_not_created(store: ObjectStore) -> None:
    obstore.put(store, "key", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "key", b"second", mode="create")
    assert get(store) == b"first"


def test_e_tags(object_server: ObjectServer, store: ObjectStore) -> None:
    """S3's are of the content, Azure's of the upload; and in Azure's listing they have no quotes."""
    first = obstore.put(store, "key", b"content")["e_tag"]
    again = obstore.put(store, "key", b"content")["e_tag"]
    assert (first == again) == (object_server.kind == "s3")
    assert obstore.head(store, "key")["e_tag"] == again
    listed = obstore.list(store).collect()[0]["e_tag"]
    assert again is not None
    assert listed == (again if object_server.kind == "s3" else again.strip('"'))


def test_a_child_of_a_process_that_used_it_hangs(seaweedfs: ObjectServer, prefix: str) -> None:
    """Whatever store it makes: the threads that would serve it are its parent's, which may hang or crash, too."""
    arguments = json.dumps([seaweedfs.url(prefix), seaweedfs.options()])
    command = [sys.executable, "-W", "ignore", "-c", FORK, arguments, "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, text=True) as process:
        try:
            said, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            said = ""
        finally:
            with contextlib.suppress(ProcessLookupError):  # else there is the child, if nobody else
                os.killpg(process.pid, signal.SIGKILL)
    assert said == "hung\n" or (not said and process.returncode < 0)


@pytest.mark.parametrize("options", [{"nonsense": "x"}, {"account_key": "not base64!"}], ids=["unknown", "not base64"])
def test_options_that_cannot_be_are_refused_at_once(azurite: ObjectServer, options: Mapping[str, str]) -> None:
    with pytest.raises(BaseError):
        azurite.store(**options)


def test_metadata_comes_with_a_get_of_no_content_and_takes_what_we_keep(store: ObjectStore) -> None:
    """`obstore.head` tells none; S3 has room for 2 KB."""
    text = "x" * 1900
    for name, file in (("one", b"built"), ("parts", iter([b"x" * 2**20] * 12))):
        obstore.put(store, name, file, attributes={"workqueue": text}, chunk_size=8 * 2**20)
        found = obstore.get(store, name, options={"head": True})
        assert found.attributes["workqueue"] == text
        assert found.meta["size"] == obstore.head(store, name)["size"] > 0
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "missing", options={"head": True})


def test_a_stream_whose_source_fails_leaves_nothing(store: ObjectStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 20 * 2**20
        raise OSError("the disk is gone")

    obstore.put(store, "name", b"old")
    with pytest.raises(OSError, match="the disk is gone"):
        obstore.put(store, "name", broken(), chunk_size=8 * 2**20)
    assert bytes(obstore.get(store, "name").bytes()) == b"old"
