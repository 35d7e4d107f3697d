"""Two workers of this machine, as nodes: each runs one program at a time."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.demo.cluster.node import Node
from workqueue.program.warden import Warden

N_WORKERS: Final = 2

#: The cluster's name.
CLUSTER: Final = "demo"

#: Seconds without a sign after which a worker's run begins elsewhere: short, since a person watches.
LEASE: Final = 3.0


class Work(NamedTuple):
    """What workers do."""

    program: Path
    """What they run."""

    storage: str
    """Where they publish: a directory, or a bucket's URL."""

    endpoint: str | None
    """Where the bucket's service is; None: at its provider's."""


def make_workers(work: Work, urls: Sequence[str], secret: str, directory: Path, warden: Warden) -> list[Node]:
    """The nodes, not started.

    Args:
        work: what they do.
        urls: of the servers.
        secret: opens tasks.
        directory: below which each has one for its runs, if results are in a bucket.
        warden: kills them when this process is killed.
    """
    # In the environment, not in arguments: everybody on this machine can read those.
    environment = {
        "WORKQUEUE_NATS_URL": ",".join(urls),
        "WORKQUEUE_SECRET": secret,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    options = ["--cluster", CLUSTER, "--max-running", "1", "--replicas", "3", "--lease", str(LEASE)]
    options += ["--storage", work.storage]
    if work.endpoint is not None:
        options += ["--endpoint", work.endpoint]
    command = [sys.executable, "-m", "workqueue", "worker", str(work.program), *options]
    return [
        Node(f"worker-{i}", (*command, "--directory", str(directory / f"worker-{i}")), warden, directory, environment)
        for i in range(1, N_WORKERS + 1)
    ]
