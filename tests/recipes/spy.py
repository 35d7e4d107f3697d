"""Runs a server as `python -m` does, and tells the test who watches the jobs in it.

The server is another process, so what its queue holds is asked for through a socket, ``spy`` in the current directory.
"""

import contextlib
import logging
import runpy
import socket
import socketserver
import sys
import threading
from pathlib import Path

from tests.servers.server import TIMEOUT, eventually
from workqueue import Job, Params, WorkQueue

_lock = threading.Lock()  # guards all below
_queues: list[WorkQueue] = []
_jobs: list[Job] = []
_ensure_run = WorkQueue.ensure_run


def _spied(queue: WorkQueue, params: Params) -> Job | None:
    job = _ensure_run(queue, params)
    with _lock:
        if job is not None:
            _jobs.append(job)
        # Now, not before: the process that serves need not be the one that started.
        if not _queues:
            _queues.append(queue)
            server = socketserver.UnixStreamServer("spy", _Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
    return job


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        if self.rfile.readline() == b"close\n":
            _queues[0].close(0.0)
        with _lock:
            n_watchers = sum(job.n_watchers for job in set(_jobs))
        self.wfile.write(f"{n_watchers}\n".encode())


class _Announcer(logging.Handler):
    """Says where the server of `websockets` listens, in the words of the servers of HTTP."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "server listening on %s" and isinstance(record.args, tuple):
            print(f"Listening on http://{record.args[0]}")  # noqa: T201 - what the test waits for


def wait_for_no_watchers(directory: Path) -> None:
    """Return when nobody is subscribed to any job any more."""
    eventually(lambda: _ask(directory, "count") == 0, timeout=5.0)


def close_queue(directory: Path) -> None:
    """Close the server's queue under it."""
    _ask(directory, "close")


def _ask(directory: Path, command: str) -> int:
    # A socket's path may have some hundred characters, and a test's directory has more on some systems.
    with contextlib.chdir(directory), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect("spy")
        connection.sendall(f"{command}\n".encode())
        return int(connection.recv(64))


if __name__ == "__main__":
    WorkQueue.ensure_run = _spied  # type: ignore[assignment, method-assign]
    logging.getLogger("websockets.server").addHandler(_Announcer())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
