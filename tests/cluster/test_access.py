"""The documented servers: three, with TLS, client certificates, encryption, and a user that may do what is needed."""

import asyncio
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from cryptography.fernet import Fernet
from nats.errors import Error
from nats.js.errors import APIError

from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import WorkerProcess
from tests.conftest import ensure
from tests.readme import DOCS, block
from tests.servers.server import TIMEOUT, eventually
from tests.tools import find_program
from workqueue import WorkQueue
from workqueue.engines.cluster import ClusterEngine
from workqueue.engines.cluster.loop import loop
from workqueue.jobs.lifecycle import State
from workqueue.progress import CANCELLED
from workqueue.storage.disk import DiskStorage
from workqueue.testing import ScriptedProgram

SECRET = Fernet.generate_key().decode()


class DocumentedServers(NatsServers):
    """Three servers with the documentation's configuration; or one, with it but for its block `cluster`."""

    def _write_config(self, node: int) -> None:
        text = block("nats.conf", DOCS / "cluster.rst")
        replaced = {
            "server_name: queue-1": f"server_name: node-{node}",
            "listen: 0.0.0.0:4222": f"listen: 127.0.0.1:{self.port(node)}\nhttp: 127.0.0.1:{self._ports[3 * node + 1]}",
            "/etc/nats/queue-1.crt": str(self._directory / "server.crt"),
            "/etc/nats/queue-1.key": str(self._directory / "server.key"),
            "/etc/nats/ca.crt": str(self._directory / "ca.crt"),
            "/var/lib/nats": f"{self._directory}/{node}",
        }
        if self.n_nodes == 1:
            text, n_blocks = re.subn(r"^cluster \{\n.*?^\}\n", "", text, flags=re.MULTILINE | re.DOTALL)
            assert n_blocks == 1
        else:
            replaced["listen: 0.0.0.0:6222"] = f"listen: 127.0.0.1:{self._ports[3 * node + 2]}"
            replaced |= {f"queue-{other + 1}:6222": f"127.0.0.1:{self._ports[3 * other + 2]}" for other in range(3)}
        for here, there in replaced.items():
            # Certificates are named for clients, and for servers among themselves.
            assert text.count(here) == (1 if self.n_nodes == 1 or not here.startswith("/etc") else 2), here
            text = text.replace(here, there)
        (self._directory / f"{node}.conf").write_text(text)

    def routes_port(self, node: int) -> int:
        """Where the others connect to it."""
        return self._ports[3 * node + 2]


def make_certificates(directory: Path) -> None:
    """Of an authority, of the servers, and of a client."""

    def openssl(*arguments: str) -> None:
        command = [find_program("openssl", "openssl"), *arguments]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)

    # All that a strict reader wants, as Python's is since 3.13.
    new = ("-newkey", "rsa:2048", "-nodes")
    may_sign = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority", *may_sign)
    (directory / "extensions").write_text(
        "subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nbasicConstraints=CA:FALSE\n"
    )
    for name in ("server", "client"):
        openssl("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        sign = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions")
        openssl("x509", "-req", "-in", f"{name}.csr", *sign, "-out", f"{name}.crt")


@contextmanager
def documented_servers(directory: Path, n_nodes: int) -> Iterator[DocumentedServers]:
    """They run, with certificates of their own."""
    loop.start()  # for all of this process, and for good
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATS_KEY", "a-key-for-what-lies-on-the-disk")
        patch.setenv("ADMIN_PASSWORD", "admins-word")
        patch.setenv("WORKQUEUE_PASSWORD", "users-word")
        servers = DocumentedServers(directory, n_nodes)
        make_certificates(directory)
        with servers:
            yield servers


