"""When a connection is cut in mid-transfer: what obstore makes of it, and what can be seen afterwards."""

from collections.abc import Callable

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import ObjectStore

from tests.objects.calls import BIG, SECOND_PART, get, head, list_all, put, put_in_parts, tree
from tests.objects.gate import Gate
from tests.objects.server import ObjectServer


def test_an_upload_that_was_cut_leaves_nothing_to_be_seen(
    object_server: ObjectServer, store: ObjectStore, through_gate: Callable[..., ObjectStore], gate: Gate, prefix: str
) -> None:
    """S3 is told to forget its parts; Azure, which cannot be told, does so after a week."""
    gate.cut_after(SECOND_PART, "up")
    with pytest.raises(GenericError, match="HTTP error: error sending request"):
        put_in_parts(through_gate())
    assert list_all(store) == []
    with pytest.raises(FileNotFoundError):
        head(store)
    assert object_server.unfinished(prefix) == ([f"{prefix}/key"] if object_server.kind == "azure" else [])


def test_an_upload_that_was_cut_leaves_what_was_there(
    store: ObjectStore, through_gate: Callable[..., ObjectStore], gate: Gate
) -> None:
    put(store)
    gate.cut_after(SECOND_PART, "up")
    with pytest.raises(GenericError):
        put_in_parts(through_gate())
    assert get(store) == b"content"


def test_a_part_that_was_cut_is_sent_again(
    store: ObjectStore, through_gate: Callable[..., ObjectStore], gate: Gate
) -> None:
    gate.cut_after(SECOND_PART, "up", times=1)
    put_in_parts(through_gate(retry_config={"max_retries": 1}))
    assert get(store) == BIG
    assert gate.n_connections == 2


def test_a_download_that_was_cut_is_an_error_or_goes_on(
    store: ObjectStore, through_gate: Callable[..., ObjectStore], gate: Gate
) -> None:
    """Where it was: what has come does not come again."""
    put_in_parts(store)
    gate.cut_after(5 * 2**20, "down", times=2)
    with pytest.raises(GenericError, match="HTTP error: request or response body error") as caught:
        get(through_gate())
    assert "IncompleteBody" in tree(caught.value)
    n_down = gate.n_down
    assert get(through_gate(retry_config={"max_retries": 1})) == BIG
    assert gate.n_down - n_down < len(BIG) + 2**20


@pytest.mark.parametrize("replacement", [BIG[::-1], None], ids=["replaced", "removed"])
def test_a_download_that_was_cut_does_not_go_on_with_another_object(
    store: ObjectStore, through_gate: Callable[..., ObjectStore], gate: Gate, replacement: bytes | None
) -> None:
    put_in_parts(store)
    gate.cut_after(5 * 2**20, "down", times=1)
    chunks = iter(obstore.get(through_gate(retry_config={"max_retries": 1}), "key").stream(min_chunk_size=2**20))
    next(chunks)
    if replacement is None:
        obstore.delete(store, "key")
    else:
        obstore.put(store, "key", replacement)
    with pytest.raises(GenericError):
        list(chunks)
