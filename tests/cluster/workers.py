"""Workers of a cluster as processes, started by the command that users start them by."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.servers.server import TIMEOUT

#: Short, so that a test need not wait long for a takeover; long enough for a machine that does too much.
LEASE = 4.0

_GO_ON = "import sys; from workqueue.cli import main; sys.exit(main())"


class WorkerProcess:
    """``workqueue worker PROGRAM``; as a context manager it is killed at the end.

    Args:
        program: what it runs.
        url: of the NATS servers.
        storage: where results go.
        options: more of the command line.
        lease: seconds.
        before: Python that makes it the process that it is to be, before the command begins.
        below: the words of a command that starts the worker, in place of this process.
        environment: more of it.
    """

    def __init__(
        self,
        program: Path,
        url: str,
        storage: str | Path,
        *options: str,
        lease: float = LEASE,
        before: str = "",
        below: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self._log = program.parent / f"worker-{os.urandom(4).hex()}.log"
        command = ["worker", str(program), "--nats", url, "--storage", str(storage), "--lease", str(lease), *options]
        path = os.pathsep.join(filter(None, sys.path))
        run = ["-m", "workqueue"] if not before else ["-c", f"{before}\n{_GO_ON}"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*below, sys.executable, *run, *command],
                env={**os.environ, "PYTHONPATH": path, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.go_on()
        self.kill()
        sys.stdout.write(self.output)
