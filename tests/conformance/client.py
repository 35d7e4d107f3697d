"""One request to a queue of its own: in this process, or in one that is started for it."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from workqueue import Params, WorkQueue
from workqueue.storage import Storage

ROOT = Path(__file__).parent.parent.parent


class Request(NamedTuple):
    """What is asked for, and of which queue."""

    program: Path
    storage: Storage
    params: Params
    version: str = ""
    n_fields: int | None = None
    """How many of the fields make a result; None: all."""


def answer(request: Request) -> str:
    """Build it, or find it, and read it."""
    queue = WorkQueue(
        request.program,
        storage=request.storage,
        version=request.version,
        env={"VERSION": request.version},
        key=None if request.n_fields is None else lambda params: params[: request.n_fields],
    )
    with queue:
        job = queue.ensure_run(request.params)
        if job is not None:
            last = job.wait(60)
            assert last.returncode == 0, last
        with queue.open_result(request.params) as path:
            return path.read_text()


def answers(requests: list[Request], *, are_processes: bool) -> list[str]:
    """One after the other in this process; or all at the same time, each in a process of its own."""
    if not are_processes:
        return [answer(request) for request in requests]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.client"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        for _ in requests
    ]
    for process, request in zip(processes, requests, strict=True):
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(request))
        process.stdin.flush()
        process.stdin.close()
        process.stdin = None
    return [process.communicate(timeout=120)[0].decode() for process in processes]


if __name__ == "__main__":
    sys.stdout.write(answer(pickle.load(sys.stdin.buffer)))