# Of a module: three servers take seconds to agree on a leader.
@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the servers, and of the certificates."""
    return tmp_path_factory.mktemp("documented") / "nats"


@pytest.fixture(scope="module")
def documented(directory: Path) -> Iterator[DocumentedServers]:
    with documented_servers(directory, 3) as servers:
        yield servers


@pytest.fixture
def tls(directory: Path, documented: DocumentedServers) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=directory / "ca.crt")
    context.load_cert_chain(directory / "client.crt", directory / "client.key")
    return context


def documented_engine(servers: DocumentedServers, directory: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterEngine:
    """That of the page, but for where things are."""
    monkeypatch.setenv("WORKQUEUE_PASSWORD", "users-word")
    monkeypatch.setenv("WORKQUEUE_SECRET", SECRET)
    example = block("three_servers.py", DOCS / "cluster.rst")
    for theirs, ours in (
        ("@queue-{i}", "@127.0.0.1:{i}"),
        ("(1, 2, 3)", str([servers.port(node) for node in range(3)])),
        ("/etc/workqueue/ca.crt", str(directory / "ca.crt")),
        ("/etc/workqueue/client.crt", str(directory / "client.crt")),
        ("/etc/workqueue/client.key", str(directory / "client.key")),
    ):
        assert example.count(theirs) == 1
        example = example.replace(theirs, ours)
    names: dict[str, Any] = {}
    exec(example, names)
    engine: ClusterEngine = names["engine"]
    return engine


def worker_options(directory: Path) -> list[str]:
    """The certificates, as the page gives them to a worker."""
    return [f"--tls-{what}={directory}/{file}" for what, file in
            (("ca", "ca.crt"), ("cert", "client.crt"), ("key", "client.key"))]  # fmt: skip


def test_a_user_that_may_do_what_is_documented_can_do_all(
    documented: DocumentedServers,
    directory: Path,
    program: ScriptedProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = documented.url.replace("nats://", "tls://workqueue:users-word@")
    engine = documented_engine(documented, directory, monkeypatch)
    with (
        WorkerProcess(program.path, url, tmp_path / "results", *worker_options(directory), "--replicas", "3"),
        WorkQueue(program.path, storage=DiskStorage(tmp_path / "results"), engine=engine) as queue,
    ):
        job = ensure(queue, "a")
        program.wait_reached("gate", TIMEOUT)
        program.release("gate")
        assert job.wait(TIMEOUT).returncode == 0
        job = ensure(queue, "b")
        program.wait_reached("gate", TIMEOUT)
        eventually(lambda: job.state is State.RUNNING)
        job.cancel()
        assert job.wait(TIMEOUT).returncode == CANCELLED
    for node in range(3):
        assert "violation" not in documented.output(node).lower()
        assert b"wq.workqueue.s." not in documented.stored(node)


def test_one_server_has_the_same_file_without_its_cluster(program: ScriptedProgram, tmp_path: Path) -> None:
    directory = tmp_path / "nats"
    with documented_servers(directory, 1) as server:
        context = ssl.create_default_context(cafile=directory / "ca.crt")
        context.load_cert_chain(directory / "client.crt", directory / "client.key")
        url = server.url.replace("nats://", "tls://workqueue:users-word@")
        with (
            WorkerProcess(program.path, url, tmp_path / "results", *worker_options(directory)),
            WorkQueue(
                program.path, storage=DiskStorage(tmp_path / "results"), engine=ClusterEngine(url, tls=context)
            ) as queue,
        ):
            job = ensure(queue, "a")
            program.wait_reached("gate", TIMEOUT)
            program.release("gate")
            assert job.wait(TIMEOUT).returncode == 0


def is_let_in(port: int, tls: ssl.SSLContext) -> bool:
    """Whether somebody who connects as another server of the cluster is told anything."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        try:
            with tls.wrap_socket(connection, server_hostname="127.0.0.1") as closed:
                return closed.recv(4096).startswith(b"INFO ")
        except (ssl.SSLError, ConnectionError):
            return False


def test_a_server_that_shows_no_certificate_is_none_of_the_cluster(
    documented: DocumentedServers, directory: Path, tls: ssl.SSLContext
) -> None:
    """It would read and write all that there is, and no user is asked of it."""
    assert is_let_in(documented.routes_port(0), tls)
    assert not is_let_in(documented.routes_port(0), ssl.create_default_context(cafile=directory / "ca.crt"))


def test_that_user_may_do_nothing_else(documented: DocumentedServers, tls: ssl.SSLContext) -> None:
    url = documented.url_of(0).replace("nats://", "tls://workqueue:users-word@")

    async def refused() -> int:
        client = await nats.connect(url, tls=tls, allow_reconnect=False)
        stream = client.jetstream(timeout=1.0)
        n_refused = 0
        for forbidden in (
            stream.publish("wq.other.s.job.x", b""),
            stream.delete_stream("wq-workqueue"),
            stream.add_stream(name="wq-other", subjects=["wq.other.>"]),
        ):
            try:
                await forbidden
            except (APIError, Error, TimeoutError):
                n_refused += 1
        await client.close()
        return n_refused

    assert asyncio.run(refused()) == 3


@pytest.mark.parametrize("who", ["tls://workqueue:wrong@", "tls://"])
def test_whoever_has_no_password_is_told_so(
    documented: DocumentedServers, tls: ssl.SSLContext, who: str, program: ScriptedProgram, tmp_path: Path
) -> None:
    engine = ClusterEngine(documented.url_of(0).replace("nats://", who), tls=tls, give_up=1.0)
    with WorkQueue(program.path, storage=DiskStorage(tmp_path / "results"), engine=engine) as queue:
        assert ensure(queue, "a").wait(TIMEOUT).error == "The cluster cannot be reached; try again later."
