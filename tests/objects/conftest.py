"""For tests of the servers themselves: stores of obstore's."""

from collections.abc import Callable

import pytest
from obstore.store import ObjectStore

from tests.objects.gate import Gate
from tests.objects.server import ObjectServer


@pytest.fixture
def store(object_server: ObjectServer, prefix: str) -> ObjectStore:
    return object_server.store(prefix)


@pytest.fixture
def through_gate(object_server: ObjectServer, prefix: str, gate: Gate) -> Callable[..., ObjectStore]:
    """Makes a store, of the same objects, behind the gate."""
    return lambda **options: object_server.store(prefix, endpoint=object_server.endpoint_at(gate.port), **options)
