"""Calls of obstore, each of what any store can do with one key."""

import obstore
from obstore.store import ObjectStore

#: Three parts of an upload, and where the second of them is on its way.
BIG = bytes(range(256)) * (12 * 4096)
SECOND_PART = 8 * 2**20


def put(store: ObjectStore) -> object:
    return obstore.put(store, "key", b"content", use_multipart=False)


def put_in_parts(store: ObjectStore) -> object:
    return obstore.put(store, "key", BIG, use_multipart=True, max_concurrency=1)


def head(store: ObjectStore) -> object:
    return obstore.head(store, "key")


def get(store: ObjectStore) -> bytes:
    return bytes(obstore.get(store, "key").bytes())


def list_all(store: ObjectStore) -> list[str]:
    return sorted(meta["path"] for meta in obstore.list(store).collect())


CALLS = put, put_in_parts, head, get, list_all


def tree(error: BaseException) -> str:
    """What obstore says behind what is for people, in one line."""
    _, _, text = str(error).partition("\n\nDebug source:\n")
    return " ".join(text.split())
