"""A worker of a cluster in this process, for tests that need not end it."""

import contextlib
import os
from collections.abc import Iterator

from tests.servers.server import TIMEOUT
from workqueue.engines.cluster.loop import loop
from workqueue.engines.cluster.offer import Offer
from workqueue.engines.cluster.options import access_to
from workqueue.engines.cluster.seal import Seal
from workqueue.engines.cluster.worker import Worker
from workqueue.program.command import Command
from workqueue.storage.base import Storage


@contextlib.contextmanager
def worker_in_process(
    url: str,
    cluster: str,
    command: Command,
    storage: Storage,
    *,
    max_running: int = 2,
    max_running_per_tenant: int | None = None,
    lease: float = 4.0,
) -> Iterator[Worker]:
    """While its block runs, there is a worker, which was heard of."""
    loop.start()
    worker = Worker(
        cluster,
        access_to(url),
        replicas=1,
        lease=lease,
        worker=f"worker-{os.urandom(4).hex()}",
        offer=Offer(command, storage, name="program", seal=Seal()),
        max_running=max_running,
        max_running_per_tenant=max_running_per_tenant,
    )
    serving = loop.do(worker.member.run())
    try:
        assert loop.do(worker.member.wait_until_up(TIMEOUT)).result(), worker.member.trouble
        yield worker
    finally:
        loop.do(worker.stop(0.0)).result(TIMEOUT)
        serving.result(TIMEOUT)
        worker.engine.close(0.0)
