"""A process with a queue on a cluster: takes lines of JSON, what to do with which key; says what becomes of it."""

import json
import os
import sys

from workqueue import Job, Progress, WorkQueue
from workqueue.engines.cluster import ClusterEngine
from workqueue.storage import DiskStorage


def say(key: str, what: object) -> None:
    os.write(1, json.dumps([key, what]).encode() + b"\n")


def watch(key: str, job: Job | None) -> None:
    if job is None:
        say(key, "built")
        return

    def tell(progress: Progress) -> None:
        say(key, list(progress))

    job.progress.subscribe(tell)


options = json.loads(sys.argv[1])
engine = ClusterEngine(options["nats"], options["name"], lease=options["lease"], replicas=options["replicas"])
queue = WorkQueue(options["program_path"], storage=DiskStorage(options["storage_dir"]), engine=engine)
say("", "ready")
for line in sys.stdin:
    action, key = json.loads(line)
    if action == "ask":
        watch(key, queue.ensure_run((key,)))
queue.close(drain=0.0)
