"""Where greenlets stand for threads, one that waits for a bucket or a disk holds up no other."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.objects.gate import Gate
from tests.objects.seaweedfs import SeaweedFS
from workqueue.storage import DiskStorage, Storage
from workqueue.storage.objects import ObjectStorage

KEY, OTHER = (f"{i:040x}" for i in range(2))

#: More than one part of an upload, and more than all buffers between two processes hold.
LARGE = os.urandom(1_000_000) * 20

TIMEOUT = 30.0

PATCHES = {
    "gevent": "from gevent import monkey; monkey.patch_all(); from gevent import spawn",
    "eventlet": "import eventlet; eventlet.monkey_patch(); from eventlet import spawn",
}

#: A greenlet answers whoever connects; another does what is said in the arguments, as soon as the first has been seen.
SERVER = """
import os, pickle, socket, sys
storage = pickle.loads(bytes.fromhex(sys.argv[1]))
key, large, fifo = sys.argv[2], b"x" * 20_000_000, sys.argv[4]

def publish(form="file"):
    with storage.workspace(key, "", form) as workspace:
        file = workspace.output if form == "file" else workspace.output / "file"
        file.write_bytes(large)
        workspace.publish()

def flush(call):
    # In the kernel, as a disk that takes long, until whoever has opened the pipe's other end closes it.
    fsync = os.fsync
    def wait(fd):
        os.fsync = fsync
        with open(fifo, "rb", buffering=0) as file:
            file.read(1)
        fsync(fd)
    os.fsync = wait
    call()

def read():
    with storage.open(key) as path:
        return path.stat().st_size

calls = {
    "has": lambda: storage.has(key),
    "info": lambda: storage.info(key),
    "probe": lambda: storage.workspace(key).__enter__(),
    "list": lambda: len(list(storage.results())),
    "delete": lambda: storage.delete(key),
    "publish": publish,
    "publish a directory": lambda: publish("directory"),
    "open": read,
    "flush": lambda: flush(publish),
    "flush a directory": lambda: flush(lambda: publish("directory")),
}
listener = socket.create_server(("127.0.0.1", 0))

def answer():
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"alive")
        connection.close()

answering = spawn(answer)
print(listener.getsockname()[1], flush=True)
acting = spawn(calls[sys.argv[3]])
(acting.get if hasattr(acting, "get") else acting.wait)()
print("done", flush=True)
os._exit(0)
"""


@contextmanager
def server(kind: str, storage: Storage, call: str, fifo: object = "") -> Iterator["subprocess.Popen[str]"]:
    """A process that makes a call in one greenlet, and answers in another."""
    command = [sys.executable, "-c", PATCHES[kind] + SERVER, pickle.dumps(storage).hex(), KEY, call, str(fifo)]
    path = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def check_alive(process: "subprocess.Popen[str]", port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        assert client.recv(5) == b"alive"
    assert process.poll() is None


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def make_storage(seaweedfs: SeaweedFS, prefix: str, tmp_path: Path) -> Callable[..., ObjectStorage]:
    def make(host: str, port: int = seaweedfs.port) -> ObjectStorage:
        endpoint = seaweedfs.endpoint_at(port)
        url, config = seaweedfs.url(prefix), seaweedfs.credentials
        return ObjectStorage(url, tmp_path / host, endpoint=endpoint, config=config, probe=False)

    return make


def publish(storage: Storage, data: bytes) -> None:
    with storage.workspace(KEY) as workspace:
        workspace.output.write_bytes(data)
        workspace.publish()


CALLS = ["has", "info", "probe", "list", "delete", "publish", "publish a directory", "open"]


@pytest.mark.parametrize(
    ("kind", "call"), [*(("gevent", call) for call in CALLS), ("eventlet", "has"), ("eventlet", "open")]
)
def test_a_bucket_that_does_not_answer_holds_up_nobody_else(
    make_storage: Callable[..., ObjectStorage], seaweedfs: SeaweedFS, kind: str, call: str
) -> None:
    publish(make_storage("another host"), LARGE)
    with Gate(seaweedfs.port) as gate, server(kind, _held(make_storage, gate, call), call) as process:
        port = int(line(process))
        if call == "open":
            gate.wait_for(lambda gate: gate.n_down >= 3_000_000)
        elif call.startswith("publish"):
            gate.wait_for(lambda gate: gate.n_up >= 3_000_000)
        else:
            gate.wait_for(lambda gate: gate.n_connections)
        check_alive(process, port)
        gate.release()
        assert line(process) == "done"


def _held(make_storage: Callable[..., ObjectStorage], gate: Gate, call: str) -> ObjectStorage:
    """A storage behind a gate that stops what is called on its way."""
    if call == "open":
        gate.hold_after(3_000_000, "down")
    elif call.startswith("publish"):
        gate.hold_after(3_000_000, "up")
    else:
        gate.hold()
    return make_storage("here", gate.port)


@pytest.mark.parametrize(
    ("kind", "call"), [("gevent", "flush"), ("gevent", "flush a directory"), ("eventlet", "flush")]
)
def test_a_disk_that_takes_long_to_flush_holds_up_nobody_else(tmp_path: Path, kind: str, call: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with server(kind, DiskStorage(tmp_path / "results"), call, fifo) as process:
        port = int(line(process))
        writer = os.open(fifo, os.O_WRONLY)  # returns as soon as the flush has begun
        try:
            check_alive(process, port)
        finally:
            os.close(writer)
        assert line(process) == "done"
    assert DiskStorage(tmp_path / "results").has(KEY)
