"""Fixtures for tests of any directory: real object stores, each started for the first test that wants it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objects.azurite import Azurite
from tests.objects.gate import Gate
from tests.objects.seaweedfs import SeaweedFS
from tests.objects.server import ObjectServer

_SERVERS: dict[str, type[ObjectServer]] = {server.kind: server for server in (SeaweedFS, Azurite)}

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """S3, for all tests that do not end it."""
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs") / "server") as server:
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Azure, for all tests that do not end it."""
    with Azurite(tmp_path_factory.mktemp("azurite") / "server") as server:
        yield server


# Not of a function: it would start a server after what was there before the test has been counted.
@pytest.fixture(scope="module", params={"s3": "seaweedfs", "azure": "azurite"}.items(), ids=lambda item: item[0])
def object_server(request: pytest.FixtureRequest) -> ObjectServer:
    """Each of the two."""
    server: ObjectServer = request.getfixturevalue(request.param[1])
    return server


@pytest.fixture(params=_SERVERS)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectServer]:
    """Each of the two, for one test, which may end it."""
    with _SERVERS[request.param](tmp_path / "server") as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Of keys that no other test has; each server has one bucket."""
    return f"test-{next(_numbers)}"


@pytest.fixture
def gate(object_server: ObjectServer) -> Iterator[Gate]:
    """A way to `object_server`, by `object_server.endpoint_at(gate.port)`."""
    with Gate(object_server.port) as gate:
        yield gate
