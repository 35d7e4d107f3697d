"""The example of docs/cluster.rst: a server and a worker on hosts of their own, that share NATS and a bucket alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import WorkerProcess
from tests.conftest import ensure
from tests.objects.server import ObjectServer
from tests.readme import DOCS, block
from tests.servers.server import TIMEOUT
from workqueue import WorkQueue
from workqueue.testing import ScriptedProgram, output, say


def test_hosts_that_share_nats_and_a_bucket(
    nats: NatsServers,
    cluster: str,
    seaweedfs: ObjectServer,
    prefix: str,
    start_worker: Callable[..., WorkerProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKQUEUE_SECRET", Fernet.generate_key().decode())
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweedfs.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.credentials["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.credentials["secret_access_key"])
    example = block("cluster.py", DOCS / "cluster.rst")
    for theirs, ours in (
        ('"nats://queue.example"', f'"{nats.url}", "{cluster}"'),
        ("s3://my-bucket/indexes", seaweedfs.url(prefix)),
        ("/var/cache/my-plugin", "server"),
    ):
        assert example.count(theirs) == 1
        example = example.replace(theirs, ours)
    names: dict[str, Any] = {"WorkQueue": WorkQueue}
    exec(example, names)
    queue: WorkQueue = names["queue"]
    program = ScriptedProgram(tmp_path / "elsewhere", say(0.5, "half"), output(b"the index"))
    worker = start_worker(
        program.path, seaweedfs.url(prefix), "--directory", str(tmp_path / "worker"), "--name", "process-docset.py"
    )
    with queue:
        job = ensure(queue, "a")
        assert job.wait(TIMEOUT).returncode == 0
        with queue.open_result(("a",)) as path:
            assert path.read_bytes() == b"the index"
            assert path.is_relative_to(tmp_path / "server")
        assert queue.ensure_run(("a",)) is None
    assert len(program.runs) == 1
    worker.terminate()
    assert worker.wait() == 0
