"""A program whose every run asks the test what to do next, and tells it when it is asked to stop.

Each run connects to the test, says who it is, and obeys: it prints, builds, fails, or dies. The test sees it begin as a
connection, and end as the end of that connection, however it ends.
"""

import os
import select
import signal
import socket
import sys
from pathlib import Path

#: How long anything may take that a test waits for: long, for a machine that others load.
TIMEOUT = 15.0

#: Which process of the walk started the program; the queue adds it to the program's environment.
PROCESS = "WALK_PROCESS"

_PROGRAM = """#!/bin/sh
exec '{python}' -I -S '{script}' "$@"
"""
_SCRIPT = """
import _socket, os, signal, sys
key, output = sys.argv[1], sys.argv[-1]
gate = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
gate.connect(("127.0.0.1", {port}))
signal.signal(signal.SIGTERM, lambda *_: gate.send(b"stop\\n"))
gate.send(f"{{key}} {{os.environ['{process}']}} {{os.getpid()}}\\n".encode())
orders = open(gate.detach(), "rb", buffering=0)
gate = type("Gate", (), {{"send": lambda data: os.write(orders.fileno(), data)}})
while order := orders.readline().decode().split():
    if order[0] == "say":
        os.write(1, b"0.5\\t" + order[1].encode() + b"\\n")
    elif order[0] == "build":
        with open(output, "w") as file:
            file.write(f"{{key}} {{order[1]}}\\n" * {n_lines})
        os._exit(0)
    elif order[0] == "fail":
        os._exit(int(order[1]))
    elif order[0] == "die":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
os._exit(9)
"""

#: Enough that a reader does not have all of it after its first read.
N_LINES = 2000


def run_of(key: str, content: bytes) -> int | None:
    """The number of the run that built this result; None when it is not whole."""
    words = content.split(b"\n", 1)[0].decode("latin-1").split()
    if len(words) != 2 or words[0] != key or not words[1].isdigit():
        return None
    return int(words[1]) if content == f"{key} {words[1]}\n".encode() * N_LINES else None


class Gate:
    """One run of the program, from its connection on."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT)
        self._connection = connection
        self._said = b""
        self.key, process, pid = self._line().split()
        self.process, self.pid = int(process), int(pid)

    def order(self, *words: object) -> None:
        """Have it do this."""
        self._connection.sendall(" ".join(map(str, words)).encode() + b"\n")

    def wait_told_to_stop(self) -> None:
        """Return when it got SIGTERM."""
        assert self._line() == "stop"

    def wait_ended(self) -> None:
        """Return when it is dead. It may have been told to stop meanwhile."""
        while self._line():
            pass
        self._connection.close()

    def kill(self) -> None:
        """Kill it, as SIGKILL does."""
        os.kill(self.pid, signal.SIGKILL)

    @property
    def is_silent(self) -> bool:
        """Whether it lives, and was not told to stop."""
        return not select.select([self._connection], [], [], 0)[0]

    @property
    def is_running(self) -> bool:
        """Whether it lives. What the kernel is ending lives no more, though its connection may still be open."""
        if select.select([self._connection], [], [], 0)[0] and not self._connection.recv(1, socket.MSG_PEEK):
            return False
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return not Path("/proc/self").exists()
        return fields[0] not in "ZX" and not int(fields[6]) & 4  # PF_EXITING

    def close(self) -> None:
        """Let it end, if it lives."""
        self._connection.close()

    def _line(self) -> str:
        while b"\n" not in self._said:
            try:
                data = self._connection.recv(4096)
            except ConnectionResetError:  # killed with an order unread
                data = b""
            if not data:
                return ""
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()


class GatedProgram:
    """The program, and the place where its runs connect.

    Args:
        directory: an existing one, where the program is written.
    """

    def __init__(self, directory: Path) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(TIMEOUT)
        script = directory / "program.py"
        port = self._listener.getsockname()[1]
        script.write_text(_SCRIPT.format(port=port, process=PROCESS, n_lines=N_LINES))
        self.path = directory / "program"
        self.path.write_text(_PROGRAM.format(python=sys.executable, script=script))
        self.path.chmod(0o755)

    def next_run(self) -> Gate:
        """The next run that begins, when it does."""
        connection, _ = self._listener.accept()
        return Gate(connection)

    @property
    def is_idle(self) -> bool:
        """Whether no run has begun that nobody has taken."""
        return not select.select([self._listener], [], [], 0)[0]

    def close(self) -> None:
        """Take no more runs."""
        self._listener.close()
