"""A process with a queue: takes lines of JSON, what to do with which key; prints lines of JSON, what becomes of it."""

import json
import os
import sys
import threading
import time
from typing import Any

import workqueue
from workqueue import Job, Progress, QueueFull, WorkQueue


def say(key: str, what: object) -> None:
    os.write(1, json.dumps([key, what]).encode() + b"\n")


def watch(key: str, job: Job | None) -> None:
    if job is None:
        say(key, "built")
        return
    jobs[key] = job

    def tell(progress: Progress) -> None:
        say(key, list(progress))

    job.progress.subscribe(tell)


def ask(key: str) -> None:
    try:
        watch(key, queue.ensure_run((key,)))
    except QueueFull:
        say(key, "full")


def close_in_observer(key: str) -> None:
    """Close the queue when there is progress of this job, on the thread that tells of it."""
    job = queue.ensure_run((key,))
    assert job is not None

    def tell(progress: Progress) -> None:
        if progress.fraction == 0.5:
            queue.close(drain=0.0)
            say(f"{key} closed", True)

    job.progress.subscribe(tell)


def fork(key: str) -> None:
    """Let a forked child ask, and be gone; say how its job ended."""
    pid = os.fork()
    if not pid:
        try:
            job = queue.ensure_run((key,))
            outcome = "built" if job is None else list(job.wait(20))
            queue.close()
            say(key, ["child", outcome])
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def linger(key: str) -> None:
    """Fork a child that does nothing, for as long as a pipe of its parent's parent is open."""
    pid = os.fork()
    if not pid:
        os.read(int(key), 1)
        os._exit(0)
    say(key, ["lingers", pid])


def make_queue(cluster: dict[str, Any] | None = None, **options: Any) -> WorkQueue:
    """A queue of this process, or of a cluster, with the options of its engine."""
    if cluster is not None:
        from workqueue.engines.cluster import ClusterEngine

        options["engine"] = ClusterEngine(**cluster)
    return WorkQueue(**options)


jobs: dict[str, Job] = {}
options = json.loads(sys.argv[1])
if options.pop("has_tenants", False):  # the first letter of the key
    options["tenant"] = lambda params: params[0][0]
queue = make_queue(**options)
say("", "ready")
for line in sys.stdin:
    action, key = json.loads(line)
    if action == "ask":
        ask(key)
    elif action == "ask and leave":
        queue.ensure_run((key,))
    elif action == "refresh":
        watch(key, queue.ensure_run((key,), refresh=True))
    elif action == "cancel":
        jobs[key].cancel()
    elif action == "state":
        say(f"{key} state", jobs[key].state.value)
    elif action == "await nothing":
        while queue.jobs():
            time.sleep(0.005)
        say(f"{key} idle", True)
    elif action == "descriptors":
        say(key, len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names are all that is wanted
    elif action == "threads":
        say(key, sorted(thread.name for thread in threading.enumerate()))
    elif action == "where":
        say(key, workqueue.__file__)
    elif action == "unguarded":
        say(key, queue.statistics().unguarded)
    elif action == "fork":
        fork(key)
    elif action == "linger":
        linger(key)
    elif action == "close in observer":
        close_in_observer(key)
    elif action == "drain":
        queue.close(drain=600.0)
        say(key, "closed")
    elif action == "close":
        queue.close(drain=0.0)
        say(key, "closed")
queue.close(drain=0.0)
